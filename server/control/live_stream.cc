#include "server/control/live_stream.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace rtmixd {
namespace {

// Xruns and clips that are remembered; far more than any report tells.
constexpr size_t kMaxXruns = 65536;
constexpr size_t kMaxClips = 65536;
constexpr int kReportedXruns = 64;
// Blocks are counted for so many times the history, so that what begins in the past is counted too.
constexpr int kHistoriesCounted = 2;
// Room in the mixer for what has ended in control's eyes and not in the audio thread's. Beside the
// actions there is room for as many changes of them.
constexpr int kSpareVoices = 1024;

XrunInfo ToInfo(const Xrun& xrun) {
  XrunInfo info;
  info.frame = xrun.frame;
  info.earliest_frame = xrun.earliest_frame;
  info.latest_frame = xrun.latest_frame;
  info.flagged = xrun.flagged;
  switch (xrun.side) {
    case Xrun::Side::kUnknown:
      info.side = XrunSide::kUnknown;
      break;
    case Xrun::Side::kInput:
      info.side = XrunSide::kInput;
      break;
    case Xrun::Side::kOutput:
      info.side = XrunSide::kOutput;
      break;
    case Xrun::Side::kBoth:
      info.side = XrunSide::kBoth;
      break;
  }
  if (xrun.lost_bound_frames == Xrun::kUnknownBound) {
    info.lost_frames_error = std::numeric_limits<double>::infinity();
  } else {
    info.lost_frames = std::max<int64_t>(xrun.lost_frames, 0);
    info.lost_frames_error = static_cast<double>(xrun.lost_bound_frames);
  }
  return info;
}

}  // namespace

int64_t LiveStream::HistoryFrames(const StreamInfo& info, absl::Duration history) {
  const auto frames = static_cast<int64_t>(absl::ToDoubleSeconds(history) * info.sample_rate_hz);
  return std::max<int64_t>(frames, info.max_block_frames);
}

absl::StatusOr<std::shared_ptr<LiveStream>> LiveStream::Create(Options options) {
  const StreamInfo& info = options.info;
  Mixer::Options mixer_options;
  mixer_options.input_channels = info.input_channels;
  mixer_options.output_channels = info.output_channels;
  mixer_options.max_block_frames = info.max_block_frames;
  mixer_options.history_frames = HistoryFrames(info, options.history);
  mixer_options.max_pending_voices = 2 * options.max_actions + kSpareVoices;
  mixer_options.max_batches = options.max_actions + kSpareVoices;
  mixer_options.waker = options.waker.get();
  absl::StatusOr<std::unique_ptr<Mixer>> mixer = Mixer::Create(mixer_options);
  if (!mixer.ok()) return mixer.status();
  return std::make_shared<LiveStream>(std::move(options), *std::move(mixer));
}

LiveStream::LiveStream(Options options, std::unique_ptr<Mixer> mixer)
    : options_(std::move(options)),
      mixer_(std::move(mixer)),
      run_stats_(kHistoriesCounted * HistoryFrames(options_.info, options_.history)),
      time_map_(options_.info.sample_rate_hz, 0),
      xrun_detector_(&time_map_, kMaxXruns),
      input_repeats_(&mixer_->input_history()),
      clips_({{0, std::vector<int64_t>(options_.info.output_channels, 0)}}) {}

LiveStream::News LiveStream::ReadBlocks() {
  News news;
  const BlockLog& log = mixer_->block_log();
  BlockRecord block{};
  while (true) {
    const BlockLog::ReadResult result = log.Read(log_position_, &block);
    if (result == BlockLog::ReadResult::kNotYet) break;
    if (result == BlockLog::ReadResult::kOverwritten) {
      const int64_t begin = log.begin_position();
      news.missed_blocks += begin - log_position_;
      log_position_ = begin;
      continue;
    }
    ++log_position_;
    run_stats_.Add(block);
    xrun_detector_.AddBlock(block);
    if (block.clipped_samples > 0 && news.clipped_samples == 0) {
      news.clipped_frame = block.first_frame;
    }
    news.clipped_samples += block.clipped_samples;
    const bool finite = block.nonfinite_input_samples == 0;
    if (!finite && last_block_finite_ && !news.nonfinite_frame.has_value()) {
      news.nonfinite_frame = block.first_frame;
    }
    last_block_finite_ = finite;
    if (input_repeats_.AddBlock(block.first_frame, block.frames) &&
        !news.repeated_frame.has_value()) {
      news.repeated_frame = block.first_frame;
    }
    last_block_nanos_ = block.callback_nanos;
    last_block_end_frame_ = block.first_frame + block.frames;
    last_block_frames_ = block.frames;
  }
  if (news.clipped_samples > 0) NoteClips();

  for (const Xrun& xrun : xrun_detector_.XrunsFrom(next_xrun_sequence_)) {
    news.xruns.push_back(ToInfo(xrun));
  }
  next_xrun_sequence_ = xrun_detector_.next_sequence();
  for (const ClockRelock& relock : xrun_detector_.RelocksFrom(next_relock_sequence_)) {
    news.relocks.push_back({.frame = relock.frame,
                            .earliest_frame = relock.earliest_frame,
                            .latest_frame = relock.latest_frame,
                            .moved_frames = relock.moved_frames,
                            .moved_frames_error = relock.bound_frames});
  }
  next_relock_sequence_ = xrun_detector_.next_relock_sequence();
  return news;
}

int64_t LiveStream::FramesAway(int64_t now_nanos) const {
  if (!last_block_nanos_.has_value()) return 0;
  const double away = static_cast<double>(now_nanos - *last_block_nanos_) * 1e-9 * rate_hz();
  // The counter has moved already for a device that was opened again and did not run.
  const int64_t jumped_frames = mixer_->next_frame() - last_block_end_frame_;
  return std::max<int64_t>(std::llround(away) - last_block_frames_ - jumped_frames, 0);
}

void LiveStream::NoteJump(int64_t frames) {
  const int64_t next = mixer_->next_frame();
  // What the histories do not hold any more nobody will record.
  const int64_t oldest =
      std::min(mixer_->input_history().tail_frame(), mixer_->output_history().tail_frame());
  std::erase_if(holes_,
                [oldest](const Hole& hole) { return hole.first_frame + hole.frames <= oldest; });
  if (frames > 0) holes_.push_back({next - frames, frames});
  xrun_detector_.StartEpoch(rate_hz(), next);
}

void LiveStream::NoteClips() {
  Clips clips{last_block_end_frame_, {}};
  for (int c = 0; c < info().output_channels; ++c) {
    clips.samples.push_back(static_cast<int64_t>(mixer_->clipped_samples(c)));
  }
  clips_.push_back(std::move(clips));
  // As far back as blocks are counted, one tells what was before.
  const int64_t oldest = last_block_end_frame_ - run_stats_.window_frames();
  while (clips_.size() > kMaxClips || (clips_.size() > 1 && clips_[1].frame <= oldest)) {
    clips_.pop_front();
  }
}

std::vector<int64_t> LiveStream::ClippedBy(int64_t frame) const {
  const auto next = std::partition_point(clips_.begin(), clips_.end(),
                                         [&](const Clips& clips) { return clips.frame <= frame; });
  return next == clips_.begin() ? next->samples : std::prev(next)->samples;
}

bool LiveStream::Judged(int64_t frame) const {
  return xrun_detector_.judged_until_frame() >= frame;
}

void LiveStream::DescribeBlocks(const RunStats::Mark& mark, int64_t end_frame,
                                ActionReport* report) const {
  const RunStats::Counts counts = run_stats_.Between(mark, end_frame);
  report->blocks = counts.blocks;
  report->clipped_samples = counts.clipped_samples;
  report->nonfinite_input_samples = counts.nonfinite_input_samples;
}

void LiveStream::DescribeXruns(const RunStats::Mark& mark, int64_t end_frame, bool of_input,
                               ActionReport* report) const {
  report->xruns.clear();
  report->xrun_count = 0;
  report->touched = Touched::kNo;
  report->shortest_detectable_loss_frames = 0;
  if (of_input && input_repeats_.Any(mark.frame, end_frame)) report->touched = Touched::kCannotTell;
  // What was lost before its first frame is not its own.
  const int64_t begin_frame = mark.frame + 1;
  if (begin_frame >= end_frame) return;
  const std::vector<Xrun> xruns = xrun_detector_.XrunsIn(begin_frame, end_frame);
  report->xrun_count = static_cast<int64_t>(xruns.size());
  for (size_t i = 0; i < std::min<size_t>(xruns.size(), kReportedXruns); ++i) {
    report->xruns.push_back(ToInfo(xruns[i]));
  }
  switch (xrun_detector_.Touched(begin_frame, end_frame)) {
    case TouchedByXrun::kNo:
      break;
    case TouchedByXrun::kYes:
      report->touched = Touched::kYes;
      break;
    case TouchedByXrun::kCannotTell:
      report->touched = Touched::kCannotTell;
      break;
  }
  const double shortest = xrun_detector_.ShortestDetectableLossFrames(begin_frame, end_frame);
  if (std::isfinite(shortest)) {
    report->shortest_detectable_loss_frames = static_cast<int64_t>(std::ceil(shortest));
  }
}

LiveStream::Baseline LiveStream::BaselineAt(int64_t frame) const {
  return {run_stats_.MarkAt(frame), ClippedBy(frame)};
}

StreamStatsInfo LiveStream::StatsBetween(const Baseline& baseline, int64_t end_frame) const {
  StreamStatsInfo stats;
  stats.stream_id = id();
  stats.since_frame = baseline.mark.frame;
  stats.until_frame = end_frame;
  const RunStats::Counts counts = run_stats_.Between(baseline.mark, end_frame);
  stats.blocks = counts.blocks;
  stats.nonfinite_input_samples = counts.nonfinite_input_samples;
  for (const Xrun& xrun : xrun_detector_.XrunsIn(baseline.mark.frame, end_frame)) {
    ++stats.xruns;
    stats.lost_frames += ToInfo(xrun).lost_frames;
  }
  stats.clipped_samples = ClippedBy(end_frame);
  for (size_t c = 0; c < stats.clipped_samples.size(); ++c) {
    if (c < baseline.clipped_samples.size()) {
      stats.clipped_samples[c] -= baseline.clipped_samples[c];
    }
  }
  return stats;
}

}  // namespace rtmixd
