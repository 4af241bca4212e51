#ifndef RTMIXD_TESTS_FUZZ_ACTION_LEDGER_H_
#define RTMIXD_TESTS_FUZZ_ACTION_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/control/engine.h"

namespace rtmixd {

// What has become of every action that an engine has admitted, by its events: each is scheduled
// once, starts at most once, is done at most once, and ends once, in this order and for a reason.
// Whatever does not add up aborts.
//
// Threading: one thread.
class ActionLedger {
 public:
  // Takes in the events since the last call; not one of them may be lost.
  void ReadEvents(Engine* engine);

  // An answer named it as admitted.
  void CheckAdmitted(const std::string& action_id) const;
  // What a report says has to be what the events said, and to make sense.
  void CheckReport(const ActionReport& report) const;
  // That each session and the engine as a whole count as unfinished what has not ended, by the
  // events until now.
  void CheckCounts(Engine* engine);
  void CheckAllEnded() const;

  int64_t unfinished() const { return static_cast<int64_t>(open_.size()) - done_; }
  int64_t scheduled() const { return scheduled_; }
  const std::map<ActionEnd, int64_t>& ends() const { return ends_; }
  int64_t events() const { return next_sequence_ - 1; }

 private:
  struct Open {
    std::string session_id;
    bool started = false;
    bool done = false;
  };
  void Take(const LogEntry& entry);
  // N of an id "a-N.MARK"; absent if it is none of this engine's.
  std::optional<size_t> NumberOf(const std::string& action_id) const;

  int64_t next_sequence_ = 1;
  int64_t done_ = 0;                  // of those in open_
  std::map<std::string, Open> open_;  // whose reports are not final
  // Of all there ever were; a bit for each, since there may be millions.
  std::vector<bool> numbers_;  // whether an action has this number
  std::string mark_;           // which ids of this engine end with
  int64_t scheduled_ = 0;
  std::map<ActionEnd, int64_t> ends_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_FUZZ_ACTION_LEDGER_H_
