#include "tests/support/rt_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace rtmixd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = RtGuard::Kind;

// Keeps the compiler from seeing that memory is not used.
void* volatile g_memory;

class RtGuardTest : public ::testing::Test {
 protected:
  RtGuardTest() {
    RtGuard::RecordViolations();
    RtGuard::TakeViolations();
  }

  // Calls `action` under the guard and returns the names of its violations, all of which must be of
  // `kind`.
  static std::vector<std::string> NamesOf(Kind kind, const std::function<void()>& action) {
    {
      const ScopedRtGuard guard;
      action();
    }
    std::vector<std::string> names;
    for (const RtGuard::Violation& violation : RtGuard::TakeViolations()) {
      EXPECT_EQ(violation.kind, kind) << violation.what;
      names.push_back(violation.what);
    }
    return names;
  }
};

std::string SystemCall(int64_t number) { return "system call " + std::to_string(number); }

TEST_F(RtGuardTest, ArithmeticAndMemoryAreFree) {
  std::vector<float> samples(1000, 1.0f);
  float sum = 0;
  EXPECT_THAT(NamesOf(Kind::kHeap,
                      [&] {
                        for (const float sample : samples) sum += sample;
                      }),
              IsEmpty());
  EXPECT_EQ(sum, 1000);
}

TEST_F(RtGuardTest, CatchesTheMallocFamily) {
  EXPECT_THAT(NamesOf(Kind::kHeap,
                      [] {
                        void* const first = malloc(10);
                        g_memory = realloc(first, 20);
                        free(g_memory);
                        g_memory = calloc(3, 5);
                        free(g_memory);
                        g_memory = aligned_alloc(64, 128);
                        free(g_memory);
                        void* memory = nullptr;
                        if (posix_memalign(&memory, 64, 128) == 0) g_memory = memory;
                        free(g_memory);
                      }),
              ElementsAre("malloc", "realloc", "free", "calloc", "free", "aligned_alloc", "free",
                          "posix_memalign", "free"));
}

TEST_F(RtGuardTest, CatchesNewAndDelete) {
  EXPECT_THAT(NamesOf(Kind::kHeap,
                      [] {
                        int* const made = new int[100];
                        g_memory = made;
                        delete[] made;
                      }),
              ElementsAre("malloc", "free"));
}

TEST_F(RtGuardTest, CatchesAVectorThatGrows) {
  std::vector<int> vector(10);
  EXPECT_THAT(NamesOf(Kind::kHeap, [&] { vector.resize(vector.capacity() + 1); }),
              ElementsAre("malloc", "free"));
}

// A large block comes from mmap, which is the allocator's call and not reported twice.
TEST_F(RtGuardTest, WhatAnAllocationDoesInsideIsNotReportedAgain) {
  EXPECT_THAT(NamesOf(Kind::kHeap,
                      [] {
                        g_memory = malloc(64 << 20);
                        free(g_memory);
                      }),
              ElementsAre("malloc", "free"));
}

TEST_F(RtGuardTest, CatchesUncontendedLocks) {
  std::mutex mutex;
  std::shared_mutex shared_mutex;
  EXPECT_THAT(NamesOf(Kind::kLock,
                      [&] {
                        mutex.lock();
                        mutex.unlock();
                        if (mutex.try_lock()) mutex.unlock();
                        shared_mutex.lock();
                        shared_mutex.unlock();
                        shared_mutex.lock_shared();
                        shared_mutex.unlock_shared();
                      }),
              ElementsAre("pthread_mutex_lock", "pthread_mutex_unlock", "pthread_mutex_trylock",
                          "pthread_mutex_unlock", "pthread_rwlock_wrlock", "pthread_rwlock_unlock",
                          "pthread_rwlock_rdlock", "pthread_rwlock_unlock"));
}

TEST_F(RtGuardTest, CatchesSpinLocksAndSemaphores) {
  pthread_spinlock_t spin_lock;
  ASSERT_EQ(pthread_spin_init(&spin_lock, PTHREAD_PROCESS_PRIVATE), 0);
  sem_t semaphore;
  ASSERT_EQ(sem_init(&semaphore, 0, 0), 0);
  EXPECT_THAT(NamesOf(Kind::kLock,
                      [&] {
                        pthread_spin_lock(&spin_lock);
                        pthread_spin_unlock(&spin_lock);
                        sem_post(&semaphore);
                        sem_wait(&semaphore);
                        sem_trywait(&semaphore);
                      }),
              ElementsAre("pthread_spin_lock", "pthread_spin_unlock", "sem_post", "sem_wait",
                          "sem_trywait"));
}

TEST_F(RtGuardTest, CatchesConditionVariables) {
  std::mutex mutex;
  std::condition_variable condition;
  std::unique_lock lock(mutex);
  EXPECT_THAT(
      NamesOf(Kind::kLock,
              [&] {
                condition.notify_one();
                condition.notify_all();
                const timespec past{};
                pthread_cond_timedwait(condition.native_handle(), mutex.native_handle(), &past);
              }),
      ElementsAre("pthread_cond_signal", "pthread_cond_broadcast", "pthread_cond_timedwait"));
}

TEST_F(RtGuardTest, CatchesClocks) {
  EXPECT_THAT(NamesOf(Kind::kClock,
                      [] {
                        timespec now = {};
                        clock_gettime(CLOCK_MONOTONIC, &now);
                        timeval today = {};
                        gettimeofday(&today, nullptr);
                        time(nullptr);
                        (void)std::chrono::steady_clock::now();
                      }),
              ElementsAre("clock_gettime", "gettimeofday", "time", "clock_gettime"));
}

TEST_F(RtGuardTest, CatchesEverySystemCallAndCarriesItOut) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  ssize_t written = 0;
  ssize_t read_back = 0;
  char text[4] = {};
  int64_t failed = 0;
  int error = 0;
  EXPECT_THAT(NamesOf(Kind::kSystemCall,
                      [&] {
                        written = write(pipe_ends[1], "abc", 3);
                        read_back = read(pipe_ends[0], text, 3);
                        failed = syscall(SYS_close, -1);
                        error = errno;
                        timespec now = {};
                        syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
                      }),
              ElementsAre(SystemCall(SYS_write), SystemCall(SYS_read), SystemCall(SYS_close),
                          SystemCall(SYS_clock_gettime)));
  EXPECT_EQ(written, 3);
  EXPECT_EQ(read_back, 3);
  EXPECT_STREQ(text, "abc");
  EXPECT_EQ(failed, -1);
  EXPECT_EQ(error, EBADF);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST_F(RtGuardTest, AllowedWritesAreLetThroughAndNoMore) {
  const int event = eventfd(0, EFD_NONBLOCK);
  ASSERT_GE(event, 0);
  const auto wake = [&] { eventfd_write(event, 1); };
  {
    const ScopedRtGuard guard(/*allowed_writes=*/1);
    wake();
  }
  EXPECT_THAT(RtGuard::TakeViolations(), IsEmpty());
  {
    const ScopedRtGuard guard(/*allowed_writes=*/1);
    wake();
    wake();
  }
  EXPECT_EQ(RtGuard::TakeViolations().size(), 1);
  { const ScopedRtGuard unused(/*allowed_writes=*/1); }
  EXPECT_THAT(NamesOf(Kind::kSystemCall, wake), ElementsAre(SystemCall(SYS_write)));
  eventfd_t wakes = 0;
  eventfd_read(event, &wakes);
  EXPECT_EQ(wakes, 4);
  close(event);
}

TEST_F(RtGuardTest, ScopesNestAndEnd) {
  {
    const ScopedRtGuard outer;
    { const ScopedRtGuard inner; }
    g_memory = malloc(1);
    syscall(SYS_getpid);
  }
  EXPECT_EQ(RtGuard::TakeViolations().size(), 2);
  free(g_memory);
  syscall(SYS_getpid);
  EXPECT_THAT(RtGuard::TakeViolations(), IsEmpty());
}

TEST_F(RtGuardTest, OtherThreadsAreFree) {
  std::atomic<int> step{0};
  std::thread other([&] {
    while (step.load() != 1) {
    }
    g_memory = malloc(1);
    free(g_memory);
    syscall(SYS_getpid);
    step.store(2);
  });
  EXPECT_THAT(NamesOf(Kind::kHeap,
                      [&] {
                        step.store(1);
                        while (step.load() != 2) {
                        }
                      }),
              IsEmpty());
  other.join();
}

TEST_F(RtGuardTest, GuardsEachThreadThatEnters) {
  std::vector<std::string> names;
  std::thread other([&] { names = NamesOf(Kind::kSystemCall, [] { syscall(SYS_getpid); }); });
  other.join();
  EXPECT_THAT(names, ElementsAre(SystemCall(SYS_getpid)));
}

// Does `in_process` and `after_block` where a mixer would do its work.
class ActingSink : public AudioBlockSink {
 public:
  ActingSink(std::function<void(const AudioBlock&)> in_process, std::function<void()> after_block)
      : in_process_(std::move(in_process)), after_block_(std::move(after_block)) {}
  void ProcessRt(const AudioBlock& block) noexcept override { in_process_(block); }
  void AfterBlockRt() noexcept override { after_block_(); }

 private:
  const std::function<void(const AudioBlock&)> in_process_;
  const std::function<void()> after_block_;
};

TEST_F(RtGuardTest, GuardedSinkHandsBlocksOn) {
  int frames = 0;
  int blocks = 0;
  ActingSink sink([&](const AudioBlock& block) { frames = block.frames; }, [&] { ++blocks; });
  GuardedSink guarded(&sink);
  guarded.ProcessRt(AudioBlock{.frames = 17});
  guarded.AfterBlockRt();
  EXPECT_EQ(frames, 17);
  EXPECT_EQ(blocks, 1);
  EXPECT_THAT(RtGuard::TakeViolations(), IsEmpty());
}

TEST_F(RtGuardTest, GuardedSinkLetsOneWakeThroughAfterTheBlockOnly) {
  const int event = eventfd(0, EFD_NONBLOCK);
  const auto wake = [&] { eventfd_write(event, 1); };
  ActingSink sink([&](const AudioBlock&) { wake(); }, wake);
  GuardedSink guarded(&sink);
  guarded.AfterBlockRt();
  EXPECT_THAT(RtGuard::TakeViolations(), IsEmpty());
  guarded.ProcessRt(AudioBlock{.frames = 1});
  EXPECT_EQ(RtGuard::TakeViolations().size(), 1);
  close(event);
}

}  // namespace
}  // namespace rtmixd
