#include "server/mixer/voice.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace rtmixd {
namespace {

// Whether a sound has more bytes than the nearest cache of a processor.
bool IsFar(const AudioView& view) {
  constexpr int64_t kNearSamples = (32 << 10) / sizeof(float);
  return view.channels > 0 && view.frames > kNearSamples / view.channels;
}

// Moves it, without the changes that do not count from the origin: the voice takes these at once
// from `spec`, which keeps all, and one of them may be given back, and be gone, before the start.
Voice::Spec TakeRelative(Voice::Spec& spec) {
  Voice::Spec taken;
  std::swap(taken, spec);
  spec.changes = taken.changes;
  std::erase_if(taken.changes, [](const VoiceChange* change) { return change->absolute; });
  return taken;
}

}  // namespace

// Names maps of one or two channels, and those of channels in a row; every other map is its own. A
// map that sends two channels to one output is never named: the order of summation would change.
uint64_t Voice::RouteKey(const Spec& spec) {
  const std::vector<int>& map = spec.channel_map;
  const uint64_t far = IsFar(spec.view) ? kFarBit : 0;
  bool named = map.size() == 1 || (map.size() == 2 && map[0] != map[1]);
  if (map.size() > 2) {
    named = true;
    for (size_t c = 1; c < map.size(); ++c) named = named && map[c] == map[c - 1] + 1;
  }
  // An address of ints is even, and no key of a named map has the highest bit.
  if (!named) return uint64_t{1} << 63 | reinterpret_cast<uintptr_t>(map.data()) | far;
  return static_cast<uint64_t>(map.size()) << 42 | static_cast<uint64_t>(map.front()) << 22 |
         static_cast<uint64_t>(map.back()) << 2 | far;
}

Voice::Voice(Spec spec)
    : position_(spec.view_offset_frames),
      gain_(spec.gain),
      route_key_(RouteKey(spec)),
      channel_map_(spec.channel_map.data()),  // moving the vector keeps where its numbers are
      channels_(static_cast<int16_t>(spec.channel_map.size())),
      channel_stride_frames_(static_cast<int16_t>(spec.view.channel_stride_frames)),
      from_feed_(spec.feed != nullptr),
      segments_(spec.view.segments),
      ramp_(spec.gain),
      session_ramp_(spec.session_gain),
      spec_(TakeRelative(spec)),
      change_count_(static_cast<int64_t>(spec.changes.size())),
      jumps_left_(spec_.loop.passes - 1) {
  for (VoiceChange* const change : spec.changes) {
    if (change->absolute) ChangeRt(change);
  }
}

bool Voice::StartRt(int64_t origin_frame, int64_t requested_frame, int64_t block_first_frame,
                    VoiceChangeList* done) noexcept {
  requested_frame_ = requested_frame;
  if (spec_.cut_offset_frames != kNoFrame) CutRt(origin_frame + spec_.cut_offset_frames);
  spec_changes_taken_ = true;
  for (VoiceChange* const change : spec_.changes) {
    change->frame += origin_frame;
    ChangeRt(change);
  }
  const int64_t start = std::max(requested_frame, block_first_frame);
  if (cut_frame_ <= start || StopsByRt(start)) {
    EndRt(EndReason::kCancelled, requested_frame);
    return false;
  }
  late_frames_ = start - requested_frame;
  if (late_frames_ > 0 && spec_.late_policy == LatePolicy::kSkip) {
    EndRt(EndReason::kSkipped, requested_frame);
    return false;
  }
  PassSessionGainRt(start, done);
  float gain = spec_.gain;
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
  ramp_ = GainRamp(spec_.fade_in.frames > 0 ? 0.0f : gain);
  ramp_.StartRt(gain, spec_.fade_in);
  if (fades != nullptr) ramp_.StartRt(fades->gain, fades->fade);
  start_frame_.store(start, std::memory_order_relaxed);
  begin_ = static_cast<int>(start - block_first_frame);
  state_.store(State::kPlaying, std::memory_order_relaxed);
  if (late_frames_ > 0 && spec_.late_policy == LatePolicy::kTrim) SkipRt(late_frames_);
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

void Voice::CutRt(int64_t frame) noexcept {
  cut_frame_ = std::min(frame, cut_frame_);
  event_frame_ = std::min(event_frame_, cut_frame_);
  whole_frames_ = 0;
}

void Voice::ChangeRt(VoiceChange* change) noexcept {
  changes_.InsertRt(change);
  event_frame_ = std::min(event_frame_, change->frame);
  whole_frames_ = 0;
}

void Voice::GiveBackChangesRt(VoiceChangeList* done) noexcept {
  while (!changes_.empty()) done->AppendRt(changes_.PopRt());
  if (std::exchange(spec_changes_taken_, true)) return;
  for (VoiceChange* const change : spec_.changes) done->AppendRt(change);
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
      if (change.at_once && position_frames() >= spec_.loop.begin_frame) {
        position_.store(std::max(position_frames(), spec_.loop.end_frame),
                        std::memory_order_relaxed);
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
  if (spec_.max_frames == kNoFrame) return kNoFrame;
  return std::max<int64_t>(spec_.max_frames - done_frames() - length_dropped_, 0);
}

int64_t Voice::RemainingFrames() const noexcept {
  const int64_t left = LeftOfMaxFrames();
  if (from_feed_ || jumps_left_ < 0) return left;
  int64_t looped = 0;
  if (__builtin_mul_overflow(jumps_left_, spec_.loop.end_frame - spec_.loop.begin_frame, &looped) ||
      looped > kNoFrame / 2) {
    return left;
  }
  return std::min(left, looped + spec_.view.frames - position_frames());
}

int64_t Voice::FadeOutDistance() const noexcept {
  if (spec_.fade_out.frames == 0 || fading_out_) return kNoFrame;
  const int64_t remaining = RemainingFrames();
  return remaining == kNoFrame ? kNoFrame : std::max<int64_t>(remaining - spec_.fade_out.frames, 0);
}

int64_t Voice::FadeOutRt() noexcept {
  const int64_t distance = FadeOutDistance();
  if (distance > 0) return distance;
  fading_out_ = true;
  ramp_.StartRt(0.0f, {.frames = RemainingFrames(), .shape = spec_.fade_out.shape});
  return kNoFrame;
}

void Voice::PassViewRt(int64_t frames) noexcept {
  int64_t position = position_frames() + frames;
  const Loop& loop = spec_.loop;
  if (jumps_left_ != 0 && position >= loop.end_frame) {
    const int64_t length = loop.end_frame - loop.begin_frame;
    int64_t jumps = (position - loop.end_frame) / length + 1;
    if (jumps_left_ > 0) {
      jumps = std::min(jumps, jumps_left_);
      jumps_left_ -= jumps;
    }
    position -= jumps * length;
  }
  position_.store(position, std::memory_order_relaxed);
}

void Voice::SkipRt(int64_t frames) noexcept {
  if (state() != State::kPlaying || paused()) return;
  if (from_feed_) {
    if (!idling_) trim_debt_frames_ += frames;
    return;
  }
  for (int64_t left = std::min(frames, RemainingFrames()); left > 0;) {
    const int64_t step = std::min(left, FadeOutRt());
    ramp_.AdvanceRt(step);
    PassViewRt(step);
    length_dropped_ += step;
    trimmed_frames_ += step;
    left -= step;
  }
  whole_frames_ = 0;
}

void Voice::LookAheadRt(int64_t next_frame) noexcept {
  event_frame_ = cut_frame_;
  if (!changes_.empty()) event_frame_ = std::min(event_frame_, changes_.front()->frame);
  gain_ = ramp_.target() * session_ramp_.target();
  fading_ = ramp_.moving() || session_ramp_.moving();
  plain_ = !paused() && !fading_ && !(from_feed_ && spec_.max_frames != kNoFrame);
  whole_frames_ = 0;
  if (paused() || from_feed_) return;
  const int64_t position = position_frames();
  // A view is at most as long as its position can be, so that no sum overflows.
  const int64_t view_left =
      (jumps_left_ != 0 ? spec_.loop.end_frame : spec_.view.frames) - position;
  // What happens on the frame after a block belongs to it.
  const int64_t quiet =
      std::min({view_left, LeftOfMaxFrames(), FadeOutDistance(),
                ramp_.moving() ? ramp_.midst_frames() : kNoFrame,
                session_ramp_.moving() ? session_ramp_.midst_frames() : kNoFrame,
                event_frame_ == kNoFrame ? kNoFrame : event_frame_ - next_frame}) -
      1;
  if (quiet <= 0) return;
  const int64_t offset = position % AudioView::kSegmentFrames;
  next_samples_ = segments_[position / AudioView::kSegmentFrames] + offset;
  whole_frames_ = static_cast<int32_t>(std::min(quiet, AudioView::kSegmentFrames - offset));
}

void Voice::EndRt(EndReason reason, int64_t frame) noexcept {
  end_reason_ = reason;
  end_frame_ = frame;
  state_.store(State::kEnded, std::memory_order_relaxed);
}

void Voice::AddGapRt(int64_t first_frame, int64_t frames) noexcept {
  // Only this thread writes the totals: no need for atomic additions.
  gap_total_frames_.store(gap_total_frames() + frames, std::memory_order_relaxed);
  int64_t count = gap_count();
  if (first_frame != gap_end_frame_) {
    if (count < kGapSlots) gaps_[count] = {first_frame, 0, done_frames()};
    gap_count_.store(++count, std::memory_order_relaxed);
  }
  gap_end_frame_ = first_frame + frames;
  gaps_[std::min<int64_t>(count, kGapSlots) - 1].frames += frames;
}

void Voice::AddDoneRt(int64_t frames) noexcept {
  // Only this thread writes it: no need for an atomic addition.
  done_frames_.store(done_frames_.load(std::memory_order_relaxed) + frames,
                     std::memory_order_relaxed);
}

}  // namespace rtmixd
