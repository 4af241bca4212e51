#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_PROGRESS_BAR_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_PROGRESS_BAR_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace rtmixd::rtmixctl {

// One line of progress on stderr while it is a terminal; nothing otherwise.
//
// Threading: one thread at a time.
class ProgressBar {
 public:
  // `total_frames` 0: unknown, so only the length so far is shown.
  ProgressBar(std::string label, int64_t total_frames, double sample_rate_hz);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  // Takes the line away again.
  ~ProgressBar();

  // Draws at most ten times a second.
  void Update(int64_t done_frames);

 private:
  const std::string label_;
  const int64_t total_frames_;
  const double sample_rate_hz_;
  const bool visible_;
  absl::Time drawn_ = absl::InfinitePast();
};

// A line on stderr while it is a terminal.
void Remark(const std::string& line);

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_PROGRESS_BAR_H_
