#include "client_cpp/duplex_stream.h"

#include <utility>

#include "absl/status/status.h"

namespace rtmixd::client {

absl::StatusOr<std::unique_ptr<DuplexStream>> DuplexStream::Open(std::shared_ptr<Session> session,
                                                                 v1::DuplexConfig config) {
  if (!config.has_play() || !config.has_record()) {
    return absl::InvalidArgumentError("a duplex stream needs both play and record");
  }
  auto stream = AudioStream::Open(std::move(session), std::move(config));
  if (!stream.ok()) return stream.status();
  return std::unique_ptr<DuplexStream>(new DuplexStream(*std::move(stream)));
}

}  // namespace rtmixd::client
