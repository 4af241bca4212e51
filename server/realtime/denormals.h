#ifndef RTMIXD_SERVER_REALTIME_DENORMALS_H_
#define RTMIXD_SERVER_REALTIME_DENORMALS_H_

#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#elif !defined(__aarch64__)
#error "ScopedFlushDenormals knows x86 with SSE2 and AArch64 only"
#endif

namespace rtmixd {

// While it lives, the calling thread's floating point arithmetic treats denormal operands as zero
// and returns zero for denormal results (x86: MXCSR bits FTZ and DAZ; AArch64: FPCR bit FZ); then
// what was set before holds again. It exists because arithmetic on denormals is up to a hundred
// times slower, which a fade to silence would cost the audio thread, and because whether they are
// flushed decides the last bits of a sum, which must not depend on the thread that computes it.
//
// Threading: acts on the calling thread; made and destroyed there. No system call.
class ScopedFlushDenormals {
 public:
  ScopedFlushDenormals() noexcept : saved_(GetControl()) { SetControl(saved_ | kFlushBits); }
  ~ScopedFlushDenormals() { SetControl(saved_); }
  ScopedFlushDenormals(const ScopedFlushDenormals&) = delete;
  ScopedFlushDenormals& operator=(const ScopedFlushDenormals&) = delete;

 private:
#if defined(__SSE2__)
  static constexpr uint32_t kFlushBits = (1u << 15) | (1u << 6);  // FTZ, DAZ
  static uint32_t GetControl() noexcept { return _mm_getcsr(); }
  static void SetControl(uint32_t control) noexcept { _mm_setcsr(control); }
  uint32_t saved_;
#else
  static constexpr uint64_t kFlushBits = uint64_t{1} << 24;  // FZ
  static uint64_t GetControl() noexcept {
    uint64_t control;
    asm volatile("mrs %0, fpcr" : "=r"(control) : : "memory");
    return control;
  }
  static void SetControl(uint64_t control) noexcept {
    asm volatile("msr fpcr, %0" : : "r"(control) : "memory");
  }
  uint64_t saved_;
#endif
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_REALTIME_DENORMALS_H_
