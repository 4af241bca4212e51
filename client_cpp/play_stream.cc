#include "client_cpp/play_stream.h"

#include <utility>

namespace rtmixd::client {

absl::StatusOr<std::unique_ptr<PlayStream>> PlayStream::Open(std::shared_ptr<Session> session,
                                                             const v1::PlayConfig& config) {
  v1::DuplexConfig duplex;
  *duplex.mutable_play() = config;
  auto stream = AudioStream::Open(session, std::move(duplex));
  if (!stream.ok()) return stream.status();
  return std::unique_ptr<PlayStream>(new PlayStream(std::move(session), *std::move(stream)));
}

}  // namespace rtmixd::client
