#include "server/control/change_signal.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace rtmixd {
namespace {

TEST(ChangeSignalTest, EverySubscriberIsCalled) {
  ChangeSignal signal;
  int first = 0;
  int second = 0;
  EXPECT_FALSE(signal.HasSubscribers());
  signal.Notify();
  const auto one = signal.Subscribe([&] { ++first; });
  signal.Notify();
  const auto two = signal.Subscribe([&] { ++second; });
  EXPECT_TRUE(signal.HasSubscribers());
  signal.Notify();
  EXPECT_EQ(first, 2);
  EXPECT_EQ(second, 1);
}

TEST(ChangeSignalTest, NobodyIsCalledAfterItsEnd) {
  ChangeSignal signal;
  int calls = 0;
  auto subscription = signal.Subscribe([&] { ++calls; });
  subscription.reset();
  signal.Notify();
  EXPECT_EQ(calls, 0);
  EXPECT_FALSE(signal.HasSubscribers());
}

TEST(ChangeSignalTest, SubscriptionMayEndInItsCallback) {
  ChangeSignal signal;
  int calls = 0;
  std::unique_ptr<ChangeSignal::Subscription> subscription;
  subscription = signal.Subscribe([&] {
    ++calls;
    subscription.reset();
  });
  signal.Notify();
  signal.Notify();
  EXPECT_EQ(calls, 1);
}

TEST(ChangeSignalTest, SubscriptionMayOutliveTheSignal) {
  auto signal = std::make_unique<ChangeSignal>();
  const auto subscription = signal->Subscribe([] {});
  signal.reset();
}

TEST(ChangeSignalTest, ChangeDuringACallbackBringsAnother) {
  ChangeSignal signal;
  int calls = 0;
  const auto subscription = signal.Subscribe([&] {
    if (++calls < 3) signal.Notify();
  });
  signal.Notify();
  EXPECT_EQ(calls, 3);
}

TEST(ChangeSignalTest, CallbackMaySubscribeOthers) {
  ChangeSignal signal;
  int calls = 0;
  std::unique_ptr<ChangeSignal::Subscription> other;
  const auto subscription = signal.Subscribe([&] { other = signal.Subscribe([&] { ++calls; }); });
  signal.Notify();
  EXPECT_EQ(calls, 0);
  signal.Notify();
  EXPECT_LE(calls, 1);
}

TEST(ChangeSignalTest, EndWaitsForARunningCallback) {
  ChangeSignal signal;
  std::atomic<bool> inside{false};
  std::atomic<bool> ending{false};
  std::atomic<bool> left{false};
  auto subscription = signal.Subscribe([&] {
    inside = true;
    while (!ending) std::this_thread::yield();
    for (int i = 0; i < 10000; ++i) std::this_thread::yield();
    left = true;
  });
  std::thread notifier([&] { signal.Notify(); });
  while (!inside) std::this_thread::yield();
  ending = true;
  subscription.reset();
  EXPECT_TRUE(left);
  notifier.join();
}

// Each subscription's target dies with it: a late call would touch freed memory.
TEST(ChangeSignalTest, NobodyIsCalledAfterItsEndByOtherThreads) {
  ChangeSignal signal;
  std::atomic<bool> stop{false};
  std::vector<std::thread> notifiers;
  for (int i = 0; i < 2; ++i) {
    notifiers.emplace_back([&] {
      while (!stop) signal.Notify();
    });
  }
  int64_t total = 0;
  for (int i = 0; i < 2000; ++i) {
    auto calls = std::make_unique<int64_t>(0);  // not atomic: never two calls at a time
    auto subscription = signal.Subscribe([&, target = calls.get()] { ++*target; });
    signal.Notify();
    subscription.reset();
    total += *calls;
    calls.reset();
  }
  stop = true;
  for (std::thread& notifier : notifiers) notifier.join();
  EXPECT_GT(total, 0);
}

// The reader looks, finds nothing, and relies on being called for what comes after.
TEST(ChangeSignalTest, NoChangeIsLost) {
  ChangeSignal signal;
  constexpr int64_t kChanges = 20000;
  std::atomic<int64_t> changes{0};
  std::atomic<int64_t> seen{0};
  const auto subscription = signal.Subscribe([&] { seen = changes.load(); });
  std::vector<std::thread> changers;
  for (int i = 0; i < 3; ++i) {
    changers.emplace_back([&] {
      for (int64_t k = 0; k < kChanges; ++k) {
        ++changes;
        signal.Notify();
      }
    });
  }
  for (std::thread& changer : changers) changer.join();
  EXPECT_EQ(seen.load(), 3 * kChanges);
}

}  // namespace
}  // namespace rtmixd
