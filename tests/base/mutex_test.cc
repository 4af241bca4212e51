#include "server/base/mutex.h"

#include <chrono>
#include <thread>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace rtmixd {
namespace {

TEST(MutexTest, OneThreadAtATime) {
  Mutex mutex;
  int64_t count = 0;
  const auto add = [&] {
    for (int i = 0; i < 20000; ++i) {
      MutexLock lock(&mutex);
      ++count;
    }
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_EQ(count, 40000);
}

TEST(CondVarTest, SignalWakesAWaiter) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  bool seen = false;
  std::thread waiter([&] {
    MutexLock lock(&mutex);
    while (!ready) changed.Wait(&mutex);
    seen = true;
  });
  {
    MutexLock lock(&mutex);
    ready = true;
    changed.Signal();
  }
  waiter.join();
  EXPECT_TRUE(seen);
}

TEST(CondVarTest, LockIsHeldAfterTheTimeout) {
  Mutex mutex;
  CondVar changed;
  for (const absl::Duration timeout :
       {absl::Milliseconds(5), absl::ZeroDuration(), -absl::InfiniteDuration()}) {
    MutexLock lock(&mutex);
    const auto before = std::chrono::steady_clock::now();
    // Wakes without a cause at times.
    while (changed.WaitFor(&mutex, timeout)) {
    }
    EXPECT_GE(absl::FromChrono(std::chrono::steady_clock::now() - before), timeout);
  }
}

TEST(CondVarTest, LongTimeoutsDoNotOverflow) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  std::thread waiter([&] {
    MutexLock lock(&mutex);
    while (!ready) EXPECT_TRUE(changed.WaitFor(&mutex, absl::InfiniteDuration()));
  });
  {
    MutexLock lock(&mutex);
    ready = true;
  }
  changed.SignalAll();
  waiter.join();
}

}  // namespace
}  // namespace rtmixd
