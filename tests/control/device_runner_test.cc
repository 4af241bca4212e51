#include "server/control/device_runner.h"

#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/device/stepped_device.h"

namespace rtmixd {
namespace {

using testing::ElementsAre;

// Far more than a loaded machine needs.
constexpr auto kDeadline = std::chrono::seconds(60);

std::unique_ptr<SteppedDevice> Device() {
  return std::make_unique<SteppedDevice>(SteppedDevice::Options{});
}

template <typename Future>
bool ComesInTime(const Future& future) {
  return future.wait_for(kDeadline) == std::future_status::ready;
}

// Something that happens once, and others wait for.
class Event {
 public:
  void Set() { promise_.set_value(); }
  bool Await() const { return ComesInTime(future_); }
  bool has_come() const {
    return future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

 private:
  std::promise<void> promise_;
  const std::shared_future<void> future_ = promise_.get_future();
};

// Waits until all jobs that were posted before have run, and what they do when they are done.
bool Drain(DeviceRunner* runner) {
  const auto drained = std::make_shared<Event>();
  runner->Post([drained](AudioDevice&) { return [drained] { drained->Set(); }; });
  return drained->Await();
}

// A job that does not come back until it is released, as with a dead host.
struct Hang {
  const std::shared_ptr<Event> begun = std::make_shared<Event>();
  const std::shared_ptr<Event> release = std::make_shared<Event>();
  const std::shared_ptr<Event> back = std::make_shared<Event>();
  const std::shared_ptr<Event> done = std::make_shared<Event>();

  DeviceRunner::Job Job() const {
    return [hang = *this](AudioDevice&) {
      hang.begun->Set();
      (void)hang.release->Await();
      // Set when the job is destroyed: the thread has nothing more to do with it by then.
      const std::shared_ptr<Event> back = hang.back;
      const std::shared_ptr<void> at_end(nullptr, [back](void*) { back->Set(); });
      return [done = hang.done, at_end] { done->Set(); };
    };
  }
};

TEST(DeviceRunnerTest, InlineJobRunsBeforePostReturns) {
  DeviceRunner runner(Device(), /*inline_jobs=*/true);
  std::vector<int> order;
  const auto caller = std::this_thread::get_id();
  runner.Post([&](AudioDevice& device) {
    EXPECT_EQ(&device, &runner.device());
    EXPECT_EQ(std::this_thread::get_id(), caller);
    order.push_back(1);
    return [&] { order.push_back(2); };
  });
  EXPECT_THAT(order, ElementsAre(1, 2));
  EXPECT_EQ(runner.busy_for(), absl::ZeroDuration());
}

TEST(DeviceRunnerTest, InlineJobMayLeaveNothingToDo) {
  DeviceRunner runner(Device(), /*inline_jobs=*/true);
  int runs = 0;
  runner.Post([&](AudioDevice&) -> DeviceRunner::Done {
    ++runs;
    return nullptr;
  });
  EXPECT_EQ(runs, 1);
}

TEST(DeviceRunnerTest, JobRunsOnAnotherThread) {
  DeviceRunner runner(Device(), /*inline_jobs=*/false);
  std::promise<std::thread::id> job_thread;
  std::promise<std::thread::id> done_thread;
  runner.Post([&](AudioDevice& device) {
    EXPECT_EQ(&device, &runner.device());
    job_thread.set_value(std::this_thread::get_id());
    return [&] { done_thread.set_value(std::this_thread::get_id()); };
  });
  auto job = job_thread.get_future();
  auto done = done_thread.get_future();
  ASSERT_TRUE(ComesInTime(job));
  ASSERT_TRUE(ComesInTime(done));
  const auto id = job.get();
  EXPECT_NE(id, std::this_thread::get_id());
  EXPECT_EQ(id, done.get());
}

TEST(DeviceRunnerTest, JobsRunInOrderEachDoneBeforeTheNext) {
  DeviceRunner runner(Device(), /*inline_jobs=*/false);
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) {
    runner.Post([&order, i](AudioDevice&) {
      order.push_back(2 * i);
      return [&order, i] { order.push_back(2 * i + 1); };
    });
  }
  ASSERT_TRUE(Drain(&runner));
  ASSERT_EQ(order.size(), 200u);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(order[i], i);
}

TEST(DeviceRunnerTest, BusyWhileAJobRunsAndNotInItsDone) {
  DeviceRunner runner(Device(), /*inline_jobs=*/false);
  EXPECT_EQ(runner.busy_for(), absl::ZeroDuration());
  absl::Duration in_job;
  absl::Duration in_done = absl::InfiniteDuration();
  runner.Post([&](AudioDevice&) {
    // The clock of the machine may stand still for a moment, but not for long.
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (in_job == absl::ZeroDuration() && std::chrono::steady_clock::now() < deadline) {
      in_job = runner.busy_for();
    }
    return [&] { in_done = runner.busy_for(); };
  });
  ASSERT_TRUE(Drain(&runner));
  EXPECT_GT(in_job, absl::ZeroDuration());
  EXPECT_EQ(in_done, absl::ZeroDuration());
}

TEST(DeviceRunnerTest, StopWaitsForTheJobThatRunsAndDropsTheRest) {
  DeviceRunner runner(Device(), /*inline_jobs=*/false);
  const Hang hang;
  runner.Post(hang.Job());
  ASSERT_TRUE(hang.begun->Await());
  int runs = 0;
  Event dropped;
  const auto at_drop = [&dropped](void*) { dropped.Set(); };
  runner.Post([&runs, dropping = std::shared_ptr<void>(nullptr, at_drop)](AudioDevice&) {
    ++runs;
    return DeviceRunner::Done();
  });
  // Not before Stop has begun: the rest would run first.
  bool was_dropped = false;
  std::thread releaser([&] {
    was_dropped = dropped.Await();
    hang.release->Set();
  });
  runner.Stop();
  EXPECT_TRUE(hang.back->has_come());
  releaser.join();
  EXPECT_TRUE(was_dropped);
  runner.Post([&runs](AudioDevice&) {
    ++runs;
    return DeviceRunner::Done();
  });
  runner.Stop();
  EXPECT_EQ(runs, 0);
}

TEST(DeviceRunnerTest, GivingUpKeepsAThreadThatIsNotHung) {
  DeviceRunner runner(Device(), /*inline_jobs=*/false);
  const auto thread_of_a_job = [&runner] {
    const auto promise = std::make_shared<std::promise<std::thread::id>>();
    auto id = promise->get_future();
    runner.Post([promise](AudioDevice&) {
      promise->set_value(std::this_thread::get_id());
      return DeviceRunner::Done();
    });
    return ComesInTime(id) ? id.get() : std::thread::id();
  };
  const std::thread::id before = thread_of_a_job();
  ASSERT_TRUE(Drain(&runner));
  EXPECT_FALSE(runner.GiveUpJob());
  EXPECT_EQ(thread_of_a_job(), before);
  EXPECT_NE(before, std::thread::id());
}

TEST(DeviceRunnerTest, GivingUpAbandonsTheDeviceAndReplacesTheThread) {
  DeviceRunner runner(Device(), /*inline_jobs=*/false);
  struct Sink : AudioBlockSink {
    void ProcessRt(const AudioBlock&) noexcept override {}
    void AfterBlockRt() noexcept override {}
  } sink;
  const Hang hang;
  StreamSettings settings;
  settings.output.channels = 1;
  runner.Post([&](AudioDevice& device) {
    EXPECT_TRUE(device.Open(settings, &sink).ok());
    return DeviceRunner::Done();
  });
  runner.Post(hang.Job());
  ASSERT_TRUE(hang.begun->Await());
  EXPECT_EQ(runner.device().health(), AudioDevice::Health::kStopped);
  EXPECT_TRUE(runner.GiveUpJob());
  EXPECT_EQ(runner.device().health(), AudioDevice::Health::kClosed);
  EXPECT_EQ(runner.busy_for(), absl::ZeroDuration());
  // The new thread works, though the old one still hangs.
  EXPECT_TRUE(Drain(&runner));
  hang.release->Set();
  ASSERT_TRUE(hang.back->Await());
  EXPECT_FALSE(hang.done->has_come()) << "a thread left behind must not go on";
}

TEST(DeviceRunnerTest, ThreadLeftBehindKeepsTheDevice) {
  struct Watched : SteppedDevice {
    explicit Watched(std::shared_ptr<Event> an_event)
        : SteppedDevice(Options{}), event(std::move(an_event)) {}
    ~Watched() override { event->Set(); }
    std::shared_ptr<Event> event;
  };
  const auto destroyed = std::make_shared<Event>();
  const Hang hang;
  {
    DeviceRunner runner(std::make_unique<Watched>(destroyed), /*inline_jobs=*/false);
    runner.Post(hang.Job());
    ASSERT_TRUE(hang.begun->Await());
    ASSERT_TRUE(runner.GiveUpJob());
  }
  EXPECT_FALSE(destroyed->has_come());
  hang.release->Set();
  EXPECT_TRUE(destroyed->Await());
}

TEST(DeviceRunnerTest, StopLeavesAJobBehindThatDoesNotComeBack) {
  DeviceRunner runner(Device(), /*inline_jobs=*/false);
  const Hang hang;
  runner.Post(hang.Job());
  ASSERT_TRUE(hang.begun->Await());
  runner.Stop();
  EXPECT_FALSE(hang.back->has_come());
  hang.release->Set();
  ASSERT_TRUE(hang.back->Await());
  EXPECT_FALSE(hang.done->has_come());
}

}  // namespace
}  // namespace rtmixd
