#include "server/mixer/mix_kernel.h"

#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rtmixd {
namespace {

// sin(pi x / 2) = x * sum of kSine[i] x^(2 i): the polynomial of this degree whose greatest
// relative error for x in [0, 1] is the least (by Remez's exchange), 2.1e-16 as rounded here.
constexpr double kSine[] = {
    1.5707963267948963,    -0.6459640975062191,    0.07969262624561801,   -0.00468175413106023,
    0.0001604411684698244, -3.598809117025478e-06, 5.688203332251613e-08, -6.446213662039564e-10,
};

// The gain of one frame; the same operations in the same order in every kernel.
inline float GainAt(const MixRamp& ramp, int i) noexcept {
  const double x = (ramp.frame + i * ramp.step) * ramp.per_frame;
  double s = x;
  if (ramp.shape == FadeShape::kEqualPower) {
    const double square = x * x;
    double sum = kSine[std::size(kSine) - 1];
    for (int k = static_cast<int>(std::size(kSine)) - 2; k >= 0; --k) {
      sum = std::fma(sum, square, kSine[k]);
    }
    s = x * sum;
  }
  return static_cast<float>(std::fma(ramp.rise, s, ramp.low)) * ramp.scale;
}

void RampPortable(const MixRamp& ramp, float* gains, int frames) noexcept {
  for (int i = 0; i < frames; ++i) gains[i] = GainAt(ramp, i);
}

void MultiplyPortable(const float* gains, float* factors, int frames) noexcept {
  for (int i = 0; i < frames; ++i) factors[i] *= gains[i];
}

int CountValidPortable(const SpanLabel* labels, int count, int64_t block_end_frame,
                       uint64_t route_key, uint64_t* differing_bits) noexcept {
  int i = 0;
  for (; i < count && labels[i].end_frame >= block_end_frame; ++i) {
    *differing_bits |= labels[i].route_key ^ route_key;
  }
  return i;
}

// Null: span.gain for all.
inline const float* GainsOf(const WholeSpan& span, const float* gains) noexcept {
  if (gains == nullptr || span.gains_line == 0) return nullptr;
  return gains + (span.gains_line - 1) * kCacheLineFloats;
}

void SumWholePortable(const WholeSum& sum) noexcept {
  for (int c = 0; c < (sum.next_bus != nullptr ? 2 : 1); ++c) {
    float* const bus = c == 0 ? sum.bus : sum.next_bus;
    for (int s = 0; s < sum.count; ++s) {
      const WholeSpan& span = sum.spans[s];
      const float* const samples = span.Samples(sum.first_frame, sum.channel + c);
      const float* const gains = GainsOf(span, sum.gains);
      for (int i = 0; i < sum.frames; ++i) {
        bus[i] = std::fma(gains != nullptr ? gains[i] : span.gain, samples[i], bus[i]);
      }
    }
  }
}

void SumPortable(const MixSpan& span, float* bus) noexcept {
  float* const out = bus + span.offset;
  for (int i = 0; i < span.frames; ++i) {
    const float gain = span.gains != nullptr ? span.gains[i] : span.gain;
    out[i] = std::fma(gain, span.samples[i], out[i]);
  }
}

int64_t ClipPortable(float* samples, int frames) noexcept {
  int64_t changed = 0;
  for (int i = 0; i < frames; ++i) {
    const float x = samples[i];
    changed += !(x >= -1.0f && x <= 1.0f);
    const float number = x == x ? x : 0.0f;
    samples[i] = number > 1.0f ? 1.0f : (number < -1.0f ? -1.0f : number);
  }
  return changed;
}

int64_t CopyFinitePortable(const float* from, int frames, float* to) noexcept {
  int64_t replaced = 0;
  for (int i = 0; i < frames; ++i) {
    const bool finite = std::abs(from[i]) <= std::numeric_limits<float>::max();
    replaced += !finite;
    to[i] = finite ? from[i] : 0.0f;
  }
  return replaced;
}

constexpr MixKernel kPortable = {.name = "portable",
                                 .count_valid = CountValidPortable,
                                 .sum_whole = SumWholePortable,
                                 .sum = SumPortable,
                                 .ramp = RampPortable,
                                 .multiply = MultiplyPortable,
                                 .clip = ClipPortable,
                                 .copy_finite = CopyFinitePortable};

#if defined(__x86_64__)
#define RTMIXD_AVX2 __attribute__((target("avx2,fma")))

RTMIXD_AVX2 int CountValidAvx2(const SpanLabel* labels, int count, int64_t block_end_frame,
                               uint64_t route_key, uint64_t* differing_bits) noexcept {
  static_assert(sizeof(SpanLabel) == 16 && offsetof(SpanLabel, end_frame) == 8);
  constexpr int kEndFrames = 0b1010;  // the halves of two labels that are these
  const __m256i key = _mm256_set1_epi64x(static_cast<int64_t>(route_key));
  const __m256i end = _mm256_set1_epi64x(block_end_frame);
  __m256i differing = _mm256_setzero_si256();
  int i = 0;
  for (; i + 4 <= count; i += 4) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(labels + i));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(labels + i + 2));
    const __m256i past = _mm256_or_si256(_mm256_cmpgt_epi64(end, a), _mm256_cmpgt_epi64(end, b));
    if ((_mm256_movemask_pd(_mm256_castsi256_pd(past)) & kEndFrames) != 0) break;
    differing = _mm256_or_si256(
        differing, _mm256_or_si256(_mm256_xor_si256(a, key), _mm256_xor_si256(b, key)));
  }
  *differing_bits |= static_cast<uint64_t>(_mm256_extract_epi64(differing, 0)) |
                     static_cast<uint64_t>(_mm256_extract_epi64(differing, 2));
  return i + CountValidPortable(labels + i, count - i, block_end_frame, route_key, differing_bits);
}

// Fetches what comes next, of whose first line a part has been touched.
template <int kVectors>
RTMIXD_AVX2 inline void FetchLines(const float* next) noexcept {
#pragma GCC unroll 4
  for (int i = 0; i < kVectors * 8; i += kCacheLineFloats) {
    __builtin_prefetch(next + (kCacheLineFloats - 1) + i);
  }
}

// Adds kChannels channels of the spans from frame `from` of the block on, as many whole groups of
// kVectors * 8 frames as there are; the buses stay in registers while all spans are added. Returns
// the frame it got to.
template <int kChannels, int kVectors, bool kFetchNext, bool kFading>
RTMIXD_AVX2 int SumGroups(const WholeSum& sum, float* const* buses, int from) noexcept {
  const WholeSpan* const end = sum.spans + sum.count;
  const int channel = sum.channel;
  for (; from + kVectors * 8 <= sum.frames; from += kVectors * 8) {
    const int64_t frame = sum.first_frame + from;
    __m256 sums[kChannels][kVectors];
#pragma GCC unroll 2  // at -O2 the sums would stay in memory otherwise
    for (int c = 0; c < kChannels; ++c) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[c][v] = _mm256_loadu_ps(buses[c] + from + v * 8);
    }
    for (const WholeSpan* span = sum.spans; span != end;) {
      // Loops of their own: in one, the compiler would load all samples before it knows of the
      // gains, and has no registers for them.
      for (; span != end && (!kFading || span->gains_line == 0); ++span) {
        const __m256 gain = _mm256_set1_ps(span->gain);
        const float* samples = span->Samples(frame, channel);
#pragma GCC unroll 2
        for (int c = 0; c < kChannels; ++c, samples += span->stride) {
          if (kFetchNext) FetchLines<kVectors>(samples + sum.frames);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) {
            sums[c][v] = _mm256_fmadd_ps(gain, _mm256_loadu_ps(samples + v * 8), sums[c][v]);
          }
        }
      }
      while (kFading && span != end && span->gains_line != 0) {
        // Those of a common fade have one line, whose gains stay in registers, if there are any
        // left.
        constexpr bool kHold = kVectors <= 4;
        const uint16_t line = span->gains_line;
        const float* const gains = GainsOf(*span, sum.gains) + from;
        __m256 held[kVectors];
#pragma GCC unroll 8
        for (int v = 0; kHold && v < kVectors; ++v) held[v] = _mm256_loadu_ps(gains + v * 8);
        for (; span != end && span->gains_line == line; ++span) {
          const float* samples = span->Samples(frame, channel);
#pragma GCC unroll 2
          for (int c = 0; c < kChannels; ++c, samples += span->stride) {
            if (kFetchNext) FetchLines<kVectors>(samples + sum.frames);
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) {
              const __m256 gain = kHold ? held[v] : _mm256_loadu_ps(gains + v * 8);
              sums[c][v] = _mm256_fmadd_ps(gain, _mm256_loadu_ps(samples + v * 8), sums[c][v]);
            }
          }
        }
      }
    }
#pragma GCC unroll 2
    for (int c = 0; c < kChannels; ++c) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) _mm256_storeu_ps(buses[c] + from + v * 8, sums[c][v]);
    }
  }
  return from;
}

// Lanes below `count` (1 to 7) are set.
RTMIXD_AVX2 __m256i FirstLanes(int count) noexcept {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}

template <int kChannels, bool kFetchNext, bool kFading>
RTMIXD_AVX2 void SumSpans(const WholeSum& sum) noexcept {
  float* const buses[] = {sum.bus, sum.next_bus};
  int from = SumGroups<kChannels, 8 / kChannels, kFetchNext, kFading>(sum, buses, 0);
  from = SumGroups<kChannels, 1, kFetchNext, kFading>(sum, buses, from);
  if (from == sum.frames) return;
  const __m256i lanes = FirstLanes(sum.frames - from);
  for (int c = 0; c < kChannels; ++c) {
    __m256 last = _mm256_maskload_ps(buses[c] + from, lanes);
    for (int s = 0; s < sum.count; ++s) {
      const WholeSpan& span = sum.spans[s];
      const __m256 samples =
          _mm256_maskload_ps(span.Samples(sum.first_frame + from, sum.channel + c), lanes);
      const float* const gains = GainsOf(span, sum.gains);
      const __m256 gain =
          gains != nullptr ? _mm256_maskload_ps(gains + from, lanes) : _mm256_set1_ps(span.gain);
      last = _mm256_fmadd_ps(gain, samples, last);
    }
    _mm256_maskstore_ps(buses[c] + from, lanes, last);
  }
}

template <int kChannels, bool kFetchNext>
RTMIXD_AVX2 void SumChannels(const WholeSum& sum) noexcept {
  if (sum.gains != nullptr) {
    SumSpans<kChannels, kFetchNext, true>(sum);
  } else {
    SumSpans<kChannels, kFetchNext, false>(sum);
  }
}

RTMIXD_AVX2 void SumWholeAvx2(const WholeSum& sum) noexcept {
  if (sum.next_bus != nullptr) {
    SumChannels<2, false>(sum);
  } else if (sum.fetch_next) {
    SumChannels<1, true>(sum);
  } else {
    SumChannels<1, false>(sum);
  }
}

RTMIXD_AVX2 void SumAvx2(const MixSpan& span, float* bus) noexcept {
  float* const out = bus + span.offset;
  const __m256 gain = _mm256_set1_ps(span.gain);
  int i = 0;
  for (; i + 8 <= span.frames; i += 8) {
    const __m256 own_gain = span.gains != nullptr ? _mm256_loadu_ps(span.gains + i) : gain;
    const __m256 samples = _mm256_loadu_ps(span.samples + i);
    _mm256_storeu_ps(out + i, _mm256_fmadd_ps(own_gain, samples, _mm256_loadu_ps(out + i)));
  }
  if (i == span.frames) return;
  const __m256i lanes = FirstLanes(span.frames - i);
  const __m256 own_gain = span.gains != nullptr ? _mm256_maskload_ps(span.gains + i, lanes) : gain;
  const __m256 samples = _mm256_maskload_ps(span.samples + i, lanes);
  _mm256_maskstore_ps(out + i, lanes,
                      _mm256_fmadd_ps(own_gain, samples, _mm256_maskload_ps(out + i, lanes)));
}

template <FadeShape kShape>
RTMIXD_AVX2 void RampOfShape(const MixRamp& ramp, float* gains, int frames) noexcept {
  constexpr int kFours = 4;  // at a time: so many additions and sines wait for none of the others
  const __m256d low = _mm256_set1_pd(ramp.low);
  const __m256d rise = _mm256_set1_pd(ramp.rise);
  const __m256d per_frame = _mm256_set1_pd(ramp.per_frame);
  const __m128 scale = _mm_set1_ps(ramp.scale);
  const __m256d steps = _mm256_set1_pd(kFours * 4 * ramp.step);
  // Whole numbers below 2^53: no addition rounds.
  __m256d frame[kFours];
  for (int f = 0; f < kFours; ++f) {
    const __m256d lanes = _mm256_add_pd(_mm256_set_pd(3, 2, 1, 0), _mm256_set1_pd(4 * f));
    frame[f] =
        _mm256_add_pd(_mm256_set1_pd(ramp.frame), _mm256_mul_pd(lanes, _mm256_set1_pd(ramp.step)));
  }
  int i = 0;
  for (; i + kFours * 4 <= frames; i += kFours * 4) {
#pragma GCC unroll 4
    for (int f = 0; f < kFours; ++f) {
      const __m256d x = _mm256_mul_pd(frame[f], per_frame);
      frame[f] = _mm256_add_pd(frame[f], steps);
      __m256d s = x;
      if (kShape == FadeShape::kEqualPower) {
        const __m256d square = _mm256_mul_pd(x, x);
        __m256d sum = _mm256_set1_pd(kSine[std::size(kSine) - 1]);
#pragma GCC unroll 16
        for (int k = static_cast<int>(std::size(kSine)) - 2; k >= 0; --k) {
          sum = _mm256_fmadd_pd(sum, square, _mm256_set1_pd(kSine[k]));
        }
        s = _mm256_mul_pd(x, sum);
      }
      const __m128 gain = _mm256_cvtpd_ps(_mm256_fmadd_pd(rise, s, low));
      _mm_storeu_ps(gains + i + f * 4, _mm_mul_ps(gain, scale));
    }
  }
  for (; i < frames; ++i) gains[i] = GainAt(ramp, i);
}

RTMIXD_AVX2 void RampAvx2(const MixRamp& ramp, float* gains, int frames) noexcept {
  if (ramp.shape == FadeShape::kEqualPower) {
    RampOfShape<FadeShape::kEqualPower>(ramp, gains, frames);
  } else {
    RampOfShape<FadeShape::kLinear>(ramp, gains, frames);
  }
}

RTMIXD_AVX2 void MultiplyAvx2(const float* gains, float* factors, int frames) noexcept {
  int i = 0;
  for (; i + 8 <= frames; i += 8) {
    _mm256_storeu_ps(factors + i,
                     _mm256_mul_ps(_mm256_loadu_ps(factors + i), _mm256_loadu_ps(gains + i)));
  }
  MultiplyPortable(gains + i, factors + i, frames - i);
}

// All bits of the samples that are in [-1, 1].
RTMIXD_AVX2 inline __m256 Inside(__m256 x) noexcept {
  return _mm256_cmp_ps(_mm256_andnot_ps(_mm256_set1_ps(-0.0f), x), _mm256_set1_ps(1.0f),
                       _CMP_LE_OQ);
}

// Clips samples from `from` on, as many whole groups of kVectors * 8 as there are; returns the one
// it got to.
template <int kVectors>
RTMIXD_AVX2 int ClipGroups(float* samples, int from, int frames, int64_t* changed) noexcept {
  const __m256 low = _mm256_set1_ps(-1.0f);
  const __m256 high = _mm256_set1_ps(1.0f);
  for (; from + kVectors * 8 <= frames; from += kVectors * 8) {
    __m256 x[kVectors];
    __m256 inside[kVectors];
    __m256 all = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      x[v] = _mm256_loadu_ps(samples + from + v * 8);
      inside[v] = Inside(x[v]);
      all = _mm256_and_ps(all, inside[v]);
    }
    // Of most there is nothing to change.
    if (_mm256_movemask_ps(all) == 0xff) continue;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      *changed += 8 - __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(inside[v])));
      const __m256 number = _mm256_and_ps(x[v], _mm256_cmp_ps(x[v], x[v], _CMP_ORD_Q));
      _mm256_storeu_ps(samples + from + v * 8, _mm256_min_ps(high, _mm256_max_ps(low, number)));
    }
  }
  return from;
}

RTMIXD_AVX2 int64_t ClipAvx2(float* samples, int frames) noexcept {
  int64_t changed = 0;
  int from = ClipGroups<4>(samples, 0, frames, &changed);
  from = ClipGroups<1>(samples, from, frames, &changed);
  return changed + ClipPortable(samples + from, frames - from);
}

RTMIXD_AVX2 int64_t CopyFiniteAvx2(const float* from, int frames, float* to) noexcept {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  const __m256 greatest = _mm256_set1_ps(std::numeric_limits<float>::max());
  int64_t replaced = 0;
  int i = 0;
  for (; i + 8 <= frames; i += 8) {
    const __m256 x = _mm256_loadu_ps(from + i);
    const __m256 finite = _mm256_cmp_ps(_mm256_andnot_ps(sign, x), greatest, _CMP_LE_OQ);
    replaced += 8 - __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(finite)));
    _mm256_storeu_ps(to + i, _mm256_and_ps(x, finite));
  }
  return replaced + CopyFinitePortable(from + i, frames - i, to + i);
}

constexpr MixKernel kAvx2 = {.name = "avx2+fma",
                             .count_valid = CountValidAvx2,
                             .sum_whole = SumWholeAvx2,
                             .sum = SumAvx2,
                             .ramp = RampAvx2,
                             .multiply = MultiplyAvx2,
                             .clip = ClipAvx2,
                             .copy_finite = CopyFiniteAvx2};
#undef RTMIXD_AVX2
#endif  // defined(__x86_64__)

}  // namespace

const MixKernel& PortableMixKernel() { return kPortable; }

const MixKernel& BestMixKernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kAvx2;
#endif
  return kPortable;
}

}  // namespace rtmixd
