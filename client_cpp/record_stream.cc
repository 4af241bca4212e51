#include "client_cpp/record_stream.h"

#include <utility>

namespace rtmixd::client {

absl::StatusOr<std::unique_ptr<RecordStream>> RecordStream::Open(std::shared_ptr<Session> session,
                                                                 const v1::RecordConfig& config) {
  v1::DuplexConfig duplex;
  *duplex.mutable_record() = config;
  auto stream = AudioStream::Open(std::move(session), std::move(duplex));
  if (!stream.ok()) return stream.status();
  return std::unique_ptr<RecordStream>(new RecordStream(*std::move(stream)));
}

}  // namespace rtmixd::client
