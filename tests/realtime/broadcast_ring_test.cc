#include "server/realtime/broadcast_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

namespace rtmixd {
namespace {

// Every word tells the position, so that a mix of two values shows.
struct Record {
  std::array<uint64_t, 64> words;  // long enough to be overtaken in the midst of it
};

uint64_t WordAt(int64_t position, std::size_t i) {
  return (static_cast<uint64_t>(position) + 1) * 0x9e3779b97f4a7c15u + i;
}

Record RecordAt(int64_t position) {
  Record record{};
  for (std::size_t i = 0; i < record.words.size(); ++i) record.words[i] = WordAt(position, i);
  return record;
}

using Ring = BroadcastRing<Record>;
using Result = Ring::ReadResult;

TEST(BroadcastRingTest, EmptyRingHasNothingYet) {
  const Ring ring(4);
  Record record = RecordAt(7);
  EXPECT_EQ(ring.capacity(), 4);
  EXPECT_EQ(ring.begin_position(), 0);
  EXPECT_EQ(ring.end_position(), 0);
  EXPECT_EQ(ring.Read(0, &record), Result::kNotYet);
  EXPECT_EQ(ring.Read(1000, &record), Result::kNotYet);
  EXPECT_EQ(record.words, RecordAt(7).words) << "must be left alone";
}

TEST(BroadcastRingTest, NegativePositionIsOverwritten) {
  Ring ring(4);
  Record record{};
  EXPECT_EQ(ring.Read(-1, &record), Result::kOverwritten);
  ring.PushRt(RecordAt(0));
  EXPECT_EQ(ring.Read(-1, &record), Result::kOverwritten);
}

TEST(BroadcastRingTest, KeepsTheLastCapacityValuesAtTheirPositions) {
  Ring ring(4);
  for (int64_t pushed = 1; pushed <= 11; ++pushed) {
    ring.PushRt(RecordAt(pushed - 1));
    ASSERT_EQ(ring.end_position(), pushed);
    ASSERT_EQ(ring.begin_position(), pushed > 4 ? pushed - 4 : 0);
    for (int64_t position = 0; position <= pushed; ++position) {
      Record record = RecordAt(-100);
      const Result result = ring.Read(position, &record);
      if (position == pushed) {
        ASSERT_EQ(result, Result::kNotYet);
      } else if (position < pushed - 4) {
        ASSERT_EQ(result, Result::kOverwritten);
      } else {
        ASSERT_EQ(result, Result::kOk);
      }
      ASSERT_EQ(record.words, RecordAt(result == Result::kOk ? position : -100).words);
    }
  }
}

TEST(BroadcastRingTest, SmallTypesFillAWord) {
  struct Small {
    int32_t a;
    int8_t b;
  };
  BroadcastRing<Small> ring(1);
  ring.PushRt({.a = -5, .b = 9});
  Small small{};
  ASSERT_EQ(ring.Read(0, &small), BroadcastRing<Small>::ReadResult::kOk);
  EXPECT_EQ(small.a, -5);
  EXPECT_EQ(small.b, 9);
}

struct ReaderTally {
  int64_t read = 0;
  int64_t lost = 0;
  int64_t wrong = 0;  // words that are not those of the position, or a result that cannot be
};

// Reads from position 0 until `count` values have been read or lost.
ReaderTally ReadAll(const Ring& ring, int64_t count, std::atomic<int64_t>* progress) {
  ReaderTally tally;
  int64_t position = 0;
  while (position < count) {
    Record record{};
    const int64_t end_before = ring.end_position();
    switch (ring.Read(position, &record)) {
      case Result::kOk:
        for (std::size_t i = 0; i < record.words.size(); ++i) {
          tally.wrong += record.words[i] != WordAt(position, i);
        }
        ++tally.read;
        ++position;
        break;
      case Result::kNotYet:
        tally.wrong += end_before > position;
        std::this_thread::yield();
        break;
      case Result::kOverwritten: {
        const int64_t begin = ring.begin_position();
        tally.wrong += begin <= position;
        tally.lost += begin - position;
        position = begin;
        break;
      }
    }
    progress->store(position, std::memory_order_relaxed);
  }
  return tally;
}

TEST(BroadcastRingTest, OvertakenReadersAreToldOfEveryValueTheyLost) {
  constexpr int64_t kCount = 300'000;
  constexpr int kReaders = 2;
  Ring ring(2);  // so small that the writer is always near a reader
  std::array<ReaderTally, kReaders> tallies;
  std::array<std::atomic<int64_t>, kReaders> progress{};
  std::vector<std::thread> readers;
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&, r] { tallies[r] = ReadAll(ring, kCount, &progress[r]); });
  }
  std::mt19937 random(1);
  for (int64_t position = 0; position < kCount; ++position) {
    const Record record = RecordAt(position);
    // A pause now and then, else readers find the ring being overwritten whenever they look.
    for (uint32_t i = random() % 256; i > 0; --i) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    ring.PushRt(record);
  }
  for (std::thread& reader : readers) reader.join();
  for (const ReaderTally& tally : tallies) {
    EXPECT_EQ(tally.wrong, 0);
    EXPECT_EQ(tally.read + tally.lost, kCount);
    EXPECT_GE(tally.read, 1) << "the last values stay";
  }
}

TEST(BroadcastRingTest, ReadersThatKeepUpLoseNothing) {
  constexpr int64_t kCount = 50'000;
  constexpr int kReaders = 2;
  Ring ring(8);
  std::array<ReaderTally, kReaders> tallies;
  std::array<std::atomic<int64_t>, kReaders> progress{};
  std::vector<std::thread> readers;
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&, r] { tallies[r] = ReadAll(ring, kCount, &progress[r]); });
  }
  for (int64_t position = 0; position < kCount; ++position) {
    for (const auto& reached : progress) {
      while (position - reached.load(std::memory_order_relaxed) >= ring.capacity()) {
        std::this_thread::yield();
      }
    }
    ring.PushRt(RecordAt(position));
  }
  for (std::thread& reader : readers) reader.join();
  for (const ReaderTally& tally : tallies) {
    EXPECT_EQ(tally.wrong, 0);
    EXPECT_EQ(tally.read, kCount);
    EXPECT_EQ(tally.lost, 0);
  }
}

// What the writer wrote elsewhere before a push is the reader's after it saw the push.
TEST(BroadcastRingTest, EndPositionPublishesWhatCameBefore) {
  constexpr int64_t kCount = 20'000;
  BroadcastRing<int64_t> ring(2);
  std::vector<int64_t> plain(kCount,
                             -1);  // no atomics: tsan objects if the ring does not order them
  std::thread reader([&] {
    for (int64_t position = 0; position < kCount; ++position) {
      while (ring.end_position() <= position) std::this_thread::yield();
      ASSERT_EQ(plain[position], position);
    }
  });
  for (int64_t position = 0; position < kCount; ++position) {
    plain[position] = position;
    ring.PushRt(position);
  }
  reader.join();
}

}  // namespace
}  // namespace rtmixd
