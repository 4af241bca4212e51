#include "client_cpp/rtmixctl/wav_pipe.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace rtmixd::rtmixctl {
namespace {

TEST(WavPipeTest, SamplesAreLittleEndian) {
  const std::vector<float> samples = {-1.0F, 0.5F, 1.0F / 32768};
  EXPECT_EQ(EncodeSamples(samples, FileEncoding::kInt16),
            std::string("\x00\x80\x00\x40\x01\x00", 6));
  EXPECT_EQ(EncodeSamples(samples, FileEncoding::kInt24),
            std::string("\x00\x00\x80\x00\x00\x40\x00\x01\x00", 9));
  EXPECT_EQ(EncodeSamples(samples, FileEncoding::kFloat32).size(), 12U);
}

// An independent reader finds the same samples, whatever the encoding.
TEST(WavPipeTest, ReadersTakeTheUnknownLengthForTheWholeFile) {
  const std::vector<float> samples = {-1.0F, 0.5F, 0.25F, -0.125F, 0.0F, 0.75F};
  for (const auto encoding :
       {FileEncoding::kFloat32, FileEncoding::kInt16, FileEncoding::kInt24, FileEncoding::kInt32}) {
    const std::string path = testing::TempDir() + "/pipe.wav";
    std::ofstream(path, std::ios::binary)
        << WavPipeHeader(2, 48000, encoding) << EncodeSamples(samples, encoding);
    const auto audio = ReadAudioFile(path);
    ASSERT_TRUE(audio.ok()) << audio.status();
    EXPECT_EQ(audio->channels, 2);
    EXPECT_EQ(audio->sample_rate_hz, 48000);
    EXPECT_EQ(audio->samples, samples);
  }
}

}  // namespace
}  // namespace rtmixd::rtmixctl
