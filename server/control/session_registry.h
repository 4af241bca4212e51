#ifndef RTMIXD_SERVER_CONTROL_SESSION_REGISTRY_H_
#define RTMIXD_SERVER_CONTROL_SESSION_REGISTRY_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/control/instance_ids.h"
#include "server/control/request_cache.h"
#include "server/control/types.h"

namespace rtmixd {

// One moment on both clocks. Time to live runs on the monotonic clock; the wall clock, which may be
// set, is only shown.
struct Moment {
  absl::Duration monotonic;  // since some fixed moment
  absl::Time wall;
};

// All sessions: who they are, until when they live, and whose turn it is to have the server for
// itself. What they own is kept elsewhere; the engine winds that up when a session goes.
//
// A session is exclusive, or waits for it, or shares the server. While one is exclusive, no other
// may make or schedule anything; one that waits may not either.
//
// Threading: thread-compatible (guarded by the engine's mutex).
class SessionRegistry {
 public:
  // Of the limits only those of sessions count.
  explicit SessionRegistry(const Limits& limits, InstanceIds ids = {});
  SessionRegistry(const SessionRegistry&) = delete;
  SessionRegistry& operator=(const SessionRegistry&) = delete;

  struct Created {
    SessionInfo info;
    std::string token;
    bool repeated = false;  // answered from memory: nothing new was made
  };
  // INVALID_ARGUMENT: label, ttl, max_lifetime, request_id. ALREADY_EXISTS (kRequestIdReused).
  // RESOURCE_EXHAUSTED: max_sessions. An exclusive session begins kQueued: see GrantNext.
  absl::StatusOr<Created> Create(const SessionSpec& spec, Moment now);

  // The id of the session with this token, which is a sign of life of it. UNAUTHENTICATED
  // (kSessionRequired) if the token is empty, (kSessionExpired) if nobody has it, (kSessionBroken)
  // if it was of a session that was ended before its time.
  absl::StatusOr<std::string> Authenticate(std::string_view token, Moment now);
  // A call of it is open. That is a sign of life from kDeadConnection ago at the latest, since a
  // connection may be dead for so long before it breaks. Say it again within kCallGrace; nothing
  // happens if there is no such session.
  void Touch(const std::string& session_id, Moment now);
  static constexpr absl::Duration kDeadConnection = absl::Seconds(2);
  static constexpr absl::Duration kCallGrace = absl::Milliseconds(500);

  // Without what the session owns: active_actions, buffers and buffer_bytes are 0. NOT_FOUND.
  absl::StatusOr<SessionInfo> Get(const std::string& session_id, Moment now) const;
  // Oldest first.
  std::vector<SessionInfo> List(Moment now) const;
  bool Exists(const std::string& session_id) const { return Find(session_id) != nullptr; }
  // UNAUTHENTICATED (kSessionExpired or kSessionBroken) if there is no such session.
  absl::Status CheckExists(const std::string& session_id) const;
  // Empty if there is no such session.
  std::string Label(const std::string& session_id) const;

  // Removes it; what it was, or NOT_FOUND.
  absl::StatusOr<SessionInfo> End(const std::string& session_id, Moment now);
  // The same on behalf of an administrator, who says why to its owner. INVALID_ARGUMENT if that is
  // too long.
  absl::StatusOr<SessionInfo> Break(const std::string& session_id, const std::string& reason,
                                    Moment now);
  // What is told to the owner of a session that was ended before its time, by Break or because it
  // was exclusive for max_exclusive; "" for any other, and when 1000 others were since.
  std::string WhyBroken(const std::string& session_id) const;
  // Removes those whose time is over; they are kEnded, in the order of their ends.
  std::vector<SessionInfo> TakeExpired(Moment now);
  // When TakeExpired has something to do, by the monotonic clock; InfiniteDuration if there are no
  // sessions.
  absl::Duration NextExpiry() const;

  // Makes the session that has waited longest exclusive if there is no exclusive one, and if
  // `is_busy` holds for no other session. Returns its id; empty if none was granted.
  std::string GrantNext(absl::FunctionRef<bool(const std::string& session_id)> is_busy, Moment now);
  // The exclusive session; empty if there is none.
  const std::string& exclusive_session_id() const { return exclusive_; }
  // Whether it may schedule or make things. UNAUTHENTICATED (kSessionExpired) if there is no such
  // session. FAILED_PRECONDITION (kBusy), with the label of the holder, if another is exclusive;
  // (kWrongState) if it waits for others to finish.
  absl::Status CheckMayWork(const std::string& session_id) const;

 private:
  struct Session {
    int64_t number = 0;
    std::string session_id;
    std::string token;
    std::string label;
    SessionState state = SessionState::kShared;
    absl::Duration ttl;
    absl::Time create_time;
    absl::Duration expire;  // by the monotonic clock, as is `end`
    absl::Duration end = absl::InfiniteDuration();
    absl::Duration exclusive_end = absl::InfiniteDuration();  // once it is exclusive
  };
  // Its token is kept so that its owner can be told, and only its owner.
  struct BrokenSession {
    std::string session_id;
    std::string token;
    std::string why;
  };
  static constexpr size_t kMaxBroken = 1000;

  // Answers to CreateSession kept for repeated requests.
  static constexpr int kMaxAnswers = 10000;

  absl::Status CheckSpec(const SessionSpec& spec) const;
  absl::StatusOr<Created> Add(const SessionSpec& spec, Moment now);
  const Session* Find(const std::string& session_id) const;
  SessionInfo Info(const Session& session, Moment now) const;
  static void KeepAlive(Session* session, Moment now);
  SessionInfo Remove(const Session& session, Moment now);
  std::string ExclusiveForTooLong(const Session& session) const;
  void RememberBroken(const Session& session, const std::string& why);

  absl::Status Expired(std::string_view token = {}) const;

  const Limits limits_;
  const InstanceIds ids_;
  RequestCache<Created> requests_;
  int64_t last_number_ = 0;
  std::map<int64_t, Session> sessions_;  // by number: in order of creation
  absl::flat_hash_map<std::string, int64_t> numbers_by_id_;
  // The hash is salted per process, so that the time of a look-up tells nothing about tokens.
  absl::flat_hash_map<std::string, int64_t> numbers_by_token_;
  std::deque<int64_t> queue_;  // waiting to be exclusive, longest first
  std::string exclusive_;
  std::deque<BrokenSession> broken_;  // the latest last
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_SESSION_REGISTRY_H_
