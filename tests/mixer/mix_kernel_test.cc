#include "server/mixer/mix_kernel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace rtmixd {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> RandomSamples(std::mt19937* engine, int count) {
  std::uniform_real_distribution<float> uniform(-2.0f, 2.0f);
  std::vector<float> samples;
  for (int i = 0; i < count; ++i) samples.push_back(uniform(*engine));
  return samples;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class MixKernelTest : public testing::TestWithParam<const MixKernel*> {};

TEST_P(MixKernelTest, SumOfWholeSpansIsOneFusedMultiplyAddPerSpanInOrder) {
  std::mt19937 engine(7);
  for (int frames = 1; frames <= 150; ++frames) {
    const int channel = frames % 3;
    std::vector<std::vector<float>> sources;
    std::vector<std::vector<float>> gains;
    std::vector<WholeSpan> spans;
    for (int s = 0; s < 9; ++s) {
      const int32_t stride = frames + s;
      sources.push_back(RandomSamples(&engine, 3 * stride + 3));
      gains.push_back(RandomSamples(&engine, frames));
      spans.push_back({sources.back().data() + s % 3, s % 4 == 1 ? gains.back().data() : nullptr,
                       0.3f + static_cast<float>(s), stride});
    }
    std::vector<float> bus = RandomSamples(&engine, frames + 1);
    std::vector<float> expected = bus;
    for (int i = 0; i < frames; ++i) {
      for (const WholeSpan& span : spans) {
        const float gain = span.gains != nullptr ? span.gains[i] : span.gain;
        expected[i] = std::fma(gain, span.samples[channel * span.stride + i], expected[i]);
      }
    }
    GetParam()->sum_whole(spans.data(), static_cast<int>(spans.size()), channel, frames,
                          frames % 2 == 0, bus.data());
    ASSERT_TRUE(SameBits(bus, expected)) << frames << " frames";
  }
}

TEST_P(MixKernelTest, SumIsOneFusedMultiplyAddPerSampleOfTheSpan) {
  std::mt19937 engine(8);
  for (int frames = 1; frames <= 150; ++frames) {
    for (const bool ramped : {false, true}) {
      const std::vector<float> source = RandomSamples(&engine, frames);
      const std::vector<float> gains = RandomSamples(&engine, frames);
      const auto offset = static_cast<int16_t>(engine() % 20);
      std::vector<float> bus = RandomSamples(&engine, offset + frames + 1);
      std::vector<float> expected = bus;
      for (int i = 0; i < frames; ++i) {
        float& to = expected[offset + i];
        to = std::fma(ramped ? gains[i] : 0.3f, source[i], to);
      }
      GetParam()->sum({source.data(), ramped ? gains.data() : nullptr, 0.3f, offset,
                       static_cast<int16_t>(frames)},
                      bus.data());
      ASSERT_TRUE(SameBits(bus, expected)) << frames << " frames";
    }
  }
}

TEST_P(MixKernelTest, SumOfNothingLeavesTheBus) {
  std::vector<float> bus = {1, 2, 3};
  GetParam()->sum_whole(nullptr, 0, 0, 3, false, bus.data());
  EXPECT_EQ(bus, (std::vector<float>{1, 2, 3}));
}

TEST_P(MixKernelTest, ClipBringsEverySampleIntoRangeAndCounts) {
  const float above = std::nextafter(1.0f, 2.0f);
  const std::vector<float> in = {0.0f,      -0.0f,      1.0f, -1.0f, above,  -above, 0.5f,
                                 kInfinity, -kInfinity, kNan, -kNan, 1e-40f, 3e38f,  -0.25f};
  const std::vector<float> out = {0.0f, -0.0f, 1.0f, -1.0f, 1.0f,   -1.0f, 0.5f,
                                  1.0f, -1.0f, 0.0f, 0.0f,  1e-40f, 1.0f,  -0.25f};
  // At every place of a vector, and in the tail after it.
  for (size_t shift = 0; shift < 9; ++shift) {
    std::vector<float> samples(shift, 0.125f);
    samples.insert(samples.end(), in.begin(), in.end());
    EXPECT_EQ(GetParam()->clip(samples.data(), static_cast<int>(samples.size())), 7);
    samples.erase(samples.begin(), samples.begin() + static_cast<int>(shift));
    for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(samples[i], out[i]) << i;
  }
}

TEST_P(MixKernelTest, ClipTouchesNoMoreThanItsFrames) {
  std::vector<float> samples(20, 5.0f);
  EXPECT_EQ(GetParam()->clip(samples.data(), 11), 11);
  EXPECT_EQ(samples[10], 1.0f);
  EXPECT_EQ(samples[11], 5.0f);
}

TEST_P(MixKernelTest, CopyFiniteKeepsEveryBitButOfWhatIsNotFinite) {
  constexpr float kGreatest = std::numeric_limits<float>::max();
  constexpr float kDenormal = std::numeric_limits<float>::denorm_min();
  const std::vector<float> in = {0.0f, -0.0f,     1.5f,       kGreatest, -kGreatest, kDenormal,
                                 kNan, kInfinity, -kInfinity, -kNan,     -kDenormal, -0.25f};
  std::vector<float> out = in;
  for (const int replaced : {6, 7, 8, 9}) out[replaced] = 0.0f;
  // At every place of a vector, and in the tail after it; not a sample more than asked for.
  for (size_t shift = 0; shift < 17; ++shift) {
    std::vector<float> from(shift, 0.125f);
    std::vector<float> want = from;
    from.insert(from.end(), in.begin(), in.end());
    want.insert(want.end(), out.begin(), out.end());
    const int frames = static_cast<int>(from.size());
    from.push_back(2.0f);
    want.push_back(3.0f);
    std::vector<float> to(from.size(), 3.0f);
    EXPECT_EQ(GetParam()->copy_finite(from.data(), frames, to.data()), 4);
    EXPECT_TRUE(SameBits(to, want)) << shift;
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, MixKernelTest,
                         testing::Values(&PortableMixKernel(), &BestMixKernel()),
                         [](const auto& info) { return info.index == 0 ? "Portable" : "Best"; });

}  // namespace
}  // namespace rtmixd
