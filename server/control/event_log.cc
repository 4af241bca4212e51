#include "server/control/event_log.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace rtmixd {

EventLog::EventLog(int64_t capacity) : capacity_(capacity) {}

int64_t EventLog::Append(LogEntry entry) {
  MutexLock lock(&mutex_);
  const int64_t sequence = next_sequence_++;
  entry.sequence = sequence;
  entries_.push_back(std::move(entry));
  if (static_cast<int64_t>(entries_.size()) > capacity_) entries_.pop_front();
  // Release, with the acquire in NotifyWatchers: whom that calls sees the entry.
  changed_.store(true, std::memory_order_release);
  return sequence;
}

EventPage EventLog::Read(int64_t from_sequence, const std::vector<EventKind>& kinds,
                         int max_entries) const {
  MutexLock lock(&mutex_);
  const int64_t oldest = next_sequence_ - static_cast<int64_t>(entries_.size());
  EventPage page;
  page.next_sequence = from_sequence <= 0 ? oldest : std::max(from_sequence, oldest);
  if (from_sequence > 0) page.missed = page.next_sequence - from_sequence;
  while (page.next_sequence < next_sequence_ &&
         static_cast<int>(page.entries.size()) < max_entries) {
    const LogEntry& entry = entries_[static_cast<size_t>(page.next_sequence - oldest)];
    ++page.next_sequence;
    if (kinds.empty() || std::find(kinds.begin(), kinds.end(), entry.kind) != kinds.end()) {
      page.entries.push_back(entry);
    }
  }
  return page;
}

int64_t EventLog::next_sequence() const {
  MutexLock lock(&mutex_);
  return next_sequence_;
}

std::unique_ptr<ChangeSignal::Subscription> EventLog::Watch(ChangeCallback on_change) {
  return signal_.Subscribe(std::move(on_change));
}

void EventLog::NotifyWatchers() {
  if (changed_.exchange(false, std::memory_order_acquire)) signal_.Notify();
}

}  // namespace rtmixd
