#ifndef RTMIXD_SERVER_CONTROL_EVENT_LOG_H_
#define RTMIXD_SERVER_CONTROL_EVENT_LOG_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "server/control/change_signal.h"
#include "server/control/types.h"

namespace rtmixd {

// What happened on this server, in order, numbered from 1 without gaps. Bounded: the oldest events
// are forgotten first, and whoever wanted them is told how many they were.
//
// Threading: thread-safe; may be called under the engine's mutex. Its lock is a leaf. Watchers are
// called by NotifyWatchers only.
class EventLog {
 public:
  // Retains the latest `capacity` (> 0) events.
  explicit EventLog(int64_t capacity);
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // Gives `entry` its sequence number and keeps it; returns the number.
  int64_t Append(LogEntry entry);

  // Events from `from_sequence` on (0: the oldest retained) of the given kinds (none: all), at most
  // `max_entries`. The page's next_sequence goes past those of other kinds. missed: how many from
  // `from_sequence` on are forgotten, of any kind. From a number yet to come: nothing, and the same
  // number again.
  EventPage Read(int64_t from_sequence, const std::vector<EventKind>& kinds, int max_entries) const;
  // The number that the next event will have.
  int64_t next_sequence() const;

  // `on_change` comes after events were added, until the subscription is destroyed.
  [[nodiscard]] std::unique_ptr<ChangeSignal::Subscription> Watch(ChangeCallback on_change);
  // Calls the watchers if events were added since the last time. Call it with no lock held.
  void NotifyWatchers();

 private:
  const int64_t capacity_;
  mutable Mutex mutex_;
  std::deque<LogEntry> entries_ ABSL_GUARDED_BY(mutex_);
  int64_t next_sequence_ ABSL_GUARDED_BY(mutex_) = 1;
  std::atomic<bool> changed_{false};
  ChangeSignal signal_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_EVENT_LOG_H_
