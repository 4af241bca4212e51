#include "server/realtime/seqlock.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace rtmixd {
namespace {

// Every word tells the number, so that a mix of two values shows.
struct Numbered {
  std::array<uint64_t, 9> words{};
};

Numbered Make(uint64_t number) {
  Numbered value;
  for (std::size_t i = 0; i < value.words.size(); ++i) value.words[i] = number * (i + 1);
  return value;
}

bool IsWhole(const Numbered& value) { return value.words == Make(value.words[0]).words; }

TEST(SeqlockTest, StartsWithTheInitialValue) {
  EXPECT_EQ(Seqlock<int>().Load(), 0);
  EXPECT_EQ(Seqlock<int>(5).Load(), 5);
}

TEST(SeqlockTest, LoadGivesTheLastStored) {
  Seqlock<Numbered> lock;
  for (uint64_t number = 1; number < 5; ++number) {
    lock.StoreRt(Make(number));
    EXPECT_EQ(lock.Load().words, Make(number).words);
    Numbered value;
    ASSERT_TRUE(lock.TryLoad(&value));
    EXPECT_EQ(value.words, Make(number).words);
  }
}

TEST(SeqlockTest, SizesThatAreNoMultipleOfAWordAreKeptWhole) {
  struct Odd {
    char text[13];
  };
  Seqlock<Odd> lock;
  lock.StoreRt(Odd{"twelve chars"});
  EXPECT_STREQ(lock.Load().text, "twelve chars");
}

TEST(SeqlockTest, ReadersNeverSeeTornOrOlderValues) {
  constexpr uint64_t kCount = 400'000;
  Seqlock<Numbered> lock;
  struct Tally {
    int64_t loads = 0;
    int64_t torn = 0;
    int64_t backward = 0;
    int64_t touched = 0;  // failed TryLoads that changed their output
  };
  std::array<Tally, 2> tallies;
  std::vector<std::thread> readers;
  for (Tally& tally : tallies) {
    readers.emplace_back([&lock, &tally] {
      uint64_t last = 0;
      while (last < kCount) {
        Numbered value = Make(kCount + 1);
        if (!lock.TryLoad(&value)) {
          tally.touched += value.words[0] != kCount + 1;
          value = lock.Load();
        }
        ++tally.loads;
        tally.torn += !IsWhole(value);
        tally.backward += value.words[0] < last;
        last = value.words[0];
      }
    });
  }
  for (uint64_t number = 1; number <= kCount; ++number) lock.StoreRt(Make(number));
  for (std::thread& reader : readers) reader.join();
  for (const Tally& tally : tallies) {
    EXPECT_GT(tally.loads, 0);
    EXPECT_EQ(tally.torn, 0);
    EXPECT_EQ(tally.backward, 0);
    EXPECT_EQ(tally.touched, 0);
  }
  EXPECT_EQ(lock.Load().words[0], kCount);
}

}  // namespace
}  // namespace rtmixd
