#include "server/realtime/spsc_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

namespace rtmixd {
namespace {

struct Item {
  int64_t number;
  std::array<int64_t, 4> copies;  // of the number, so that a mix of two items shows
};

Item Make(int64_t number) { return {number, {number, number, number, number}}; }

bool IsWhole(const Item& item) {
  return item.copies == std::array<int64_t, 4>{item.number, item.number, item.number, item.number};
}

TEST(SpscQueueTest, CapacityIsRoundedUpToAPowerOfTwo) {
  EXPECT_EQ(SpscQueue<int>(1).capacity(), 1);
  EXPECT_EQ(SpscQueue<int>(2).capacity(), 2);
  EXPECT_EQ(SpscQueue<int>(3).capacity(), 4);
  EXPECT_EQ(SpscQueue<int>(4096).capacity(), 4096);
  EXPECT_EQ(SpscQueue<int>(4097).capacity(), 8192);
}

TEST(SpscQueueTest, EmptyQueueGivesNothingAndLeavesTheOutputAlone) {
  SpscQueue<int> queue(4);
  int item = 17;
  EXPECT_FALSE(queue.TryPop(&item));
  EXPECT_EQ(item, 17);
  EXPECT_EQ(queue.size_approx(), 0);
}

TEST(SpscQueueTest, FullQueueRefusesAndKeepsWhatItHas) {
  SpscQueue<int> queue(4);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(queue.TryPush(i));
  EXPECT_FALSE(queue.TryPush(99));
  EXPECT_EQ(queue.size_approx(), 4);
  int item = -1;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(queue.TryPop(&item));
    EXPECT_EQ(item, i);
  }
  EXPECT_FALSE(queue.TryPop(&item));
}

TEST(SpscQueueTest, EachPopMakesRoomForOnePush) {
  SpscQueue<int> queue(2);
  ASSERT_TRUE(queue.TryPush(0));
  ASSERT_TRUE(queue.TryPush(1));
  for (int i = 2; i < 20; ++i) {
    int item = -1;
    ASSERT_FALSE(queue.TryPush(i));
    ASSERT_TRUE(queue.TryPop(&item));
    ASSERT_EQ(item, i - 2);
    ASSERT_TRUE(queue.TryPush(i));
    ASSERT_EQ(queue.size_approx(), 2);
  }
}

TEST(SpscQueueTest, ItemsArriveWholeInOrderAndOnce) {
  constexpr int64_t kCount = 300'000;
  SpscQueue<Item> queue(4);
  std::atomic<bool> done{false};
  std::thread producer([&] {
    for (int64_t number = 0; number < kCount; ++number) {
      while (!queue.TryPush(Make(number))) std::this_thread::yield();
      const int64_t size = queue.size_approx();
      EXPECT_TRUE(size >= 0 && size <= 4) << size;
    }
  });
  std::thread onlooker([&] {
    while (!done.load()) {
      const int64_t size = queue.size_approx();
      EXPECT_TRUE(size >= 0 && size <= 4) << size;
      std::this_thread::yield();
    }
  });
  int64_t wrong = 0;
  for (int64_t number = 0; number < kCount; ++number) {
    const int64_t size = queue.size_approx();
    Item item{};
    if (size > 0) {
      wrong += !queue.TryPop(&item);  // what the consumer saw waiting must be there
    } else {
      while (!queue.TryPop(&item)) std::this_thread::yield();
    }
    wrong += item.number != number || !IsWhole(item);
  }
  Item item{};
  EXPECT_FALSE(queue.TryPop(&item));
  producer.join();
  done.store(true);
  onlooker.join();
  EXPECT_EQ(wrong, 0);
}

// A pointer sent through the queue hands over what it points to.
TEST(SpscQueueTest, PopPublishesWhatCameBeforeThePush) {
  constexpr int kCount = 50'000;
  SpscQueue<int*> there(8);
  SpscQueue<int*> back(8);
  std::thread worker([&] {
    for (int i = 0; i < kCount; ++i) {
      int* cell = nullptr;
      while (!there.TryPop(&cell)) std::this_thread::yield();
      *cell = -*cell;
      while (!back.TryPush(cell)) std::this_thread::yield();
    }
  });
  std::array<int, 2> cells{};
  for (int i = 0; i < kCount; ++i) {
    int* const sent = &cells[i % 2];
    *sent = i;
    while (!there.TryPush(sent)) std::this_thread::yield();
    int* cell = nullptr;
    while (!back.TryPop(&cell)) std::this_thread::yield();
    ASSERT_EQ(cell, sent);
    ASSERT_EQ(*cell, -i);
  }
  worker.join();
}

}  // namespace
}  // namespace rtmixd
