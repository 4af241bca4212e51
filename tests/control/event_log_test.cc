#include "server/control/event_log.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace rtmixd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

LogEntry Entry(EventKind kind, const std::string& text = "") {
  LogEntry entry;
  entry.kind = kind;
  entry.text = text;
  return entry;
}

std::vector<int64_t> Sequences(const EventPage& page) {
  std::vector<int64_t> sequences;
  for (const LogEntry& entry : page.entries) sequences.push_back(entry.sequence);
  return sequences;
}

// A log of notes numbered up to `count`.
void Fill(EventLog* log, int count) {
  for (int i = 0; i < count; ++i) log->Append(Entry(EventKind::kNote));
}

TEST(EventLogTest, EmptyLogHasNothing) {
  EventLog log(10);
  EXPECT_EQ(log.next_sequence(), 1);
  const EventPage page = log.Read(0, {}, 100);
  EXPECT_THAT(page.entries, IsEmpty());
  EXPECT_EQ(page.next_sequence, 1);
  EXPECT_EQ(page.missed, 0);
}

TEST(EventLogTest, EntriesAreNumberedFromOne) {
  EventLog log(10);
  EXPECT_EQ(log.Append(Entry(EventKind::kNote, "a")), 1);
  EXPECT_EQ(log.Append(Entry(EventKind::kXrun, "b")), 2);
  const EventPage page = log.Read(0, {}, 100);
  EXPECT_THAT(Sequences(page), ElementsAre(1, 2));
  EXPECT_EQ(page.entries[1].text, "b");
  EXPECT_EQ(page.entries[1].kind, EventKind::kXrun);
  EXPECT_EQ(page.next_sequence, 3);
  EXPECT_EQ(log.next_sequence(), 3);
}

TEST(EventLogTest, PagesFollowEachOther) {
  EventLog log(10);
  Fill(&log, 5);
  const EventPage first = log.Read(1, {}, 2);
  EXPECT_THAT(Sequences(first), ElementsAre(1, 2));
  const EventPage second = log.Read(first.next_sequence, {}, 2);
  EXPECT_THAT(Sequences(second), ElementsAre(3, 4));
  const EventPage third = log.Read(second.next_sequence, {}, 2);
  EXPECT_THAT(Sequences(third), ElementsAre(5));
  EXPECT_EQ(third.next_sequence, 6);
  EXPECT_THAT(log.Read(6, {}, 2).entries, IsEmpty());
}

TEST(EventLogTest, ForgottenEventsAreCounted) {
  EventLog log(4);
  Fill(&log, 10);
  const EventPage page = log.Read(3, {}, 100);
  EXPECT_THAT(Sequences(page), ElementsAre(7, 8, 9, 10));
  EXPECT_EQ(page.missed, 4);  // 3, 4, 5, 6
  EXPECT_EQ(log.Read(7, {}, 100).missed, 0);
  // From the oldest on nothing is missed.
  EXPECT_THAT(Sequences(log.Read(0, {}, 1)), ElementsAre(7));
  EXPECT_EQ(log.Read(0, {}, 1).missed, 0);
}

TEST(EventLogTest, OtherKindsAreLeftOut) {
  EventLog log(100);
  for (int i = 0; i < 10; ++i) {
    log.Append(Entry(i % 2 == 0 ? EventKind::kXrun : EventKind::kClipped));
    log.Append(Entry(EventKind::kNote));
  }
  const EventPage page = log.Read(2, {EventKind::kXrun, EventKind::kClipped}, 3);
  EXPECT_THAT(Sequences(page), ElementsAre(3, 5, 7));
  EXPECT_EQ(page.next_sequence, 8);
  // The rest holds nothing of the kind, and need not be looked at again.
  const EventPage none = log.Read(1, {EventKind::kDeviceLost}, 3);
  EXPECT_THAT(none.entries, IsEmpty());
  EXPECT_EQ(none.next_sequence, 21);
}

TEST(EventLogTest, ReadingAheadGivesNothing) {
  EventLog log(10);
  Fill(&log, 2);
  const EventPage page = log.Read(50, {}, 10);
  EXPECT_THAT(page.entries, IsEmpty());
  EXPECT_EQ(page.next_sequence, 50);
  EXPECT_EQ(page.missed, 0);
}

TEST(EventLogTest, WatchersAreCalledForNewEventsOnly) {
  EventLog log(10);
  int calls = 0;
  auto watch = log.Watch([&] { ++calls; });
  log.NotifyWatchers();
  EXPECT_EQ(calls, 0);
  Fill(&log, 3);
  EXPECT_EQ(calls, 0);
  log.NotifyWatchers();
  log.NotifyWatchers();
  EXPECT_EQ(calls, 1);
  watch.reset();
  Fill(&log, 1);
  log.NotifyWatchers();
  EXPECT_EQ(calls, 1);
}

TEST(EventLogTest, FollowersGetEveryEventOnceOrAsMissed) {
  EventLog log(64);
  constexpr int64_t kEvents = 20000;
  std::vector<std::thread> followers;
  std::atomic<int64_t> wrong{0};
  for (int i = 0; i < 2; ++i) {
    followers.emplace_back([&] {
      int64_t next = 1;
      while (next <= kEvents) {
        const EventPage page = log.Read(next, {}, 10);
        next += page.missed;
        for (const LogEntry& entry : page.entries) wrong += entry.sequence != next++;
        wrong += page.next_sequence != next;
      }
    });
  }
  Fill(&log, kEvents);
  for (std::thread& follower : followers) follower.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace rtmixd
