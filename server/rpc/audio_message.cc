#include "server/rpc/audio_message.h"

#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "server/base/error_info.h"

namespace rtmixd {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

// The bytes before those of the fields: their numbers and wire types.
constexpr uint8_t kAudioTag = 2 << 3 | 2;
constexpr uint8_t kPositionTag = 1 << 3;
constexpr uint8_t kDataTag = 2 << 3 | 2;
// Three of these, two sizes below 2^32 and a position.
constexpr size_t kMaxHeaderBytes = 3 + 2 * 5 + 10;

}  // namespace

bool ReceivedMessage::LooksLikeAudio() {
  slices_.clear();
  if (!buffer_.Dump(&slices_).ok()) return false;
  std::array<uint8_t, kMaxHeaderBytes> begin = {};
  size_t begin_bytes = 0;
  size_t message_bytes = 0;
  for (const grpc::Slice& slice : slices_) {
    const size_t more = std::min(slice.size(), begin.size() - begin_bytes);
    std::copy_n(slice.begin(), more, begin.data() + begin_bytes);
    begin_bytes += more;
    message_bytes += slice.size();
  }

  CodedInputStream header(begin.data(), static_cast<int>(begin_bytes));
  uint32_t chunk_bytes = 0;
  if (!header.ExpectTag(kAudioTag) || !header.ReadVarint32(&chunk_bytes) ||
      chunk_bytes != message_bytes - static_cast<size_t>(header.CurrentPosition())) {
    return false;
  }
  uint64_t position = 0;
  if (header.ExpectTag(kPositionTag) && !header.ReadVarint64(&position)) return false;
  uint32_t data_bytes = 0;
  if (!header.ExpectTag(kDataTag) || !header.ReadVarint32(&data_bytes)) return false;
  auto header_bytes = static_cast<size_t>(header.CurrentPosition());
  if (data_bytes != message_bytes - header_bytes) return false;

  position_ = static_cast<int64_t>(position);
  joined_.clear();
  for (const grpc::Slice& slice : slices_) {
    std::string_view piece(reinterpret_cast<const char*>(slice.begin()), slice.size());
    const size_t skipped = std::min(header_bytes, piece.size());
    header_bytes -= skipped;
    piece.remove_prefix(skipped);
    samples_ = piece;
    if (piece.size() == data_bytes) return true;
    joined_.append(piece);
  }
  samples_ = joined_;
  return true;
}

absl::Status Parse(const grpc::ByteBuffer& bytes, google::protobuf::Message* message) {
  grpc::ByteBuffer copy = bytes;  // of the references; the reader takes no constant one
  grpc::ProtoBufferReader reader(&copy);
  if (reader.status().ok() && message->ParseFromZeroCopyStream(&reader)) return absl::OkStatus();
  return BadField("message", "not readable", message->GetTypeName());
}

grpc::ByteBuffer Serialize(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

grpc::ByteBuffer AudioMessage(int64_t position, std::string bytes) {
  auto owned = std::make_unique<std::string>(std::move(bytes));
  std::string* const string = owned.release();  // the slice's from here on
  const grpc::Slice samples(
      string->data(), string->size(),
      [](void* user_data) { delete static_cast<std::string*>(user_data); }, string);
  const auto data_bytes = static_cast<uint32_t>(samples.size());
  std::array<uint8_t, kMaxHeaderBytes> chunk = {};
  uint8_t* end = chunk.data();
  if (position != 0) {
    *end++ = kPositionTag;
    end = CodedOutputStream::WriteVarint64ToArray(static_cast<uint64_t>(position), end);
  }
  *end++ = kDataTag;
  end = CodedOutputStream::WriteVarint32ToArray(data_bytes, end);
  const auto fields_bytes = static_cast<size_t>(end - chunk.data());

  std::array<uint8_t, kMaxHeaderBytes> header = {};
  end = header.data();
  *end++ = kAudioTag;
  end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(fields_bytes) + data_bytes,
                                                end);
  end = std::copy_n(chunk.data(), fields_bytes, end);
  const std::array<grpc::Slice, 2> slices = {
      grpc::Slice(header.data(), static_cast<size_t>(end - header.data())), samples};
  return {slices.data(), slices.size()};
}

}  // namespace rtmixd
