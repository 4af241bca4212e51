#ifndef RTMIXD_SERVER_RPC_AUDIO_MESSAGE_H_
#define RTMIXD_SERVER_RPC_AUDIO_MESSAGE_H_

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

// Messages that carry audio, from and to the bytes of the network. Exists so that samples are read
// from the slices that the network delivered, and become slices that it takes, instead of being
// copied by way of a message object. All such messages have an AudioChunk as field 2.
//
// Threading: thread-compatible.
namespace rtmixd {

// A message of a client.
class ReceivedMessage {
 public:
  // Where gRPC reads to.
  grpc::ByteBuffer* buffer() { return &buffer_; }
  const grpc::ByteBuffer& buffer() const { return buffer_; }

  // Looks for an AudioChunk, encoded as every implementation of protocol buffers does: its fields
  // in order, nothing else. What is not, also if it is one after all, is left to Parse.
  bool LooksLikeAudio();
  // After that: what it holds, as long as this does not change.
  int64_t position() const { return position_; }
  std::string_view samples() const { return samples_; }

 private:
  grpc::ByteBuffer buffer_;
  std::vector<grpc::Slice> slices_;
  std::string_view samples_;  // of the slices, or of joined_ where those cut it
  std::string joined_;
  int64_t position_ = 0;
};

// INVALID_ARGUMENT if `bytes` is no such message.
absl::Status Parse(const grpc::ByteBuffer& bytes, google::protobuf::Message* message);
grpc::ByteBuffer Serialize(const google::protobuf::Message& message);

// A message whose field 2 is the AudioChunk. Takes the bytes over, without copying them.
grpc::ByteBuffer AudioMessage(int64_t position, std::string bytes);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_AUDIO_MESSAGE_H_
