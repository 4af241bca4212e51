#ifndef RTMIXD_SERVER_CONTROL_REQUEST_CACHE_H_
#define RTMIXD_SERVER_CONTROL_REQUEST_CACHE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/error_info.h"

namespace rtmixd {

// Remembers the answers to requests by the ids that clients give them, so that a request that was
// sent again after a broken connection is not done again. Only success is remembered: what was
// refused did nothing, and may be tried again.
//
//   switch (cache.Begin(...).kind) {
//     kNew:      do it; later Finish(..., answer), and call what that returns
//     kAnswered: answer again
//     kWaiting:  somebody is at it; the callback will come
//   }
//
// Requests without an id are always new. A scope (a session's id) keeps the ids of clients apart.
//
// Threading: thread-compatible (guarded by the engine's mutex).
template <typename Answer>
class RequestCache {
 public:
  using Callback = std::function<void(absl::StatusOr<Answer>)>;
  static constexpr size_t kMaxIdBytes = 128;

  // Answers are kept for `retention`, and at most `max_answers` of them, the latest.
  RequestCache(absl::Duration retention, int max_answers)
      : retention_(retention), max_answers_(max_answers) {}

  enum class Kind { kNew, kAnswered, kWaiting };
  struct Begun {
    Kind kind = Kind::kNew;
    std::optional<Answer> answer;  // kAnswered
  };
  // `fingerprint`: of everything in the request but its id. `callback` is kept if kWaiting; may be
  // empty if every request is finished before the next begins. `now` never goes back.
  // INVALID_ARGUMENT if the id is too long; ALREADY_EXISTS (kRequestIdReused) if it came with
  // another request.
  absl::StatusOr<Begun> Begin(const std::string& scope, const std::string& request_id,
                              const std::string& fingerprint, absl::Duration now,
                              Callback callback);
  // The answer to a request that was kNew. Returns whom else to call with it, with no lock held.
  [[nodiscard]] std::vector<Callback> Finish(const std::string& scope,
                                             const std::string& request_id,
                                             const absl::StatusOr<Answer>& answer,
                                             absl::Duration now);

 private:
  using Key = std::pair<std::string, std::string>;
  struct Entry {
    std::string fingerprint;
    std::optional<Answer> answer;
    std::vector<Callback> waiting;
  };
  struct Answered {
    absl::Duration when;
    Key key;
  };
  void DropOld(absl::Duration now);

  const absl::Duration retention_;
  const size_t max_answers_;
  absl::flat_hash_map<Key, Entry> entries_;
  std::deque<Answered> answered_;  // oldest first
};

template <typename Answer>
absl::StatusOr<typename RequestCache<Answer>::Begun> RequestCache<Answer>::Begin(
    const std::string& scope, const std::string& request_id, const std::string& fingerprint,
    absl::Duration now, Callback callback) {
  if (request_id.empty()) return Begun{};
  if (request_id.size() > kMaxIdBytes) {
    return BadField("request_id", absl::StrCat(request_id.size(), " bytes long"),
                    absl::StrCat("at most ", kMaxIdBytes, " bytes"));
  }
  DropOld(now);
  const auto [found, inserted] = entries_.try_emplace(Key(scope, request_id));
  Entry& entry = found->second;
  if (inserted) {
    entry.fingerprint = fingerprint;
    return Begun{};
  }
  if (entry.fingerprint != fingerprint) {
    return MakeError(absl::StatusCode::kAlreadyExists,
                     {.reason = ErrorReason::kRequestIdReused,
                      .field = "request_id",
                      .value = request_id,
                      .limit = "a new id for a new request"},
                     absl::StrCat("request_id ", request_id, " was used with another request"));
  }
  if (entry.answer.has_value()) return Begun{Kind::kAnswered, entry.answer};
  entry.waiting.push_back(std::move(callback));
  return Begun{Kind::kWaiting, std::nullopt};
}

template <typename Answer>
std::vector<typename RequestCache<Answer>::Callback> RequestCache<Answer>::Finish(
    const std::string& scope, const std::string& request_id, const absl::StatusOr<Answer>& answer,
    absl::Duration now) {
  if (request_id.empty()) return {};
  Key key(scope, request_id);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return {};
  std::vector<Callback> waiting = std::move(found->second.waiting);
  if (answer.ok()) {
    found->second.waiting.clear();
    found->second.answer = *answer;
    answered_.push_back({now, std::move(key)});
    DropOld(now);
  } else {
    entries_.erase(found);
  }
  return waiting;
}

template <typename Answer>
void RequestCache<Answer>::DropOld(absl::Duration now) {
  while (!answered_.empty() &&
         (answered_.size() > max_answers_ || now - answered_.front().when >= retention_)) {
    entries_.erase(answered_.front().key);
    answered_.pop_front();
  }
}

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_REQUEST_CACHE_H_
