#include "server/realtime/wake.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <thread>

namespace rtmixd {
namespace {

constexpr int64_t kNoLimit = -1;
constexpr int64_t kDeadlineNanos = 20'000'000'000;  // far longer than the machine ever stalls

TEST(EventFdWakerTest, NobodyIsWokenUnlessArmed) {
  const auto waker = EventFdWaker::Create();
  waker->WakeIfArmedRt();
  EXPECT_FALSE(waker->WaitFor(0));
}

TEST(EventFdWakerTest, ArmAsksForOneWake) {
  const auto waker = EventFdWaker::Create();
  waker->Arm();
  waker->Arm();
  EXPECT_FALSE(waker->WaitFor(0)) << "arming is no wake";
  waker->WakeIfArmedRt();
  EXPECT_TRUE(waker->WaitFor(0));
  waker->WakeIfArmedRt();
  EXPECT_FALSE(waker->WaitFor(0));
}

TEST(EventFdWakerTest, ArmOutlivesATimeout) {
  const auto waker = EventFdWaker::Create();
  waker->Arm();
  EXPECT_FALSE(waker->WaitFor(0));
  waker->WakeIfArmedRt();
  EXPECT_TRUE(waker->WaitFor(0));
}

TEST(EventFdWakerTest, NotifyWakesUnarmedAndIsKeptForTheNextWait) {
  const auto waker = EventFdWaker::Create();
  waker->Notify();
  waker->Notify();
  EXPECT_TRUE(waker->WaitFor(kNoLimit));
  EXPECT_FALSE(waker->WaitFor(0)) << "wakes coalesce";
}

TEST(EventFdWakerTest, WaitsNoLessThanAsked) {
  const auto waker = EventFdWaker::Create();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(waker->WaitFor(3'000'000));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(3));
}

std::atomic<int> g_signals{0};

TEST(EventFdWakerTest, SignalsDoNotEndAWait) {
  struct sigaction action = {};
  action.sa_handler = [](int) { g_signals.fetch_add(1); };
  struct sigaction before = {};
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  const auto waker = EventFdWaker::Create();
  for (const int64_t timeout_nanos : {kNoLimit, kDeadlineNanos}) {
    std::atomic<bool> returned{false};
    bool woken = false;
    std::thread waiter([&] {
      woken = waker->WaitFor(timeout_nanos);
      returned.store(true);
    });
    for (int i = 1; i <= 20; ++i) {
      const int signals = g_signals.load();
      pthread_kill(waiter.native_handle(), SIGUSR1);
      while (g_signals.load() == signals) std::this_thread::yield();
    }
    EXPECT_FALSE(returned.load());
    waker->Notify();
    waiter.join();
    EXPECT_TRUE(woken);
  }
  sigaction(SIGUSR1, &before, nullptr);
}

TEST(EventFdWakerTest, CreateTellsWhenNoDescriptorIsLeft) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  errno = 0;
  const auto waker = EventFdWaker::Create();
  const int error = errno;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(waker, nullptr);
  EXPECT_EQ(error, EMFILE);
}

// Passes a little time, up to some 200 ns, to shift two threads against each other.
void Loiter(std::mt19937* random) {
  for (uint32_t i = (*random)() % 256; i > 0; --i)
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

// The publisher goes on only when the waiter has seen the last publication, so that one missed wake
// ends in a timeout.
TEST(EventFdWakerTest, NoPublicationIsSleptThrough) {
  constexpr int64_t kRounds = 50'000;
  const auto waker = EventFdWaker::Create();
  // Relaxed: the waker alone must order them.
  std::atomic<int64_t> published{0};
  std::atomic<int64_t> seen{0};
  std::atomic<bool> give_up{false};
  std::thread publisher([&] {
    std::mt19937 random(1);
    for (int64_t round = 1; round <= kRounds; ++round) {
      for (int spins = 1; seen.load(std::memory_order_relaxed) < round - 1; ++spins) {
        if (give_up.load(std::memory_order_relaxed)) return;
        if (spins % 1000 == 0) std::this_thread::yield();
      }
      Loiter(&random);
      published.store(round, std::memory_order_relaxed);
      waker->WakeIfArmedRt();
    }
  });
  int64_t slept_through = 0;
  std::mt19937 random(2);
  for (int64_t round = 1; round <= kRounds && slept_through == 0; ++round) {
    while (true) {
      Loiter(&random);
      waker->Arm();
      if (published.load(std::memory_order_relaxed) >= round) break;
      if (!waker->WaitFor(kDeadlineNanos)) {
        ++slept_through;
        give_up.store(true, std::memory_order_relaxed);
        break;
      }
    }
    seen.store(round, std::memory_order_relaxed);
  }
  publisher.join();
  EXPECT_EQ(slept_through, 0);
}

}  // namespace
}  // namespace rtmixd
