#include "client_cpp/rtmixctl/audio_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

namespace rtmixd::rtmixctl {
namespace {

std::string Path(const std::string& name) { return testing::TempDir() + "/" + name; }

// Values that every integer encoding down to `bits` bits holds exactly, both extremes among them.
std::vector<float> Exact(int bits) {
  std::vector<float> samples;
  const float scale = std::ldexp(1.0F, bits - 1);
  for (int value = -2000; value <= 2000; ++value)
    samples.push_back(static_cast<float>(value) / scale);
  samples.push_back(-1.0F);
  samples.push_back((scale - 1) / scale);
  samples.push_back(0);
  return samples;
}

void ExpectRoundTrip(const std::string& name, FileEncoding encoding,
                     const std::vector<float>& samples) {
  auto writer = AudioFileWriter::Create(Path(name), 2, 48000, encoding);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Write(samples).ok());
  ASSERT_TRUE((*writer)->Close().ok());
  const auto audio = ReadAudioFile(Path(name));
  ASSERT_TRUE(audio.ok()) << audio.status();
  EXPECT_EQ(audio->channels, 2);
  EXPECT_EQ(audio->sample_rate_hz, 48000);
  EXPECT_EQ(audio->samples, samples);
}

TEST(AudioFileTest, FloatWavKeepsEveryBit) {
  std::vector<float> samples = Exact(24);
  samples.push_back(1.5F);
  samples.push_back(1e-30F);
  ExpectRoundTrip("float.wav", FileEncoding::kDefault, samples);
}

TEST(AudioFileTest, SmallWavIsAPlainOne) {
  ExpectRoundTrip("plain.wav", FileEncoding::kDefault, Exact(16));
  std::ifstream file(Path("plain.wav"));
  std::string magic(4, ' ');
  file.read(magic.data(), 4);
  EXPECT_EQ(magic, "RIFF");
}

TEST(AudioFileTest, IntegersComeBackAsTheyWere) {
  ExpectRoundTrip("16.wav", FileEncoding::kInt16, Exact(16));
  ExpectRoundTrip("24.wav", FileEncoding::kInt24, Exact(24));
  ExpectRoundTrip("16.flac", FileEncoding::kInt16, Exact(16));
  ExpectRoundTrip("default.flac", FileEncoding::kDefault, Exact(24));
}

TEST(AudioFileTest, EncodingRoundsToEvenAndLimits) {
  EXPECT_EQ(EncodeInteger(0.5F / 32768, 16), 0);
  EXPECT_EQ(EncodeInteger(1.5F / 32768, 16), 2 << 16);
  EXPECT_EQ(EncodeInteger(-1.5F / 32768, 16), -2 * (1 << 16));
  EXPECT_EQ(EncodeInteger(1.0F, 16), 32767 << 16);
  EXPECT_EQ(EncodeInteger(-2.0F, 16), INT32_MIN);
  EXPECT_EQ(EncodeInteger(2.0F, 32), INT32_MAX);
}

TEST(AudioFileTest, OggHoldsAudioOfTheSameLength) {
  auto writer = AudioFileWriter::Create(Path("x.ogg"), 1, 44100, FileEncoding::kDefault);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->WriteSilence(10000).ok());
  EXPECT_EQ((*writer)->frames(), 10000);
  ASSERT_TRUE((*writer)->Close().ok());
  const auto audio = ReadAudioFile(Path("x.ogg"));
  ASSERT_TRUE(audio.ok());
  EXPECT_EQ(audio->frames(), 10000);
  EXPECT_EQ(audio->sample_rate_hz, 44100);
}

TEST(AudioFileTest, MissingFileIsNamed) {
  const auto audio = ReadAudioFile(Path("missing.wav"));
  EXPECT_TRUE(absl::IsNotFound(audio.status()));
  EXPECT_NE(audio.status().message().find("missing.wav"), absl::string_view::npos);
}

TEST(AudioFileTest, FileThatIsNoAudioIsRefused) {
  std::ofstream(Path("text.wav")) << "no audio at all, but long enough for a header to be sought";
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadAudioFile(Path("text.wav")).status()));
}

TEST(AudioFileTest, UnknownEndingIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      AudioFileWriter::Create(Path("x.mp7"), 1, 48000, FileEncoding::kDefault).status()));
}

TEST(AudioFileTest, EncodingThatTheContainerLacksIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      AudioFileWriter::Create(Path("x.flac"), 1, 48000, FileEncoding::kFloat32).status()));
}

}  // namespace
}  // namespace rtmixd::rtmixctl
