#include "server/mixer/mix_kernel.h"

#include <cmath>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rtmixd {
namespace {

void SumPortable(const MixSpan* spans, int count, int /*frames*/, float* bus) noexcept {
  for (int s = 0; s < count; ++s) {
    const MixSpan& span = spans[s];
    float* const out = bus + span.offset;
    for (int i = 0; i < span.frames; ++i) out[i] = std::fma(span.gain, span.samples[i], out[i]);
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

constexpr MixKernel kPortable = {"portable", SumPortable, ClipPortable, CopyFinitePortable};

#if defined(__x86_64__)
#define RTMIXD_AVX2 __attribute__((target("avx2,fma")))

// Adds spans that fill the block, from frame `from` on as many whole groups of kVectors * 8 frames
// as there are; the bus stays in registers while all spans are added. Returns the frame it got to.
template <int kVectors>
RTMIXD_AVX2 int SumGroups(const MixSpan* spans, int count, int from, int frames,
                          float* bus) noexcept {
  for (; from + kVectors * 8 <= frames; from += kVectors * 8) {
    __m256 sums[kVectors];
#pragma GCC unroll 8  // at -O2 the sums would stay in memory otherwise
    for (int v = 0; v < kVectors; ++v) sums[v] = _mm256_loadu_ps(bus + from + v * 8);
    for (int s = 0; s < count; ++s) {
      const __m256 gain = _mm256_set1_ps(spans[s].gain);
      const float* const samples = spans[s].samples + from;
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        sums[v] = _mm256_fmadd_ps(gain, _mm256_loadu_ps(samples + v * 8), sums[v]);
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) _mm256_storeu_ps(bus + from + v * 8, sums[v]);
  }
  return from;
}

// Adds spans that are all `frames` long, to the front of `bus`.
RTMIXD_AVX2 void SumWhole(const MixSpan* spans, int count, int frames, float* bus) noexcept {
  int i = SumGroups<8>(spans, count, 0, frames, bus);
  i = SumGroups<1>(spans, count, i, frames, bus);
  for (; i < frames; ++i) {
    __m128 sum = _mm_load_ss(bus + i);
    for (int s = 0; s < count; ++s) {
      sum = _mm_fmadd_ss(_mm_load_ss(&spans[s].gain), _mm_load_ss(spans[s].samples + i), sum);
    }
    _mm_store_ss(bus + i, sum);
  }
}

RTMIXD_AVX2 void SumAvx2(const MixSpan* spans, int count, int frames, float* bus) noexcept {
  for (int s = 0; s < count;) {
    int whole = s;
    while (whole < count && spans[whole].frames == frames) ++whole;
    if (whole > s) SumWhole(spans + s, whole - s, frames, bus);
    if (whole < count) {
      SumWhole(spans + whole, 1, spans[whole].frames, bus + spans[whole].offset);
      ++whole;
    }
    s = whole;
  }
}

RTMIXD_AVX2 int64_t ClipAvx2(float* samples, int frames) noexcept {
  const __m256 low = _mm256_set1_ps(-1.0f);
  const __m256 high = _mm256_set1_ps(1.0f);
  int64_t changed = 0;
  int i = 0;
  for (; i + 8 <= frames; i += 8) {
    const __m256 x = _mm256_loadu_ps(samples + i);
    const __m256 inside =
        _mm256_and_ps(_mm256_cmp_ps(x, low, _CMP_GE_OQ), _mm256_cmp_ps(x, high, _CMP_LE_OQ));
    changed += 8 - __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(inside)));
    const __m256 number = _mm256_and_ps(x, _mm256_cmp_ps(x, x, _CMP_ORD_Q));
    _mm256_storeu_ps(samples + i, _mm256_min_ps(high, _mm256_max_ps(low, number)));
  }
  return changed + ClipPortable(samples + i, frames - i);
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

constexpr MixKernel kAvx2 = {"avx2+fma", SumAvx2, ClipAvx2, CopyFiniteAvx2};
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
