#ifndef RTMIXD_CLIENT_CPP_SESSION_H_
#define RTMIXD_CLIENT_CPP_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client_cpp/client.h"
#include "rtmixd/v1/common.pb.h"
#include "rtmixd/v1/session.pb.h"

namespace rtmixd::client {

// How a session is to be.
struct SessionOptions {
  // For people, at most 200 bytes: shown in lists, and to whoever finds the server busy.
  std::string label = {};
  // It ends so long after the last sign of life; 1 s to the server's limit.
  absl::Duration ttl = absl::Seconds(15);
  // The longest it may live; absent means without end.
  std::optional<absl::Duration> max_lifetime = {};
  // Wants the server for itself; wait with AwaitExclusive.
  bool exclusive = false;
};

// A session of the server, kept alive while this object lives. What is made in it (actions,
// buffers, streams) stops and is freed with it, so a client that is killed leaves nothing behind.
//
// Threading: any thread; it has a thread of its own for the heartbeat.
class Session {
 public:
  // Makes a session. The destructor ends it.
  static absl::StatusOr<std::shared_ptr<Session>> Create(std::shared_ptr<Client> client,
                                                         const SessionOptions& options);
  // Joins a session that somebody else made and will end. NOT_FOUND, PERMISSION_DENIED or such if
  // the token is not one of a living session.
  static absl::StatusOr<std::shared_ptr<Session>> Adopt(std::shared_ptr<Client> client,
                                                        std::string token);

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  // Stops the heartbeat, and ends the session if it was made here. Takes at most a second.
  ~Session();

  Client& client() const { return *client_; }
  // Public id.
  const std::string& id() const { return info_.session_id(); }
  // As it was when it was made or adopted.
  const v1::Session& info() const { return info_; }
  // How long it lives without a sign of life.
  absl::Duration ttl() const;
  // Secret: whoever has it has the session.
  const std::string& token() const { return token_; }
  // Options for a call in this session.
  CallOptions call(absl::Duration timeout = kSilenceLimit, bool retry = false) const;

  // OK while the session lives as far as the heartbeat knows; afterwards why not.
  absl::Status status() const ABSL_LOCKS_EXCLUDED(mu_);

  // Waits up to `timeout` for being exclusive; the answer tells the state, and who holds the
  // server.
  absl::StatusOr<v1::AwaitExclusiveResponse> AwaitExclusive(absl::Duration timeout);

  // Changes the gain that all plays of the session have in common, now or from a frame on. Returns
  // that frame; absent without an open stream. An event tells if it comes later, as may one that is
  // asked for on short notice.
  absl::StatusOr<std::optional<int64_t>> SetGain(float gain, const v1::Fade& fade = {},
                                                 std::optional<int64_t> frame = std::nullopt);
  // The same of everything that sounds, whoever plays it; it outlives the session unless that is
  // exclusive.
  absl::StatusOr<int64_t> SetMasterGain(float gain, const v1::Fade& fade = {},
                                        std::optional<int64_t> frame = std::nullopt);

 private:
  Session(std::shared_ptr<Client> client, v1::Session info, std::string token, bool owned);

  void KeepAlive() ABSL_LOCKS_EXCLUDED(mu_);

  const std::shared_ptr<Client> client_;
  const v1::Session info_;
  const std::string token_;
  const bool owned_;

  mutable absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);

  std::thread heartbeat_;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_SESSION_H_
