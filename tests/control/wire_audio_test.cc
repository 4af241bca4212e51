#include "server/control/wire_audio.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

std::string Bytes(const std::vector<int>& values) {
  std::string bytes;
  for (int value : values) bytes.push_back(static_cast<char>(value));
  return bytes;
}

std::string FloatBytes(const std::vector<float>& samples) {
  return std::string(reinterpret_cast<const char*>(samples.data()), samples.size() * 4);
}

float DecodeOne(SampleFormat format, const std::string& bytes) {
  float sample = 99;
  DecodeWireAudio(bytes.data(), format, 1, 1, &sample, 1);
  return sample;
}

std::string EncodeOne(SampleFormat format, float sample) {
  std::string bytes(BytesPerSample(format), '\x55');
  EncodeWireAudio(&sample, 1, 1, 1, format, bytes.data());
  return bytes;
}

// The integer that common.proto lays down, computed by other means: long double, and the rounding
// of the C library.
int64_t ReferenceInteger(float sample, int bits) {
  const long double scale = std::ldexp(1.0L, bits - 1);
  const long double rounded = std::nearbyint(static_cast<long double>(sample) * scale);
  return static_cast<int64_t>(std::min(std::max(rounded, -scale), scale - 1));
}

int64_t ToInteger(const std::string& bytes) {
  int64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    value += static_cast<int64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  const int64_t range = int64_t{1} << (8 * bytes.size());
  return value >= range / 2 ? value - range : value;
}

struct IntegerFormat {
  SampleFormat format;
  int bits;
};

class WireIntegerTest : public testing::TestWithParam<IntegerFormat> {};

TEST_P(WireIntegerTest, EncodingFollowsTheSpecification) {
  const auto [format, bits] = GetParam();
  const float step = std::ldexp(1.0f, 1 - bits);
  std::vector<float> samples = {0.0f,  -0.0f,  1.0f, -1.0f, 0.5f,   -0.5f, 1.5f, -1.5f,
                                1e30f, -1e30f, kInf, -kInf, 1e-30f, 0.1f,  -0.7f};
  // Ties, which go to the even one, and what lies next to them and to full scale.
  for (int k = -9; k <= 9; ++k) {
    for (float around : {0.0f, 0.25f, 1.0f, -1.0f}) {
      const float tie = around + (static_cast<float>(k) * 0.5f) * step;
      samples.push_back(tie);
      samples.push_back(std::nextafter(tie, kInf));
      samples.push_back(std::nextafter(tie, -kInf));
    }
  }
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-1.1f, 1.1f);
  for (int i = 0; i < 100000; ++i) samples.push_back(uniform(random));
  for (float sample : samples) {
    EXPECT_EQ(ToInteger(EncodeOne(format, sample)), ReferenceInteger(sample, bits)) << sample;
  }
}

TEST_P(WireIntegerTest, TiesGoToTheEvenInteger) {
  const auto [format, bits] = GetParam();
  const float step = std::ldexp(1.0f, 1 - bits);
  EXPECT_EQ(ToInteger(EncodeOne(format, 0.5f * step)), 0);
  EXPECT_EQ(ToInteger(EncodeOne(format, 1.5f * step)), 2);
  EXPECT_EQ(ToInteger(EncodeOne(format, 2.5f * step)), 2);
  EXPECT_EQ(ToInteger(EncodeOne(format, -1.5f * step)), -2);
  EXPECT_EQ(ToInteger(EncodeOne(format, -2.5f * step)), -2);
}

TEST_P(WireIntegerTest, NanIsEncodedAsSilence) {
  for (uint32_t bits : {0x7fc00000u, 0xffc00000u, 0x7fffffffu, 0x7fc00007u}) {
    EXPECT_EQ(ToInteger(EncodeOne(GetParam().format, std::bit_cast<float>(bits))), 0) << bits;
  }
}

TEST_P(WireIntegerTest, DecodedIntegersAreDividedByFullScale) {
  const auto [format, bits] = GetParam();
  const int64_t full = int64_t{1} << (bits - 1);
  std::vector<int64_t> values = {0, 1, -1, 2, 127, 128, -128, -129, 255, 256, full / 2};
  for (int64_t k = 0; k < 300; ++k) {
    values.push_back(full - 1 - k);
    values.push_back(-full + k);
  }
  std::mt19937_64 random(9);
  for (int i = 0; i < 50000; ++i) {
    values.push_back(static_cast<int64_t>(random() % (2 * full)) - full);
  }
  for (int64_t value : values) {
    std::string bytes;
    for (int shift = 0; shift < bits; shift += 8)
      bytes.push_back(static_cast<char>(value >> shift));
    // One correctly rounded conversion from the exact quotient.
    const auto expected = static_cast<float>(static_cast<long double>(value) / full);
    EXPECT_EQ(DecodeOne(format, bytes), expected) << value;
  }
}

TEST_P(WireIntegerTest, IntegersOfUpTo24BitsComeBack) {
  const auto [format, bits] = GetParam();
  if (bits > 24) return;  // what float32 cannot hold is rounded, as the test above shows
  const int64_t full = int64_t{1} << (bits - 1);
  for (int64_t value = -full; value < full; value += bits == 16 ? 1 : 61) {
    std::string bytes;
    for (int shift = 0; shift < bits; shift += 8)
      bytes.push_back(static_cast<char>(value >> shift));
    ASSERT_EQ(EncodeOne(format, DecodeOne(format, bytes)), bytes) << value;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, WireIntegerTest,
                         testing::Values(IntegerFormat{SampleFormat::kInt16, 16},
                                         IntegerFormat{SampleFormat::kInt24, 24},
                                         IntegerFormat{SampleFormat::kInt32, 32}),
                         [](const auto& test) { return "Int" + std::to_string(test.param.bits); });

TEST(WireAudioTest, BytesAreLittleEndian) {
  EXPECT_EQ(DecodeOne(SampleFormat::kInt16, Bytes({0x01, 0x80})), -32767.0f / 32768);
  EXPECT_EQ(DecodeOne(SampleFormat::kInt24, Bytes({0x00, 0x00, 0x80})), -1.0f);
  EXPECT_EQ(DecodeOne(SampleFormat::kInt24, Bytes({0xff, 0xff, 0x7f})), 8388607.0f / 8388608);
  EXPECT_EQ(DecodeOne(SampleFormat::kInt24, Bytes({0xff, 0xff, 0xff})), -1.0f / 8388608);
  EXPECT_EQ(DecodeOne(SampleFormat::kInt24, Bytes({0x01, 0x00, 0x00})), 1.0f / 8388608);
  EXPECT_EQ(DecodeOne(SampleFormat::kInt32, Bytes({0x00, 0x00, 0x00, 0xc0})), -0.5f);
  EXPECT_EQ(DecodeOne(SampleFormat::kFloat32, Bytes({0x00, 0x00, 0x80, 0xbf})), -1.0f);
  EXPECT_EQ(EncodeOne(SampleFormat::kInt24, -1.0f), Bytes({0x00, 0x00, 0x80}));
  EXPECT_EQ(EncodeOne(SampleFormat::kInt24, 1.0f), Bytes({0xff, 0xff, 0x7f}));
  EXPECT_EQ(EncodeOne(SampleFormat::kInt16, 0.5f), Bytes({0x00, 0x40}));
}

TEST(WireAudioTest, FloatsKeepEveryBit) {
  for (float sample : {0.0f, -0.0f, 1e-42f, 3.0f, -1e20f, 0.1f}) {
    const std::string bytes = FloatBytes({sample});
    EXPECT_EQ(EncodeOne(SampleFormat::kFloat32, DecodeOne(SampleFormat::kFloat32, bytes)), bytes);
  }
}

// All shapes around the sizes at which loops split.
TEST(WireAudioTest, ChannelsAndFramesFindTheirPlaces) {
  for (SampleFormat format :
       {SampleFormat::kFloat32, SampleFormat::kInt16, SampleFormat::kInt24, SampleFormat::kInt32}) {
    for (int channels : {1, 2, 3, 8, 65, 1024}) {
      for (int64_t frames : {0, 1, 2, 7, 64, 1500}) {
        const int64_t stride = frames + 5;
        const int width = BytesPerSample(format);
        // Every sample different, as far as 16 bits go.
        std::vector<float> sent(channels * stride, 77.0f);
        for (int c = 0; c < channels; ++c) {
          for (int64_t f = 0; f < frames; ++f) {
            sent[c * stride + f] = static_cast<float>((f * 31 + c * 977) % 65536 - 32768) / 32768;
          }
        }
        std::string bytes(frames * channels * width, '\0');
        EncodeWireAudio(sent.data(), stride, channels, frames, format, bytes.data());
        for (int64_t f = 0; f < frames; ++f) {
          for (int c = 0; c < channels; ++c) {
            ASSERT_EQ(bytes.compare((f * channels + c) * width, width,
                                    EncodeOne(format, sent[c * stride + f])),
                      0)
                << "frame " << f << " channel " << c << " of " << channels;
          }
        }
        std::vector<float> received(channels * stride, 77.0f);
        DecodeWireAudio(bytes.data(), format, channels, frames, received.data(), stride);
        ASSERT_EQ(received, sent) << channels << " channels, " << frames << " frames";
      }
    }
  }
}

TEST(CheckWireAudioTest, CountsFrames) {
  EXPECT_EQ(*CheckWireAudio("", SampleFormat::kInt24, 2), 0);
  EXPECT_EQ(*CheckWireAudio(std::string(12, '\0'), SampleFormat::kInt24, 2), 2);
  EXPECT_EQ(*CheckWireAudio(std::string(12, '\0'), SampleFormat::kInt16, 1), 6);
  EXPECT_EQ(*CheckWireAudio(std::string(12, '\0'), SampleFormat::kFloat32, 3), 1);
}

TEST(CheckWireAudioTest, PartOfAFrameIsRefused) {
  const absl::Status status =
      CheckWireAudio(std::string(13, '\0'), SampleFormat::kInt24, 2).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetErrorInfo(status)->field, "data");
  EXPECT_EQ(status.message(),
            "data is 13 bytes long; must be whole frames of 6 bytes (2 channels)");
  // Whole samples, but not on all channels.
  EXPECT_FALSE(CheckWireAudio(std::string(9, '\0'), SampleFormat::kInt24, 2).ok());
}

TEST(CheckWireAudioTest, NanIsRefusedByFrameAndChannel) {
  std::vector<float> samples(3 * 40, 0.25f);
  samples[17 * 3 + 1] = kNan;
  samples[30 * 3] = kInf;
  const absl::Status status =
      CheckWireAudio(FloatBytes(samples), SampleFormat::kFloat32, 3).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "data at frame 17 channel 2 is nan; must be finite");
  EXPECT_EQ(GetErrorInfo(status)->reason, ErrorReason::kBadField);
  EXPECT_EQ(GetErrorInfo(status)->field, "data");
  EXPECT_EQ(GetErrorInfo(status)->value, "nan");
}

TEST(CheckWireAudioTest, NotFiniteIsFoundWhereverItIs) {
  for (float bad : {kInf, -kInf, kNan, -kNan}) {
    for (int at : {0, 1, 1023, 1024, 1025, 2999}) {
      std::vector<float> samples(3000, std::numeric_limits<float>::max());
      samples[at] = bad;
      const absl::Status status =
          CheckWireAudio(FloatBytes(samples), SampleFormat::kFloat32, 1).status();
      EXPECT_THAT(std::string(status.message()),
                  testing::StartsWith("data at frame " + std::to_string(at) + " channel 1 is "));
    }
  }
  EXPECT_TRUE(CheckWireAudio(FloatBytes({std::numeric_limits<float>::max(),
                                         std::numeric_limits<float>::denorm_min(), -0.0f}),
                             SampleFormat::kFloat32, 1)
                  .ok());
}

TEST(CheckWireAudioTest, IntegersOfAnyBitsAreFine) {
  EXPECT_TRUE(CheckWireAudio(FloatBytes({kNan, kInf}), SampleFormat::kInt32, 2).ok());
  EXPECT_TRUE(CheckWireAudio(FloatBytes({kNan, kInf}), SampleFormat::kInt16, 1).ok());
}

}  // namespace
}  // namespace rtmixd
