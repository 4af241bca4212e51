#include "server/mixer/voice.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/memory/memory.h"
#include "server/mixer/mix_runs.h"

namespace rtmixd {
namespace {

// A hundred thousand may wait.
static_assert(sizeof(Voice) <= 6 * kCacheLineBytes);

// Whether a sound has more bytes than the nearest cache of a processor.
bool IsFar(const AudioView& view) {
  constexpr int64_t kNearSamples = (32 << 10) / sizeof(float);
  return view.channels > 0 && view.frames > kNearSamples / view.channels;
}

}  // namespace

// What no output has stays what no output has.
Voice::ChannelMap Voice::ToChannelMap(const std::vector<int>& outputs) {
  ChannelMap map(outputs.size());
  std::transform(outputs.begin(), outputs.end(), map.begin(), [](int output) {
    return static_cast<int16_t>(std::clamp<int>(output, -1, std::numeric_limits<int16_t>::max()));
  });
  return map;
}

// Names maps of one or two channels, and those of channels in a row; every other map is its own. A
// map that sends two channels to one output is never named: the order of summation would change.
uint64_t Voice::RouteKey(const AudioView& view, const ChannelMap& map) {
  const uint64_t far = IsFar(view) ? kFarBit : 0;
  bool named = map.size() == 1 || (map.size() == 2 && map[0] != map[1]);
  if (map.size() > 2) {
    named = true;
    for (size_t c = 1; c < map.size(); ++c) named = named && map[c] == map[c - 1] + 1;
  }
  // An address of shorts is even, and has not the highest of the bits, which no named map has.
  const uint64_t bits = named ? static_cast<uint64_t>(map.size()) << 42 |
                                    static_cast<uint64_t>(map.front()) << 22 |
                                    static_cast<uint64_t>(map.back()) << 2
                              : uint64_t{1} << 55 | reinterpret_cast<uintptr_t>(map.data());
  return MixRuns::KeyOf(map.empty() ? 0 : map.front(), bits | far);
}

Voice::Voice(const Spec& spec)
    : progress_(spec.view_offset_frames),
      next_{.origin = 0,
            .gain = spec.gain,
            .stride = static_cast<int16_t>(spec.view.channel_stride_frames),
            .gains_line = 0},
      channels_(static_cast<int16_t>(spec.channel_map.size())),
      from_feed_(spec.feed != nullptr),
      late_policy_(spec.late_policy),
      fade_out_shape_(spec.fade_out.shape),
      segments_(spec.view.segments),
      loop_end_frame_(spec.loop.end_frame),
      jumps_left_(spec.loop.passes - 1),
      ramp_(spec.fade_in.frames > 0 ? 0.0f : spec.gain),
      session_ramp_(spec.session_gain),
      loop_begin_frame_(spec.loop.begin_frame),
      view_frames_(spec.view.frames),
      max_frames_(spec.max_frames),
      fade_out_frames_(spec.fade_out.frames),
      offset_frames_(spec.offset_frames),
      sequence_(spec.sequence),
      owner_(spec.owner),
      cut_offset_frames_(spec.cut_offset_frames),
      predecessor_(spec.after),
      source_channels_(
          static_cast<int16_t>(spec.feed != nullptr ? spec.feed->channels() : spec.view.channels)),
      change_count_(static_cast<int16_t>(std::min<size_t>(spec.changes.size(), kMaxChanges + 1))),
      feed_(spec.feed != nullptr ? absl::WrapUnique(new Feed{spec.feed, spec.underrun_policy})
                                 : nullptr),
      channel_map_(ToChannelMap(spec.channel_map)) {
  if (!from_feed_) route_key_ = RouteKey(spec.view, channel_map_);
  ramp_.StartRt(spec.gain, spec.fade_in);
  VoiceChange** relative = &relative_changes_;
  for (VoiceChange* const change : spec.changes) {
    if (change->absolute) {
      ChangeRt(change);
    } else {
      *relative = change;
      change->next = nullptr;
      relative = &change->next;
    }
  }
}

bool Voice::StartRt(int64_t origin_frame, int64_t requested_frame, int64_t block_first_frame,
                    VoiceChangeList* done) noexcept {
  requested_frame_ = requested_frame;
  if (cut_offset_frames_ != kNoFrame) CutRt(origin_frame + cut_offset_frames_);
  while (VoiceChange* const change = relative_changes_) {
    relative_changes_ = change->next;
    change->frame += origin_frame;
    ChangeRt(change);
  }
  const int64_t start = std::max(requested_frame, block_first_frame);
  if (cut_frame_ <= start || StopsByRt(start)) {
    EndRt(EndReason::kCancelled, requested_frame);
    return false;
  }
  late_frames_ = start - requested_frame;
  if (late_frames_ > 0 && late_policy_ == LatePolicy::kSkip) {
    EndRt(EndReason::kSkipped, requested_frame);
    return false;
  }
  PassSessionGainRt(start, done);
  float gain = ramp_.target();
  const Fade fade_in = ramp_.fade();
  const VoiceChange* fades = nullptr;
  while (!changes_.empty() && changes_.front()->frame <= start) {
    VoiceChange* const change = changes_.PopRt();
    change->applied_frame = start;
    if (change->kind == VoiceChange::Kind::kGain) {
      // A fade that was to begin with the sound does; one that was to begin before is over.
      const bool begins_here = change->frame >= requested_frame && change->fade.frames > 0;
      fades = begins_here ? change : nullptr;
      if (!begins_here) gain = change->gain;
    } else {
      TakeEffectRt(*change);
    }
    done->AppendRt(change);
  }
  ramp_ = GainRamp(fade_in.frames > 0 ? 0.0f : gain);
  ramp_.StartRt(gain, fade_in);
  if (fades != nullptr) ramp_.StartRt(fades->gain, fades->fade);
  start_frame_.store(start, std::memory_order_relaxed);
  begin_ = static_cast<int16_t>(start - block_first_frame);
  state_.store(State::kPlaying, std::memory_order_relaxed);
  if (late_frames_ > 0 && late_policy_ == LatePolicy::kTrim) SkipRt(late_frames_);
  return true;
}

void Voice::PassSessionGainRt(int64_t frame, VoiceChangeList* done) noexcept {
  while (VoiceChange* const change =
             changes_.RemoveFirstRt(VoiceChange::Kind::kSessionGain, frame)) {
    if (session_frame_ != kNoFrame) session_ramp_.AdvanceRt(change->frame - session_frame_);
    session_frame_ = change->frame;
    change->applied_frame = change->frame;
    session_ramp_.StartRt(change->gain, change->fade);
    done->AppendRt(change);
  }
  if (session_frame_ == kNoFrame) return;
  session_ramp_.AdvanceRt(frame - session_frame_);
  session_frame_ = frame;
}

bool Voice::StopsByRt(int64_t frame) noexcept {
  for (VoiceChange* change = changes_.empty() ? nullptr : changes_.front();
       change != nullptr && change->frame <= frame; change = change->next) {
    if (change->kind != VoiceChange::Kind::kStop) continue;
    change->applied_frame = frame;
    return true;
  }
  return false;
}

void Voice::CutRt(int64_t frame) noexcept { cut_frame_ = std::min(frame, cut_frame_); }

void Voice::ChangeRt(VoiceChange* change) noexcept { changes_.InsertRt(change); }

void Voice::GiveBackChangesRt(VoiceChangeList* done) noexcept {
  while (!changes_.empty()) done->AppendRt(changes_.PopRt());
  while (VoiceChange* const change = relative_changes_) {
    relative_changes_ = change->next;
    done->AppendRt(change);
  }
}

void Voice::TakeEffectRt(const VoiceChange& change) noexcept {
  switch (change.kind) {
    case VoiceChange::Kind::kGain:
      // What fades out for its end does so whatever the gain was to be.
      if (!fading_out_) ramp_.StartRt(change.gain, change.fade);
      break;
    case VoiceChange::Kind::kSessionGain:
      session_ramp_.StartRt(change.gain, change.fade);
      break;
    case VoiceChange::Kind::kPause:
      paused_.store(true, std::memory_order_relaxed);
      break;
    case VoiceChange::Kind::kResume:
      paused_.store(false, std::memory_order_relaxed);
      break;
    case VoiceChange::Kind::kLeaveLoop:
      if (change.at_once && position_frames() >= loop_begin_frame_) {
        progress_.SetPositionRt(std::max(position_frames(), loop_end_frame_));
      }
      jumps_left_ = 0;
      break;
    case VoiceChange::Kind::kStop:
      fading_out_ = true;
      ramp_.StartRt(0.0f, change.fade);
      CutRt(change.applied_frame + change.fade.frames);
      break;
  }
}

int64_t Voice::LeftOfMaxFrames() const noexcept {
  if (max_frames_ == kNoFrame) return kNoFrame;
  return std::max<int64_t>(max_frames_ - done_frames(), 0);
}

void Voice::DropFramesRt(int64_t frames) noexcept {
  if (max_frames_ != kNoFrame) max_frames_ -= frames;
}

int64_t Voice::RemainingFrames() const noexcept {
  const int64_t left = LeftOfMaxFrames();
  if (from_feed_ || jumps_left_ < 0) return left;
  int64_t looped = 0;
  if (__builtin_mul_overflow(jumps_left_, loop_end_frame_ - loop_begin_frame_, &looped) ||
      looped > kNoFrame / 2) {
    return left;
  }
  return std::min(left, looped + view_frames_ - position_frames());
}

int64_t Voice::FadeOutDistance() const noexcept {
  if (fade_out_frames_ == 0 || fading_out_) return kNoFrame;
  const int64_t remaining = RemainingFrames();
  return remaining == kNoFrame ? kNoFrame : std::max<int64_t>(remaining - fade_out_frames_, 0);
}

int64_t Voice::FadeOutRt() noexcept {
  const int64_t distance = FadeOutDistance();
  if (distance > 0) return distance;
  fading_out_ = true;
  ramp_.StartRt(0.0f, {.frames = RemainingFrames(), .shape = fade_out_shape_});
  return kNoFrame;
}

void Voice::PassViewRt(int64_t frames) noexcept {
  int64_t position = position_frames() + frames;
  if (jumps_left_ != 0 && position >= loop_end_frame_) {
    const int64_t length = loop_end_frame_ - loop_begin_frame_;
    const int64_t past = position - loop_end_frame_;
    int64_t jumps = 1 + (past < length ? 0 : past / length);  // most need no division
    if (jumps_left_ > 0) {
      jumps = std::min(jumps, jumps_left_);
      jumps_left_ -= jumps;
    }
    position -= jumps * length;
  }
  progress_.SetPositionRt(position);
}

void Voice::SkipRt(int64_t frames) noexcept {
  if (state() != State::kPlaying || paused()) return;
  if (from_feed_) {
    if (!feed_->idling) feed_->trim_debt_frames += frames;
    return;
  }
  progress_.BeginRt();
  for (int64_t left = std::min(frames, RemainingFrames()); left > 0;) {
    const int64_t step = std::min(left, FadeOutRt());
    ramp_.AdvanceRt(step);
    PassViewRt(step);
    DropFramesRt(step);
    trimmed_frames_ += step;
    left -= step;
  }
  progress_.EndRt();
}

void Voice::LookAheadRt(int64_t next_frame) noexcept {
  next_.gain = ramp_.target() * session_ramp_.target();
  fading_ = ramp_.moving() || session_ramp_.moving();
  plain_ = !paused() && !fading_ && !(from_feed_ && max_frames_ != kNoFrame);
  progress_.GoOnRt(next_frame, next_frame);
  if (paused() || from_feed_) return;
  const int64_t position = position_frames();
  // A view is at most as long as its position can be, so that no sum overflows.
  const int64_t view_left = (jumps_left_ != 0 ? loop_end_frame_ : view_frames_) - position;
  // What happens on the frame after a block belongs to it.
  int64_t quiet = std::min(view_left, LeftOfMaxFrames());
  if (fade_out_frames_ > 0) quiet = std::min(quiet, FadeOutDistance());
  if (ramp_.moving()) quiet = std::min(quiet, ramp_.midst_frames());
  if (session_ramp_.moving()) quiet = std::min(quiet, session_ramp_.midst_frames());
  if (EventFrame() != kNoFrame) quiet = std::min(quiet, EventFrame() - next_frame);
  --quiet;
  if (quiet <= 0) return;
  const int64_t offset = OffsetInSegment(position);
  next_.origin = WholeSpan::Origin(SamplesAt(position), next_frame);
  progress_.GoOnRt(next_frame, next_frame + std::min(quiet, AudioView::kSegmentFrames - offset));
}

void Voice::EndRt(EndReason reason, int64_t frame) noexcept {
  end_reason_ = reason;
  end_frame_ = frame;
  state_.store(State::kEnded, std::memory_order_relaxed);
}

void Voice::AddGapRt(int64_t first_frame, int64_t frames) noexcept {
  Feed& own = *feed_;
  // Only this thread writes the totals: no need for atomic additions.
  own.gap_total_frames.store(own.gap_total_frames.load(std::memory_order_relaxed) + frames,
                             std::memory_order_relaxed);
  int64_t count = own.gap_count.load(std::memory_order_relaxed);
  if (first_frame != own.gap_end_frame) {
    if (count < kGapSlots) own.gaps[count] = {first_frame, 0, done_frames()};
    own.gap_count.store(++count, std::memory_order_relaxed);
  }
  own.gap_end_frame = first_frame + frames;
  own.gaps[std::min<int64_t>(count, kGapSlots) - 1].frames += frames;
}

void Voice::AddDoneRt(int64_t frames) noexcept { progress_.SetDoneRt(done_frames() + frames); }

}  // namespace rtmixd
