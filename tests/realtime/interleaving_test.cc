// What a reader must never miss is that the writer came in between: here it comes in between at
// every place.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <random>

#include "server/realtime/broadcast_ring.h"
#include "server/realtime/seqlock.h"
#include "tests/realtime/interleaver.h"

namespace rtmixd {
namespace {

using Value = std::array<uint64_t, 3>;

Value Make(uint64_t number) { return {number, number, number}; }

// Calls `round(first_steps, second_steps)` with pairs of steps all over the two lengths; half of
// the time the second piece is not stopped at all.
void ForStepPairs(int64_t first_length, int64_t second_length,
                  const std::function<void(int64_t, int64_t)>& round) {
  constexpr int kPairs = 1000;
  std::mt19937 random(1);
  std::uniform_int_distribution<int64_t> first(0, first_length);
  std::uniform_int_distribution<int64_t> second(0, 2 * second_length);
  for (int i = 0; i < kPairs; ++i) round(first(random), second(random));
}

TEST(InterleaverTest, RunsTheTwoPiecesInTurns) {
  constexpr int kCount = 40;
  const auto count = [](volatile int* counter) {
    for (int i = 0; i < kCount; ++i) *counter = *counter + 1;
  };
  volatile int alone = 0;
  const int64_t length = Interleaver::CountSteps([&] { count(&alone); });
  ASSERT_EQ(alone, kCount);
  ASSERT_GE(length, 2 * kCount);
  int met_inside = 0;
  for (int64_t step = 0; step <= length; ++step) {
    volatile int first = 0;
    volatile int second = 0;
    int seen_by_second = -1;
    int seen_by_first = -1;
    Interleaver::Run(
        [&] {
          count(&first);
          seen_by_first = second;
        },
        step,
        [&] {
          seen_by_second = first;
          count(&second);
        },
        length / 2);
    ASSERT_EQ(first, kCount);
    ASSERT_EQ(second, kCount);
    met_inside += seen_by_second > 0 && seen_by_second < kCount && seen_by_first > 0 &&
                  seen_by_first < kCount;
  }
  EXPECT_GT(met_inside, 10);
}

class BroadcastRingInterleavingTest : public ::testing::Test {
 protected:
  using Ring = BroadcastRing<Value>;
  using Result = Ring::ReadResult;

  // Reads position 0 of a ring of two while position 2 is pushed over it.
  void Run(bool reader_first) {
    int64_t ok = 0;
    int64_t overwritten = 0;
    const auto round = [&](int64_t first_steps, int64_t second_steps) {
      Ring ring(2);
      ring.PushRt(Make(1));
      ring.PushRt(Make(2));
      Value value = Make(0);
      Result result = Result::kNotYet;
      const Value pushed = Make(3);
      const std::function<void()> read = [&] { result = ring.Read(0, &value); };
      const std::function<void()> push = [&] { ring.PushRt(pushed); };
      if (reader_first) {
        Interleaver::Run(read, first_steps, push, second_steps);
      } else {
        Interleaver::Run(push, first_steps, read, second_steps);
      }
      ASSERT_NE(result, Result::kNotYet);
      ASSERT_EQ(value, Make(result == Result::kOk ? 1 : 0)) << first_steps << ' ' << second_steps;
      ok += result == Result::kOk;
      overwritten += result == Result::kOverwritten;
    };
    Ring ring(2);
    ring.PushRt(Make(1));
    Value value{};
    const Value pushed = Make(3);
    const int64_t read_length = Interleaver::CountSteps([&] { ring.Read(0, &value); });
    const int64_t push_length = Interleaver::CountSteps([&] { ring.PushRt(pushed); });
    ForStepPairs(reader_first ? read_length : push_length, reader_first ? push_length : read_length,
                 round);
    EXPECT_GT(ok, 0);
    EXPECT_GT(overwritten, 0);
  }
};

TEST_F(BroadcastRingInterleavingTest, ReaderOvertakenAnywhereIsTold) { Run(/*reader_first=*/true); }

TEST_F(BroadcastRingInterleavingTest, ReaderThatComesUponAPushIsTold) {
  Run(/*reader_first=*/false);
}

class SeqlockInterleavingTest : public ::testing::Test {
 protected:
  // Loads a value while another is stored in its place.
  void Run(bool reader_first) {
    int64_t loaded = 0;
    int64_t refused = 0;
    const auto round = [&](int64_t first_steps, int64_t second_steps) {
      Seqlock<Value> lock(Make(1));
      Value value = Make(0);
      bool ok = false;
      const Value stored = Make(2);
      const std::function<void()> load = [&] { ok = lock.TryLoad(&value); };
      const std::function<void()> store = [&] { lock.StoreRt(stored); };
      if (reader_first) {
        Interleaver::Run(load, first_steps, store, second_steps);
      } else {
        Interleaver::Run(store, first_steps, load, second_steps);
      }
      if (ok) {
        ASSERT_TRUE(value == Make(1) || value == Make(2)) << first_steps << ' ' << second_steps;
      } else {
        ASSERT_EQ(value, Make(0));
      }
      ASSERT_EQ(lock.Load(), Make(2));
      loaded += ok;
      refused += !ok;
    };
    Seqlock<Value> lock;
    Value value{};
    const Value stored = Make(2);
    const int64_t load_length = Interleaver::CountSteps([&] { (void)lock.TryLoad(&value); });
    const int64_t store_length = Interleaver::CountSteps([&] { lock.StoreRt(stored); });
    ForStepPairs(reader_first ? load_length : store_length,
                 reader_first ? store_length : load_length, round);
    EXPECT_GT(loaded, 0);
    EXPECT_GT(refused, 0);
  }
};

TEST_F(SeqlockInterleavingTest, ReaderOvertakenAnywhereIsRefused) { Run(/*reader_first=*/true); }

TEST_F(SeqlockInterleavingTest, ReaderThatComesUponAStoreIsRefused) { Run(/*reader_first=*/false); }

}  // namespace
}  // namespace rtmixd
