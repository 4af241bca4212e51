#include "client_cpp/rtmixctl/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/time/clock.h"

namespace rtmixd::rtmixctl {

ProgressBar::ProgressBar(std::string label, int64_t total_frames, double sample_rate_hz)
    : label_(std::move(label)),
      total_frames_(total_frames),
      sample_rate_hz_(sample_rate_hz > 0 ? sample_rate_hz : 1),
      visible_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (drawn_ != absl::InfinitePast()) std::fputs("\r\033[K", stderr);
}

void ProgressBar::Update(int64_t done_frames) {
  const absl::Time now = absl::Now();
  if (!visible_ || now - drawn_ < absl::Milliseconds(100)) return;
  drawn_ = now;
  const double done_seconds = static_cast<double>(done_frames) / sample_rate_hz_;
  if (total_frames_ == 0) {
    std::fprintf(stderr, "\r\033[K%s %.1f s", label_.c_str(), done_seconds);
    return;
  }
  constexpr int kWidth = 30;
  const double part =
      std::clamp(static_cast<double>(done_frames) / static_cast<double>(total_frames_), 0.0, 1.0);
  const int full = static_cast<int>(part * kWidth);
  std::fprintf(stderr, "\r\033[K%s [%s%s] %.1f of %.1f s", label_.c_str(),
               std::string(static_cast<size_t>(full), '#').c_str(),
               std::string(static_cast<size_t>(kWidth - full), '.').c_str(), done_seconds,
               static_cast<double>(total_frames_) / sample_rate_hz_);
}

void Remark(const std::string& line) {
  if (isatty(STDERR_FILENO) == 1) std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace rtmixd::rtmixctl
