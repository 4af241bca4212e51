#include "server/rpc/stream_halves.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "absl/time/clock.h"
#include "server/base/error_info.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_action.h"

namespace rtmixd {
namespace {

// New credit is told when it is this part of the ring: a client never waits for it, since the rest
// of the ring is still full of its audio. Smaller steps are more messages, each of which costs as
// much as one with audio.
constexpr int kCreditStepsPerRing = 4;

}  // namespace

PlayHalf::PlayHalf(std::unique_ptr<PlayStream> stream)
    : stream_(std::move(stream)),
      granted_step_frames_([this] {
        const PlayStreamProgress progress = stream_->Progress();
        return std::max<int64_t>(
            1, (progress.granted_position - progress.played_position) / kCreditStepsPerRing);
      }()),
      told_(stream_->Progress()),
      told_time_(absl::Now()) {}

v1::PlayOpened PlayHalf::Opened() const {
  v1::PlayOpened opened;
  opened.set_action_id(stream_->action_id());
  opened.set_stream_id(stream_->stream_id());
  opened.set_next_position(told_.received_position);
  opened.set_granted_position(told_.granted_position);
  return opened;
}

absl::Status PlayHalf::Audio(int64_t position, std::string_view samples) {
  if (ended_) return OutOfOrder("audio", "nothing after the end of the sound");
  return PrefixField(stream_->Push(position, samples), "audio.");
}
absl::Status PlayHalf::Flush() { return stream_->Flush(); }
absl::Status PlayHalf::Idle() { return stream_->Idle(); }

absl::Status PlayHalf::EndOfSound() {
  ended_ = true;
  return stream_->EndOfSound();
}

void PlayHalf::MayHaveEnded() { stream_->MayHaveEnded(); }

PlayHalf::Item PlayHalf::Next() {
  if (reported_) return {};
  if (std::optional<ActionReport> report = stream_->FinalReport()) {
    reported_ = true;
    return ToProto(*report);
  }
  const PlayStreamProgress progress = stream_->Progress();
  const absl::Time now = absl::Now();
  const bool due = progress.granted_position - told_.granted_position >= granted_step_frames_ ||
                   progress.underruns != told_.underruns ||
                   progress.start_frame != told_.start_frame || progress.done != told_.done ||
                   now - told_time_ >= kProgressInterval - kProgressCheckInterval;
  if (!due) return {};
  told_ = progress;
  told_time_ = now;
  return ToProto(progress);
}

RecordHalf::RecordHalf(std::unique_ptr<RecordStream> stream)
    : stream_(std::move(stream)), told_time_(absl::Now()) {}

v1::RecordOpened RecordHalf::Opened() const {
  v1::RecordOpened opened;
  opened.set_action_id(stream_->action_id());
  opened.set_stream_id(stream_->stream_id());
  opened.set_channels(stream_->channels());
  opened.set_sample_rate_hz(stream_->sample_rate_hz());
  opened.set_next_position(stream_->next_position());
  if (const auto start = stream_->Progress().start_frame) opened.set_start_frame(*start);
  return opened;
}

absl::Status RecordHalf::Grant(const v1::Grant& grant) {
  return stream_->Grant(grant.granted_position());
}

absl::Status RecordHalf::Stop(const v1::StopRecording& stop) {
  return stream_->Stop(stop.has_frame() ? std::optional<int64_t>(stop.frame()) : std::nullopt);
}

absl::Status RecordHalf::StopNow() { return stream_->Stop(std::nullopt); }

RecordHalf::Item RecordHalf::Next() {
  if (reported_) return {};
  const absl::Time now = absl::Now();
  const bool due = now - told_time_ >= kProgressInterval - kProgressCheckInterval;
  if (due || !told_start_ || !told_end_) {
    const RecordStreamProgress progress = stream_->Progress();
    const bool start = progress.start_frame.has_value();
    const bool end = progress.end_position.has_value();
    if (due || (start && !told_start_) || (end && !told_end_)) {
      told_time_ = now;
      told_start_ = start;
      told_end_ = end;
      return ToProto(progress);
    }
  }
  RecordStream::Item item = stream_->Read();
  if (auto* chunk = std::get_if<RecordStream::Chunk>(&item)) {
    return std::move(*chunk);
  }
  if (const auto* gap = std::get_if<GapInfo>(&item)) return ToProto(*gap);
  if (const auto* ended = std::get_if<RecordStream::Ended>(&item)) {
    reported_ = true;
    return ToProto(ended->report);
  }
  return {};
}

}  // namespace rtmixd
