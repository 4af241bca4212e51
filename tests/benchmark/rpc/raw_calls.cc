#include "tests/benchmark/rpc/raw_calls.h"

#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "absl/strings/numbers.h"
#include "rtmixd/v1/session.grpc.pb.h"

namespace rtmixd::load {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

constexpr int kAudioField = 2;
constexpr uint8_t kPositionTag = 1 << 3;
constexpr uint8_t kDataTag = 2 << 3 | 2;

}  // namespace

void Die(const std::string& what) {
  std::cerr << what << '\n' << std::flush;
  std::_Exit(EXIT_FAILURE);
}

double Number(const std::string& text) {
  double number = 0;
  if (!absl::SimpleAtod(text, &number)) Die("\"" + text + "\" is not a number");
  return number;
}

std::shared_ptr<grpc::Channel> Connect(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(16 << 20);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

Session::Session(const std::shared_ptr<grpc::Channel>& channel, bool bare) {
  if (bare) return;
  v1::CreateSessionRequest request;
  request.set_label("benchmark");
  request.mutable_ttl()->set_seconds(600);
  v1::CreateSessionResponse response;
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  Check(v1::SessionService::NewStub(channel)->CreateSession(&context, request, &response),
        "CreateSession");
  token_ = response.token();
}

void Session::Prepare(grpc::ClientContext* context) const {
  context->set_wait_for_ready(true);
  if (!token_.empty()) context->AddMetadata("rtmixd-session-token", token_);
}

grpc::ByteBuffer Serialize(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

grpc::ByteBuffer AudioMessage(int64_t position, const grpc::Slice& samples) {
  std::array<uint8_t, 10> position_bytes = {};
  const uint8_t* const position_end = CodedOutputStream::WriteVarint64ToArray(
      static_cast<uint64_t>(position), position_bytes.data());
  const auto size = static_cast<uint32_t>(samples.size());
  const size_t chunk_bytes = 1 + static_cast<size_t>(position_end - position_bytes.data()) + 1 +
                             CodedOutputStream::VarintSize32(size) + samples.size();
  std::array<uint8_t, 40> header = {};
  uint8_t* end = header.data();
  *end++ = kAudioField << 3 | 2;
  end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(chunk_bytes), end);
  *end++ = kPositionTag;
  end = CodedOutputStream::WriteVarint64ToArray(static_cast<uint64_t>(position), end);
  *end++ = kDataTag;
  end = CodedOutputStream::WriteVarint32ToArray(size, end);
  const std::array<grpc::Slice, 2> slices = {
      grpc::Slice(header.data(), static_cast<size_t>(end - header.data())), samples};
  return {slices.data(), slices.size()};
}

Head ReadHead(const grpc::ByteBuffer& message) {
  Head head;
  std::vector<grpc::Slice> slices;
  if (!message.Dump(&slices).ok()) return head;
  // The network may have cut it anywhere.
  std::array<uint8_t, 32> bytes = {};
  size_t size_bytes = 0;
  for (const grpc::Slice& slice : slices) {
    const size_t more = std::min(slice.size(), bytes.size() - size_bytes);
    std::copy_n(slice.begin(), more, bytes.data() + size_bytes);
    size_bytes += more;
  }
  CodedInputStream in(bytes.data(), static_cast<int>(size_bytes));
  head.field = static_cast<int>(in.ReadTag() >> 3);
  uint32_t size = 0;
  uint64_t position = 0;
  if (in.ReadVarint32(&size) && in.ExpectTag(kPositionTag) && in.ReadVarint64(&position)) {
    head.position = static_cast<int64_t>(position);
  }
  return head;
}

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace rtmixd::load
