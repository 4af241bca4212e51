#include "client_cpp/record_window.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "client_cpp/audio.h"

namespace rtmixd::client {

RecordWindow::RecordWindow(int64_t capacity_frames) : capacity_frames_(capacity_frames) {}

absl::Status RecordWindow::Receive(int64_t position, absl::string_view float32_bytes) {
  std::vector<float> samples;
  DecodeFloat32(float32_bytes, samples);
  const int64_t end = position + static_cast<int64_t>(samples.size()) / channels_;
  if (end > granted_position()) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "the server sent audio up to position %d; %d was granted", end, granted_position()));
  }
  if (end <= received_position_) return absl::OkStatus();
  Resume(position);
  const auto known = static_cast<std::ptrdiff_t>((received_position_ - position) * channels_);
  samples.erase(samples.begin(), samples.begin() + known);
  stretches_.push_back(
      {received_position_, std::exchange(pending_lost_frames_, 0), std::move(samples)});
  received_position_ = end;
  return absl::OkStatus();
}

void RecordWindow::Resume(int64_t next_position) {
  const int64_t lost = std::max<int64_t>(0, next_position - received_position_);
  lost_frames_ += lost;
  pending_lost_frames_ += lost;
  received_position_ += lost;
  if (stretches_.empty()) taken_position_ = received_position_;
}

std::optional<RecordedAudio> RecordWindow::Take(int64_t max_frames) {
  if (stretches_.empty()) return std::nullopt;
  RecordedAudio& first = stretches_.front();
  const int64_t frames = static_cast<int64_t>(first.samples.size()) / channels_;
  RecordedAudio taken;
  if (frames <= max_frames) {
    taken = std::move(first);
    stretches_.pop_front();
  } else {
    const auto cut = first.samples.begin() + static_cast<std::ptrdiff_t>(max_frames * channels_);
    taken = {first.position, std::exchange(first.lost_frames, 0), {first.samples.begin(), cut}};
    first.samples.erase(first.samples.begin(), cut);
    first.position += max_frames;
  }
  taken_position_ = taken.position + std::min(frames, max_frames);
  // What was lost takes no room, else a loss longer than the room would be the end of all credit.
  if (stretches_.empty()) taken_position_ = received_position_;
  return taken;
}

std::optional<int64_t> RecordWindow::NextGrant() {
  if (granted_position() - told_position_ < std::max<int64_t>(1, capacity_frames_ / 4)) {
    return std::nullopt;
  }
  Told();
  return told_position_;
}

}  // namespace rtmixd::client
