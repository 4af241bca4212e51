#include "server/rpc/worker.h"

#include <utility>

namespace rtmixd {

Worker::Worker() : thread_([this] { DoAll(); }) {}

Worker::~Worker() {
  {
    MutexLock lock(&mutex_);
    stop_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void Worker::Run(std::function<void()> work) {
  MutexLock lock(&mutex_);
  waiting_.push_back(std::move(work));
  changed_.SignalAll();
}

void Worker::DoAll() {
  while (true) {
    std::function<void()> work;
    {
      MutexLock lock(&mutex_);
      while (waiting_.empty() && !stop_) changed_.Wait(&mutex_);
      if (waiting_.empty()) return;
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work();
  }
}

}  // namespace rtmixd
