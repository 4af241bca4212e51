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

TEST_P(MixKernelTest, LabelsAreCountedUpToOneThatIsTooShort) {
  constexpr int64_t kBlockEnd = (int64_t{1} << 40) + 1000;
  for (int count = 0; count < 20; ++count) {
    for (int shorter = 0; shorter <= count; ++shorter) {
      for (int other = 0; other <= count; ++other) {
        std::vector<SpanLabel> labels(count + 1);
        for (int i = 0; i < count; ++i)
          labels[i] = {.route_key = 5, .end_frame = kBlockEnd + i % 3};
        labels[count] = {};  // not to be looked at
        if (other < count) labels[other].route_key = 7 | uint64_t{1} << 63;
        if (shorter < count) labels[shorter].end_frame = kBlockEnd - 1;
        uint64_t differing_bits = 8;
        EXPECT_EQ(GetParam()->count_valid(labels.data(), count, kBlockEnd, 5, &differing_bits),
                  shorter);
        EXPECT_EQ(differing_bits, other < shorter ? 10 | uint64_t{1} << 63 : 8);
      }
    }
  }
}

TEST_P(MixKernelTest, SumOfWholeSpansIsOneFusedMultiplyAddPerSpanInOrder) {
  constexpr int kSpans = 9;
  const auto gains_of = [](int span) { return span % 4 == 2 ? span - 1 : span; };
  std::mt19937 engine(7);
  for (int round = 8; round < 8 * 151; ++round) {
    const int frames = round / 8;
    const bool some_fade = round % 2 == 1;
    const int channels = 1 + round / 4 % 2;
    const bool fetch_next = channels == 1 && round / 2 % 2 == 1;
    const int channel = frames % 3;
    const int64_t first_frame = frames * int64_t{1} << 50;
    const int lines = (frames + kCacheLineFloats - 1) / kCacheLineFloats;
    const std::vector<float> gains = RandomSamples(&engine, kSpans * lines * kCacheLineFloats);
    std::vector<std::vector<float>> sources;
    std::vector<WholeSpan> spans;
    for (int s = 0; s < kSpans; ++s) {
      const auto stride = static_cast<int16_t>(frames + s);
      sources.push_back(RandomSamples(&engine, 4 * stride + 3));
      // Two in a row with the gains of one, then one with gains of its own.
      const bool fades = some_fade && s % 4 != 0;
      spans.push_back({WholeSpan::Origin(sources.back().data() + s % 3, first_frame),
                       0.3f + static_cast<float>(s), stride,
                       static_cast<uint16_t>(fades ? gains_of(s) * lines + 1 : 0)});
    }
    std::vector<float> buses[] = {RandomSamples(&engine, frames + 1),
                                  RandomSamples(&engine, frames + 1)};
    std::vector<float> expected[] = {buses[0], buses[1]};
    for (int c = 0; c < channels; ++c) {
      for (int i = 0; i < frames; ++i) {
        for (int s = 0; s < kSpans; ++s) {
          const float gain = spans[s].gains_line > 0
                                 ? gains[gains_of(s) * lines * kCacheLineFloats + i]
                                 : 0.3f + static_cast<float>(s);
          const float sample = sources[s][s % 3 + (channel + c) * spans[s].stride + i];
          expected[c][i] = std::fma(gain, sample, expected[c][i]);
        }
      }
    }
    GetParam()->sum_whole({.spans = spans.data(),
                           .count = kSpans,
                           .first_frame = first_frame,
                           .frames = frames,
                           .gains = some_fade ? gains.data() : nullptr,
                           .fetch_next = fetch_next,
                           .channel = channel,
                           .bus = buses[0].data(),
                           .next_bus = channels == 2 ? buses[1].data() : nullptr});
    ASSERT_TRUE(SameBits(buses[0], expected[0])) << frames << " frames";
    ASSERT_TRUE(SameBits(buses[1], expected[1])) << frames << " frames";
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
  GetParam()->sum_whole({.spans = nullptr,
                         .count = 0,
                         .first_frame = 0,
                         .frames = 3,
                         .gains = nullptr,
                         .fetch_next = false,
                         .channel = 0,
                         .bus = bus.data(),
                         .next_bus = nullptr});
  EXPECT_EQ(bus, (std::vector<float>{1, 2, 3}));
}

TEST_P(MixKernelTest, ClipBringsEverySampleIntoRangeAndCounts) {
  const float above = std::nextafter(1.0f, 2.0f);
  const std::vector<float> in = {0.0f,      -0.0f,      1.0f, -1.0f, above,  -above, 0.5f,
                                 kInfinity, -kInfinity, kNan, -kNan, 1e-40f, 3e38f,  -0.25f};
  const std::vector<float> out = {0.0f, -0.0f, 1.0f, -1.0f, 1.0f,   -1.0f, 0.5f,
                                  1.0f, -1.0f, 0.0f, 0.0f,  1e-40f, 1.0f,  -0.25f};
  // At every place of a group of vectors, amid those that are in range, and in the tail after it.
  for (const size_t after : {0, 70}) {
    for (size_t shift = 0; shift < 70; ++shift) {
      std::vector<float> samples(shift, 0.125f);
      std::vector<float> expected = samples;
      samples.insert(samples.end(), in.begin(), in.end());
      expected.insert(expected.end(), out.begin(), out.end());
      samples.resize(samples.size() + after, -1.0f);
      expected.resize(samples.size(), -1.0f);
      EXPECT_EQ(GetParam()->clip(samples.data(), static_cast<int>(samples.size())), 7);
      EXPECT_EQ(samples, expected) << shift;
    }
  }
}

TEST_P(MixKernelTest, ClipTouchesNoMoreThanItsFrames) {
  std::vector<float> samples(80, 5.0f);
  EXPECT_EQ(GetParam()->clip(samples.data(), 75), 75);
  EXPECT_EQ(samples[74], 1.0f);
  EXPECT_EQ(samples[75], 5.0f);
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
