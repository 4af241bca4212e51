#include "server/control/session_registry.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

constexpr size_t kMaxLabelBytes = 200;
constexpr absl::Duration kMinTtl = absl::Seconds(1);

// 128 bits from the system's random source, in hexadecimal.
std::string NewToken() {
  std::array<char, 16> bytes{};
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
    if (got < 0 && errno != EINTR) std::abort();  // no secret can be had: nothing is safe
    if (got > 0) filled += static_cast<size_t>(got);
  }
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

absl::Status Broken(const std::string& session_id, const std::string& why) {
  return MakeError(absl::StatusCode::kUnauthenticated,
                   {.reason = ErrorReason::kSessionBroken, .value = session_id}, why);
}

std::string Fingerprint(const SessionSpec& spec) {
  return absl::StrCat(absl::FormatDuration(spec.ttl), " ", absl::FormatDuration(spec.max_lifetime),
                      " ", spec.exclusive, " ", spec.label);
}

}  // namespace

SessionRegistry::SessionRegistry(const Limits& limits, InstanceIds ids)
    : limits_(limits), ids_(std::move(ids)), requests_(limits.request_id_retention, kMaxAnswers) {}

absl::Status SessionRegistry::Expired(std::string_view token) const {
  return MakeError(absl::StatusCode::kUnauthenticated, {.reason = ErrorReason::kSessionExpired},
                   ids_.IsForeign(token)
                       ? "the session was one of an earlier run of the server, which was restarted"
                       : "the session has ended, or its token was never valid");
}

absl::Status SessionRegistry::CheckSpec(const SessionSpec& spec) const {
  if (spec.label.size() > kMaxLabelBytes) {
    return BadField("label", absl::StrCat(spec.label.size(), " bytes long"),
                    absl::StrCat("at most ", kMaxLabelBytes, " bytes"));
  }
  if (spec.ttl < kMinTtl || spec.ttl > limits_.max_session_ttl) {
    return BadField("ttl", absl::FormatDuration(spec.ttl),
                    absl::StrCat(absl::FormatDuration(kMinTtl), " to ",
                                 absl::FormatDuration(limits_.max_session_ttl)));
  }
  if (spec.max_lifetime <= absl::ZeroDuration()) {
    return BadField("max_lifetime", absl::FormatDuration(spec.max_lifetime), "more than 0");
  }
  return absl::OkStatus();
}

absl::StatusOr<SessionRegistry::Created> SessionRegistry::Create(const SessionSpec& spec,
                                                                 Moment now) {
  if (absl::Status status = CheckSpec(spec); !status.ok()) return status;
  auto begun = requests_.Begin("", spec.request_id, Fingerprint(spec), now.monotonic, nullptr);
  if (!begun.ok()) return begun.status();
  if (begun->answer.has_value()) {
    begun->answer->repeated = true;
    return *std::move(begun->answer);
  }
  absl::StatusOr<Created> created = Add(spec, now);
  // Nobody waits: a request is finished before the next begins.
  (void)requests_.Finish("", spec.request_id, created, now.monotonic);
  return created;
}

absl::StatusOr<SessionRegistry::Created> SessionRegistry::Add(const SessionSpec& spec, Moment now) {
  if (static_cast<int>(sessions_.size()) >= limits_.max_sessions) {
    return LimitExceeded("max_sessions", absl::StrCat(sessions_.size() + 1),
                         absl::StrCat(limits_.max_sessions));
  }
  const int64_t number = ++last_number_;
  Session& session = sessions_[number];
  session.number = number;
  session.session_id = ids_.Make('s', number);
  session.token = absl::StrCat(NewToken(), ids_.suffix());
  session.label = spec.label;
  session.state = spec.exclusive ? SessionState::kQueued : SessionState::kShared;
  session.ttl = spec.ttl;
  session.create_time = now.wall;
  session.end = now.monotonic + spec.max_lifetime;
  KeepAlive(&session, now);
  numbers_by_id_[session.session_id] = number;
  numbers_by_token_[session.token] = number;
  if (spec.exclusive) queue_.push_back(number);
  return Created{Info(session, now), session.token};
}

void SessionRegistry::KeepAlive(Session* session, Moment now) {
  session->expire = std::min({now.monotonic + session->ttl, session->end, session->exclusive_end});
}

absl::StatusOr<std::string> SessionRegistry::Authenticate(std::string_view token, Moment now) {
  if (token.empty()) {
    return MakeError(absl::StatusCode::kUnauthenticated, {.reason = ErrorReason::kSessionRequired},
                     "the call needs a session: its token belongs into the metadata key "
                     "rtmixd-session-token");
  }
  const auto found = numbers_by_token_.find(absl::string_view(token.data(), token.size()));
  if (found == numbers_by_token_.end()) {
    for (const BrokenSession& broken : broken_) {
      if (broken.token == token) return Broken(broken.session_id, broken.why);
    }
    return Expired(token);
  }
  Session& session = sessions_.at(found->second);
  if (session.expire <= now.monotonic) {
    return session.expire == session.exclusive_end
               ? Broken(session.session_id, ExclusiveForTooLong(session))
               : Expired();
  }
  KeepAlive(&session, now);
  return session.session_id;
}

void SessionRegistry::Touch(const std::string& session_id, Moment now) {
  const auto found = numbers_by_id_.find(session_id);
  if (found == numbers_by_id_.end()) return;
  Session& session = sessions_.at(found->second);
  if (session.expire <= now.monotonic) return;
  const absl::Duration lives = std::max(session.ttl - kDeadConnection, kCallGrace);
  session.expire = std::max(session.expire, std::min(now.monotonic + lives, session.end));
}

const SessionRegistry::Session* SessionRegistry::Find(const std::string& session_id) const {
  const auto found = numbers_by_id_.find(session_id);
  return found == numbers_by_id_.end() ? nullptr : &sessions_.at(found->second);
}

SessionInfo SessionRegistry::Info(const Session& session, Moment now) const {
  const auto waiting = std::find(queue_.begin(), queue_.end(), session.number);
  return {
      .session_id = session.session_id,
      .label = session.label,
      .state = session.state,
      .ttl = session.ttl,
      .create_time = session.create_time,
      .expire_time = now.wall + (session.expire - now.monotonic),
      .end_time = now.wall + (std::min(session.end, session.exclusive_end) - now.monotonic),
      .queue_position = waiting == queue_.end() ? 0 : static_cast<int>(waiting - queue_.begin())};
}

absl::StatusOr<SessionInfo> SessionRegistry::Get(const std::string& session_id, Moment now) const {
  const Session* const session = Find(session_id);
  if (session == nullptr) return ids_.NotFound("session_id", session_id, "session");
  return Info(*session, now);
}

std::vector<SessionInfo> SessionRegistry::List(Moment now) const {
  std::vector<SessionInfo> infos;
  infos.reserve(sessions_.size());
  for (const auto& [number, session] : sessions_) infos.push_back(Info(session, now));
  return infos;
}

std::string SessionRegistry::Label(const std::string& session_id) const {
  const Session* const session = Find(session_id);
  return session == nullptr ? "" : session->label;
}

SessionInfo SessionRegistry::Remove(const Session& session, Moment now) {
  SessionInfo info = Info(session, now);
  info.state = SessionState::kEnded;
  info.queue_position = 0;
  if (exclusive_ == session.session_id) exclusive_.clear();
  std::erase(queue_, session.number);
  numbers_by_id_.erase(session.session_id);
  numbers_by_token_.erase(session.token);
  sessions_.erase(session.number);
  return info;
}

absl::StatusOr<SessionInfo> SessionRegistry::End(const std::string& session_id, Moment now) {
  const Session* const session = Find(session_id);
  if (session == nullptr) return ids_.NotFound("session_id", session_id, "session");
  return Remove(*session, now);
}

absl::StatusOr<SessionInfo> SessionRegistry::Break(const std::string& session_id,
                                                   const std::string& reason, Moment now) {
  if (reason.size() > kMaxLabelBytes) {
    return BadField("reason", absl::StrCat(reason.size(), " bytes long"),
                    absl::StrCat("at most ", kMaxLabelBytes, " bytes"));
  }
  const Session* const session = Find(session_id);
  if (session == nullptr) return NotFound("session_id", session_id, "session");
  RememberBroken(*session, absl::StrCat("session ", session_id, " was ended by an administrator",
                                        reason.empty() ? "" : ": ", reason));
  return Remove(*session, now);
}

std::string SessionRegistry::ExclusiveForTooLong(const Session& session) const {
  return absl::StrCat("session ", session.session_id,
                      " was ended: it had the server for itself for ",
                      absl::FormatDuration(limits_.max_exclusive),
                      ", the longest that this server allows (max_exclusive)");
}

void SessionRegistry::RememberBroken(const Session& session, const std::string& why) {
  if (broken_.size() == kMaxBroken) broken_.pop_front();
  broken_.push_back({.session_id = session.session_id, .token = session.token, .why = why});
}

std::string SessionRegistry::WhyBroken(const std::string& session_id) const {
  for (const BrokenSession& broken : broken_) {
    if (broken.session_id == session_id) return broken.why;
  }
  return "";
}

absl::Status SessionRegistry::CheckExists(const std::string& session_id) const {
  if (Exists(session_id)) return absl::OkStatus();
  const std::string why = WhyBroken(session_id);
  return why.empty() ? Expired() : Broken(session_id, why);
}

std::vector<SessionInfo> SessionRegistry::TakeExpired(Moment now) {
  std::vector<const Session*> expired;
  for (const auto& [number, session] : sessions_) {
    if (session.expire <= now.monotonic) expired.push_back(&session);
  }
  std::stable_sort(expired.begin(), expired.end(),
                   [](const Session* a, const Session* b) { return a->expire < b->expire; });
  std::vector<SessionInfo> infos;
  infos.reserve(expired.size());
  for (const Session* session : expired) {
    if (session->expire == session->exclusive_end) {
      RememberBroken(*session, ExclusiveForTooLong(*session));
    }
    infos.push_back(Remove(*session, now));
  }
  return infos;
}

absl::Duration SessionRegistry::NextExpiry() const {
  absl::Duration next = absl::InfiniteDuration();
  for (const auto& [number, session] : sessions_) next = std::min(next, session.expire);
  return next;
}

std::string SessionRegistry::GrantNext(
    absl::FunctionRef<bool(const std::string& session_id)> is_busy, Moment now) {
  if (!exclusive_.empty() || queue_.empty()) return "";
  const int64_t number = queue_.front();
  for (const auto& [other, session] : sessions_) {
    if (other != number && is_busy(session.session_id)) return "";
  }
  queue_.pop_front();
  Session& session = sessions_.at(number);
  session.state = SessionState::kExclusive;
  session.exclusive_end = now.monotonic + limits_.max_exclusive;
  session.expire = std::min(session.expire, session.exclusive_end);
  exclusive_ = session.session_id;
  return exclusive_;
}

absl::Status SessionRegistry::CheckMayWork(const std::string& session_id) const {
  if (absl::Status status = CheckExists(session_id); !status.ok()) return status;
  const Session* const session = Find(session_id);
  if (!exclusive_.empty() && exclusive_ != session_id) {
    const std::string holder = Label(exclusive_);
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        {.reason = ErrorReason::kBusy, .holder_label = holder},
        absl::StrCat("session ", exclusive_, " (", holder, ") has the server for itself"));
  }
  if (session->state == SessionState::kQueued) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.reason = ErrorReason::kWrongState,
                      .field = "session_id",
                      .value = session_id,
                      .limit = "exclusive"},
                     absl::StrCat("session ", session_id,
                                  " waits to be exclusive; until then it may only look"));
  }
  return absl::OkStatus();
}

}  // namespace rtmixd
