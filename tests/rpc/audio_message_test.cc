#include "server/rpc/audio_message.h"

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "rtmixd/v1/audio.pb.h"
#include "rtmixd/v1/buffer.pb.h"

namespace rtmixd {
namespace {

v1::PlayRequest Audio(int64_t position, std::string data) {
  v1::PlayRequest request;
  request.mutable_audio()->set_position(position);
  request.mutable_audio()->set_data(std::move(data));
  return request;
}

// Received in slices that were cut before each of `cuts`.
void Receive(std::string_view bytes, const std::vector<size_t>& cuts, ReceivedMessage* message) {
  std::vector<grpc::Slice> slices;
  size_t begin = 0;
  for (const size_t cut : cuts) {
    slices.emplace_back(bytes.data() + begin, cut - begin);
    begin = cut;
  }
  slices.emplace_back(bytes.data() + begin, bytes.size() - begin);
  *message->buffer() = grpc::ByteBuffer(slices.data(), slices.size());
}

std::string Bytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) bytes.append(slice.begin(), slice.end());
  return bytes;
}

TEST(ReceivedMessageTest, AudioIsFoundWhereverItWasCut) {
  for (const int64_t position : {int64_t{0}, int64_t{1}, int64_t{1} << 52}) {
    const std::string bytes = Audio(position, "eight by").SerializeAsString();
    for (size_t first = 0; first <= bytes.size(); ++first) {
      for (size_t second = first; second <= bytes.size(); ++second) {
        ReceivedMessage message;
        Receive(bytes, {first, second}, &message);
        ASSERT_TRUE(message.LooksLikeAudio()) << first << " " << second;
        ASSERT_EQ(message.position(), position);
        ASSERT_EQ(message.samples().size(), 8);
        ASSERT_EQ(message.samples(), "eight by");
      }
    }
  }
}

TEST(ReceivedMessageTest, ThoseOfAnUploadLookTheSame) {
  v1::UploadBufferRequest request;
  request.mutable_audio()->set_position(7);
  request.mutable_audio()->set_data(std::string(300000, 'x'));
  ReceivedMessage message;
  Receive(request.SerializeAsString(), {9000, 100000}, &message);
  ASSERT_TRUE(message.LooksLikeAudio());
  EXPECT_EQ(message.position(), 7);
  EXPECT_EQ(message.samples(), std::string(300000, 'x'));
}

TEST(ReceivedMessageTest, WhatIsNotAudioAloneIsLeftToTheParser) {
  v1::PlayRequest config;
  config.mutable_config()->set_channels(2);
  v1::PlayRequest flush;
  flush.mutable_flush();
  v1::RecordRequest grant;
  grant.mutable_grant()->set_granted_position(5);
  const std::string audio = Audio(3, "data").SerializeAsString();
  for (const std::string& bytes : {
           config.SerializeAsString(),
           flush.SerializeAsString(),
           grant.SerializeAsString(),
           Audio(3, "").SerializeAsString(),
           std::string(),
           audio + flush.SerializeAsString(),
           audio + audio,
           audio.substr(0, audio.size() - 1),
           audio.substr(0, 3),
           audio + std::string(1, '\0'),
           // The data before the position.
           std::string("\x12\x08\x12\x04"
                       "data"
                       "\x08\x03",
                       10),
           // A field that nobody knows.
           std::string("\x12\x08\x12\x04"
                       "data"
                       "\x18\x03",
                       10),
       }) {
    ReceivedMessage message;
    Receive(bytes, {}, &message);
    EXPECT_FALSE(message.LooksLikeAudio()) << bytes.size();
  }
}

TEST(ReceivedMessageTest, NoTruncationOrChangedByteOfAMessageIsReadBeyondItsEnd) {
  const std::string audio = Audio(300, "samples!").SerializeAsString();
  for (size_t at = 0; at < audio.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = audio;
      changed[at] = static_cast<char>(value);
      ReceivedMessage message;
      Receive(changed, {at}, &message);
      if (!message.LooksLikeAudio()) continue;
      // Then a parser of protocol buffers finds the same in it.
      v1::PlayRequest request;
      ASSERT_TRUE(Parse(std::as_const(message).buffer(), &request).ok());
      EXPECT_EQ(message.position(), request.audio().position());
      EXPECT_EQ(message.samples(), request.audio().data());
    }
  }
}

TEST(AudioMessageTest, IsWhatProtocolBuffersMakeOfIt) {
  for (const int64_t position : {int64_t{0}, int64_t{127}, int64_t{1} << 52}) {
    for (const size_t size : {1, 20, 127, 128, 70000}) {
      const std::string data(size, 's');
      const std::string wanted = Audio(position, data).SerializeAsString();
      EXPECT_EQ(Bytes(AudioMessage(position, data)), wanted);
    }
  }
}

TEST(ParseTest, WhatIsNoMessageIsRefused) {
  const grpc::Slice slice(std::string("\x0a\x7f nonsense"));
  v1::PlayRequest request;
  EXPECT_EQ(Parse(grpc::ByteBuffer(&slice, 1), &request).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace rtmixd
