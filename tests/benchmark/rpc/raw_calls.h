#ifndef RTMIXD_TESTS_BENCHMARK_RPC_RAW_CALLS_H_
#define RTMIXD_TESTS_BENCHMARK_RPC_RAW_CALLS_H_

#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>

// What the load generators have in common. They speak raw bytes, so that they cost the same
// whichever server answers, and end the process where a call fails: a benchmark of errors is none.
namespace rtmixd::load {

// A connection of its own, which shares nothing with others to the same server.
std::shared_ptr<grpc::Channel> Connect(const std::string& target);

// A session of the server, and nothing on the bare one: calls carry its token.
class Session {
 public:
  Session(const std::shared_ptr<grpc::Channel>& channel, bool bare);

  void Prepare(grpc::ClientContext* context) const;
  const std::string& token() const { return token_; }

 private:
  std::string token_;
};

grpc::ByteBuffer Serialize(const google::protobuf::Message& message);

// A message whose field `audio`, number 2 in all that clients send, is the chunk: the header, then
// the samples, which are not copied.
grpc::ByteBuffer AudioMessage(int64_t position, const grpc::Slice& samples);

// The number of the field that a message has, and its position where that is an AudioChunk.
struct Head {
  int field = 0;
  int64_t position = 0;
};
Head ReadHead(const grpc::ByteBuffer& message);

double Now();  // CLOCK_MONOTONIC, in seconds

[[noreturn]] void Die(const std::string& what);
// Of an argument; ends the process if it is none.
double Number(const std::string& text);
inline void Check(const grpc::Status& status, const std::string& what) {
  if (!status.ok()) Die(what + ": " + status.error_message());
}

}  // namespace rtmixd::load

#endif  // RTMIXD_TESTS_BENCHMARK_RPC_RAW_CALLS_H_
