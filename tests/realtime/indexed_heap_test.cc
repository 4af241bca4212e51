#include "server/realtime/indexed_heap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace rtmixd {
namespace {

struct Entry {
  int64_t key = 0;
  int id = 0;
  int32_t index = -1;
};

struct EarlierKey {
  bool operator()(const Entry* a, const Entry* b) const {
    if (comparisons != nullptr) ++*comparisons;
    return std::pair(a->key, a->id) < std::pair(b->key, b->id);
  }
  int64_t* comparisons = nullptr;
};

struct KeepIndex {
  void operator()(Entry* entry, int32_t index) const { entry->index = index; }
};

using Heap = IndexedHeap<Entry*, EarlierKey, KeepIndex>;

std::vector<Entry> MakeEntries(int count) {
  std::vector<Entry> entries(count);
  for (int i = 0; i < count; ++i) entries[i].id = i;
  return entries;
}

TEST(IndexedHeapTest, NewHeapIsEmpty) {
  const Heap heap(3);
  EXPECT_TRUE(heap.empty());
  EXPECT_EQ(heap.size(), 0);
  EXPECT_EQ(heap.capacity(), 3);
}

TEST(IndexedHeapTest, PopsInOrder) {
  Heap heap(5);
  std::vector<Entry> entries = MakeEntries(5);
  const int64_t keys[] = {30, 10, 50, 10, 20};
  for (int i = 0; i < 5; ++i) {
    entries[i].key = keys[i];
    ASSERT_TRUE(heap.Push(&entries[i]));
  }
  for (const int id : {1, 3, 4, 0, 2}) {
    EXPECT_EQ(heap.Top()->id, id);
    EXPECT_EQ(heap.Pop()->id, id);
    EXPECT_EQ(entries[id].index, Heap::kNoIndex);
  }
  EXPECT_TRUE(heap.empty());
}

TEST(IndexedHeapTest, FullHeapRefusesAndKeepsWhatItHas) {
  Heap heap(2);
  std::vector<Entry> entries = MakeEntries(3);
  ASSERT_TRUE(heap.Push(&entries[2]));
  ASSERT_TRUE(heap.Push(&entries[1]));
  EXPECT_FALSE(heap.Push(&entries[0]));
  EXPECT_EQ(entries[0].index, -1);
  EXPECT_EQ(heap.Pop(), &entries[1]);
  EXPECT_TRUE(heap.Push(&entries[0]));
  EXPECT_EQ(heap.Pop(), &entries[0]);
  EXPECT_EQ(heap.Pop(), &entries[2]);
}

TEST(IndexedHeapTest, UpdateMovesAnEntryEitherWay) {
  Heap heap(10);
  std::vector<Entry> entries = MakeEntries(10);
  for (Entry& entry : entries) {
    entry.key = entry.id * 10;
    ASSERT_TRUE(heap.Push(&entry));
  }
  entries[7].key = -1;
  heap.Update(entries[7].index);
  EXPECT_EQ(heap.Top(), &entries[7]);
  entries[7].key = 1000;
  heap.Update(entries[7].index);
  EXPECT_EQ(heap.Top(), &entries[0]);
  for (const int id : {0, 1, 2, 3, 4, 5, 6, 8, 9, 7}) EXPECT_EQ(heap.Pop()->id, id);
}

// The last element takes the place of the removed one and must rise there: 90's place is under 80,
// while the last, 30, comes from under 20.
TEST(IndexedHeapTest, RemoveLetsTheReplacementRise) {
  Heap heap(10);
  std::vector<Entry> entries = MakeEntries(10);
  const int64_t keys[] = {10, 80, 20, 21, 22, 90, 91, 92, 93, 30};
  for (int i = 0; i < 10; ++i) {
    entries[i].key = keys[i];
    ASSERT_TRUE(heap.Push(&entries[i]));
  }
  EXPECT_EQ(heap.Remove(entries[5].index), &entries[5]);
  EXPECT_EQ(entries[5].index, Heap::kNoIndex);
  for (const int64_t key : {10, 20, 21, 22, 30, 80, 91, 92, 93}) EXPECT_EQ(heap.Pop()->key, key);
}

TEST(IndexedHeapTest, RandomOperationsAgreeWithASortedSet) {
  constexpr int kEntries = 200;
  constexpr int kCapacity = 150;
  std::mt19937 random(7);
  Heap heap(kCapacity);
  std::vector<Entry> entries = MakeEntries(kEntries);
  std::set<std::pair<int64_t, int>> reference;
  for (int step = 0; step < 200'000; ++step) {
    Entry& entry = entries[random() % kEntries];
    const bool inside = entry.index != Heap::kNoIndex;
    switch (random() % 5) {
      case 0:
      case 1:
        if (inside) break;
        entry.key = static_cast<int64_t>(random() % 1000);
        if (heap.Push(&entry)) {
          reference.emplace(entry.key, entry.id);
        } else {
          ASSERT_EQ(reference.size(), kCapacity);
        }
        break;
      case 2:
        if (!inside) break;
        reference.erase({entry.key, entry.id});
        ASSERT_EQ(heap.Remove(entry.index), &entry);
        break;
      case 3:
        if (!inside) break;
        reference.erase({entry.key, entry.id});
        entry.key = static_cast<int64_t>(random() % 1000);
        reference.emplace(entry.key, entry.id);
        heap.Update(entry.index);
        break;
      case 4:
        if (heap.empty() || random() % 2 == 0) break;
        ASSERT_EQ(heap.Pop()->id, reference.begin()->second);
        reference.erase(reference.begin());
        break;
      default:
        break;
    }
    ASSERT_EQ(heap.size(), static_cast<int32_t>(reference.size()));
    if (!heap.empty()) {
      ASSERT_EQ(heap.Top()->id, reference.begin()->second);
      ASSERT_EQ(heap.Top()->index, 0);
    }
  }
}

TEST(IndexedHeapTest, EveryOperationIsLogarithmic) {
  constexpr int kEntries = 1 << 16;
  // Down a heap of arity 4 with 2^16 elements: four comparisons on each of 8 levels, and one more
  // to choose the direction.
  constexpr int64_t kMostComparisons = 4 * 8 + 1;
  std::mt19937 random(7);
  int64_t comparisons = 0;
  int64_t most = 0;
  const auto note = [&] {
    most = std::max(most, comparisons);
    comparisons = 0;
  };
  Heap heap(kEntries, EarlierKey{&comparisons});
  std::vector<Entry> entries = MakeEntries(kEntries);
  for (Entry& entry : entries) {
    entry.key = -entry.id;  // each rises to the top
    ASSERT_TRUE(heap.Push(&entry));
    note();
  }
  for (Entry& entry : entries) {
    entry.key = random();
    heap.Update(entry.index);
    note();
  }
  for (int i = 0; i < kEntries; i += 2) {
    heap.Remove(entries[i].index);
    note();
  }
  while (!heap.empty()) {
    heap.Pop();
    note();
  }
  EXPECT_LE(most, kMostComparisons);
  EXPECT_GE(most, 16);
}

}  // namespace
}  // namespace rtmixd
