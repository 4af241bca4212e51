#include "client_cpp/play_window.h"

#include <algorithm>

#include "client_cpp/audio.h"

namespace rtmixd::client {

PlayWindow::PlayWindow(int channels) : channels_(channels) {}

void PlayWindow::Append(absl::Span<const float> interleaved) {
  samples_.insert(samples_.end(), interleaved.begin(), interleaved.end());
}

void PlayWindow::AppendIdle() { marks_.push_back({end_position(), MarkKind::kIdle, false}); }

void PlayWindow::AppendEnd() {
  marks_.push_back({end_position(), MarkKind::kEnd, false});
  ended_ = true;
}

void PlayWindow::Flush() {
  samples_.resize(static_cast<size_t>((sent_position_ - first_position_) * channels_));
  while (!marks_.empty() && !marks_.back().sent) marks_.pop_back();
  marks_.push_back({sent_position_, MarkKind::kFlush, false});
  ended_ = false;
}

void PlayWindow::Grant(int64_t granted_position) {
  granted_position_ = std::max(granted_position_, granted_position);
}

void PlayWindow::Confirm(int64_t received_position) {
  const int64_t confirmed = std::clamp(received_position, first_position_, sent_position_);
  const auto count = static_cast<std::ptrdiff_t>((confirmed - first_position_) * channels_);
  samples_.erase(samples_.begin(), samples_.begin() + count);
  first_position_ = confirmed;
  // A mark is known to have arrived once audio behind it has.
  while (!marks_.empty() && marks_.front().sent && marks_.front().position < confirmed) {
    marks_.pop_front();
  }
}

bool PlayWindow::Rewind(int64_t next_position, int64_t granted_position) {
  if (next_position < first_position_ || next_position > sent_position_) return false;
  sent_position_ = next_position;
  granted_position_ = granted_position;
  for (Mark& mark : marks_) {
    if (mark.position >= next_position) mark.sent = false;
  }
  Confirm(next_position);
  return true;
}

std::optional<v1::DuplexRequest> PlayWindow::Next(int64_t max_frames) {
  int64_t end = std::min({end_position(), granted_position_, sent_position_ + max_frames});
  v1::DuplexRequest message;
  for (Mark& mark : marks_) {
    if (mark.sent) continue;
    if (mark.position > sent_position_) {
      end = std::min(end, mark.position);
      break;
    }
    mark.sent = true;
    switch (mark.kind) {
      case MarkKind::kFlush:
        message.mutable_flush();
        break;
      case MarkKind::kIdle:
        message.mutable_idle();
        break;
      case MarkKind::kEnd:
        message.mutable_end_of_sound();
        break;
    }
    return message;
  }
  if (end <= sent_position_) return std::nullopt;
  const auto first = samples_.begin() +
                     static_cast<std::ptrdiff_t>((sent_position_ - first_position_) * channels_);
  const std::vector<float> chunk(
      first, first + static_cast<std::ptrdiff_t>((end - sent_position_) * channels_));
  message.mutable_audio()->set_position(sent_position_);
  message.mutable_audio()->set_data(EncodeFloat32(chunk));
  sent_position_ = end;
  return message;
}

}  // namespace rtmixd::client
