#ifndef RTMIXD_CLIENT_CPP_ENSEMBLE_H_
#define RTMIXD_CLIENT_CPP_ENSEMBLE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/action.pb.h"

namespace rtmixd::client {

// What one server of an ensemble did.
struct EnsemblePart {
  std::string target = {};
  absl::Status status = {};  // why it refused, or how it was lost: the first error
  std::string batch_id = {};
  // In the order of its request; empty if it was refused. Of a server that was lost, as they were.
  std::vector<v1::ActionReport> reports = {};

  // When its first action that started was at the converter, by the clock of its host.
  std::optional<absl::Time> StartWallTime() const;
  // It is certain that nothing of it sounded or will.
  bool Silent() const;
};

// What all did: one report for all, in the order of the members.
struct EnsembleReport {
  std::vector<EnsemblePart> parts;

  // It is certain that nothing sounded anywhere, or will.
  bool Silent() const;
  // The servers that were lost, so that it is not known what they did.
  std::vector<std::string> InDoubt() const;
  // From the first start to the last, each by the clock of its host; absent unless all started.
  std::optional<absl::Duration> Spread() const;
};

// Sessions of several servers that do something at the same moment of the wall clock, or not at
// all: it is prepared on all, then committed on all. If one refuses or cannot be reached, what was
// prepared elsewhere is cancelled, and nothing sounds anywhere. Of a server that is lost while it
// is told to commit nobody can know whether it heard that: then the others are cancelled, and the
// report names it in doubt.
//
// Threading: one thread at a time; each call talks to all servers at once, in threads of its own.
class Ensemble {
 public:
  // A server's session, and what it is to do: a request without origin, request_id and prepare.
  struct Member {
    std::shared_ptr<Session> session;
    v1::ScheduleActionsRequest request;
  };

  explicit Ensemble(std::vector<Member> members);
  Ensemble(const Ensemble&) = delete;
  Ensemble& operator=(const Ensemble&) = delete;
  // Cancels what was prepared and not committed.
  ~Ensemble();

  // Has all that is needed ready on all servers. `moment` is far enough ahead for sounds to travel
  // and for two round trips. On an error nothing sounds: what could not be cancelled ends by
  // itself. FAILED_PRECONDITION if that was done before.
  absl::Status Prepare(absl::Time moment);
  // Lets all start. On an error the others were cancelled; Report says whether all is silent.
  absl::Status Commit();
  // Waits until all has ended everywhere, at most `timeout`.
  EnsembleReport Wait(absl::Duration timeout);
  // Ends all of it everywhere, as far as the servers can be reached.
  EnsembleReport Cancel();
  // As it was told last.
  const EnsembleReport& report() const { return report_; }

 private:
  // Does it at once on all members, and keeps the first error of each. The first of all, if there
  // is one, with the name of its server.
  absl::Status OnAll(const std::function<absl::Status(const Member&, EnsemblePart&)>& act);
  static std::vector<std::string> ActionIds(const EnsemblePart& part);

  std::vector<Member> members_;
  EnsembleReport report_;
  bool prepared_ = false;
  bool committed_ = false;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_ENSEMBLE_H_
