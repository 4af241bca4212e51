#include "server/mixer/voice.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "server/mixer/mix_runs.h"

namespace rtmixd {
namespace {

// A hundred thousand may wait.
static_assert(sizeof(Voice) <= 4 * kCacheLineBytes);

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

std::unique_ptr<Voice::Extras> Voice::ExtrasOf(const Spec& spec) {
  if (spec.cut_offset_frames == kNoFrame && spec.max_frames == kNoFrame &&
      spec.fade_out.frames == 0 && spec.session_gain == 1.0f && spec.changes.empty() &&
      spec.after == nullptr && spec.feed == nullptr) {
    return nullptr;
  }
  auto extras = std::make_unique<Extras>();
  extras->max_frames = spec.max_frames;
  extras->fade_out_frames = spec.fade_out.frames;
  extras->fade_out_shape = spec.fade_out.shape;
  extras->change_count =
      static_cast<int16_t>(std::min<size_t>(spec.changes.size(), kMaxChanges + 1));
  extras->session_ramp = GainRamp(spec.session_gain);
  extras->cut_offset_frames = spec.cut_offset_frames;
  VoiceChange** relative = &extras->relative_changes;
  for (VoiceChange* const change : spec.changes) {
    if (change->absolute) {
      extras->changes.InsertRt(change);
    } else {
      *relative = change;
      change->next = nullptr;
      relative = &change->next;
    }
  }
  extras->predecessor = spec.after;
  if (spec.feed != nullptr) {
    extras->feed = absl::WrapUnique(new Feed{spec.feed, spec.underrun_policy});
  }
  return extras;
}

Voice::Voice(const Spec& spec)
    : progress_(spec.view_offset_frames),
      next_{.origin = 0,
            .gain = spec.gain,
            .stride = static_cast<int16_t>(spec.view.channel_stride_frames),
            .gains_line = 0},
      channels_(static_cast<int16_t>(spec.channel_map.size())),
      source_channels_(
          static_cast<int16_t>(spec.feed != nullptr ? spec.feed->channels() : spec.view.channels)),
      from_feed_(spec.feed != nullptr),
      fades_out_(spec.fade_out.frames > 0),
      late_policy_(spec.late_policy),
      extras_(ExtrasOf(spec).release()),
      segments_(spec.view.segments),
      loop_begin_frame_(spec.loop.begin_frame),
      loop_end_frame_(spec.loop.end_frame),
      jumps_left_(spec.loop.passes - 1),
      view_frames_(spec.view.frames),
      ramp_(spec.fade_in.frames > 0 ? 0.0f : spec.gain),
      channel_map_(ToChannelMap(spec.channel_map)),
      offset_frames_(spec.offset_frames),
      sequence_(spec.sequence),
      owner_(spec.owner) {
  if (!from_feed_) route_key_ = RouteKey(spec.view, channel_map_);
  ramp_.StartRt(spec.gain, spec.fade_in);
}

Voice::~Voice() { delete LoadExtras(); }

void Voice::MakeExtras() {
  if (LoadExtras() != nullptr) return;
  // Release: who sees them sees what is in them.
  extras_.store(new Extras, std::memory_order_release);
}

bool Voice::StartRt(int64_t origin_frame, int64_t requested_frame, int64_t block_first_frame,
                    VoiceChangeList* done) noexcept {
  requested_frame_ = requested_frame;
  const int64_t start = std::max(requested_frame, block_first_frame);
  const Extras* const extras = LoadExtras();
  if (extras != nullptr) {
    SetOriginRt(origin_frame);
    if (extras->cut_frame <= start || StopsByRt(start)) {
      EndRt(EndReason::kCancelled, requested_frame);
      return false;
    }
  }
  late_frames_ = start - requested_frame;
  if (late_frames_ > 0 && late_policy_ == LatePolicy::kSkip) {
    EndRt(EndReason::kSkipped, requested_frame);
    return false;
  }
  if (extras != nullptr) PassChangesRt(requested_frame, start, done);
  start_frame_.store(start, std::memory_order_relaxed);
  begin_ = static_cast<int16_t>(start - block_first_frame);
  state_.store(State::kPlaying, std::memory_order_relaxed);
  if (late_frames_ > 0 && late_policy_ == LatePolicy::kTrim) SkipRt(late_frames_);
  return true;
}

void Voice::SetOriginRt(int64_t origin_frame) noexcept {
  Extras& extras = *LoadExtras();
  if (extras.cut_offset_frames != kNoFrame) CutRt(origin_frame + extras.cut_offset_frames);
  while (VoiceChange* const change = extras.relative_changes) {
    extras.relative_changes = change->next;
    change->frame += origin_frame;
    ChangeRt(change);
  }
}

void Voice::PassChangesRt(int64_t requested_frame, int64_t start_frame,
                          VoiceChangeList* done) noexcept {
  PassSessionGainRt(start_frame, done);
  VoiceChangeList& changes = LoadExtras()->changes;
  float gain = ramp_.target();
  const Fade fade_in = ramp_.fade();
  const VoiceChange* fades = nullptr;
  while (!changes.empty() && changes.front()->frame <= start_frame) {
    VoiceChange* const change = changes.PopRt();
    change->applied_frame = start_frame;
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
}

void Voice::PassSessionGainRt(int64_t frame, VoiceChangeList* done) noexcept {
  Extras& extras = *LoadExtras();
  while (VoiceChange* const change =
             extras.changes.RemoveFirstRt(VoiceChange::Kind::kSessionGain, frame)) {
    if (extras.session_frame != kNoFrame) {
      extras.session_ramp.AdvanceRt(change->frame - extras.session_frame);
    }
    extras.session_frame = change->frame;
    change->applied_frame = change->frame;
    extras.session_ramp.StartRt(change->gain, change->fade);
    done->AppendRt(change);
  }
  if (extras.session_frame == kNoFrame) return;
  extras.session_ramp.AdvanceRt(frame - extras.session_frame);
  extras.session_frame = frame;
}

bool Voice::StopsByRt(int64_t frame) noexcept {
  const VoiceChangeList& changes = LoadExtras()->changes;
  for (VoiceChange* change = changes.empty() ? nullptr : changes.front();
       change != nullptr && change->frame <= frame; change = change->next) {
    if (change->kind != VoiceChange::Kind::kStop) continue;
    change->applied_frame = frame;
    return true;
  }
  return false;
}

void Voice::CutRt(int64_t frame) noexcept {
  Extras& extras = *LoadExtras();
  extras.cut_frame = std::min(frame, extras.cut_frame);
}

void Voice::ChangeRt(VoiceChange* change) noexcept { LoadExtras()->changes.InsertRt(change); }

void Voice::GiveBackChangesRt(VoiceChangeList* done) noexcept {
  Extras* const extras = LoadExtras();
  if (extras == nullptr) return;
  while (!extras->changes.empty()) done->AppendRt(extras->changes.PopRt());
  while (VoiceChange* const change = extras->relative_changes) {
    extras->relative_changes = change->next;
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
      LoadExtras()->session_ramp.StartRt(change.gain, change.fade);
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

void Voice::DropFramesRt(int64_t frames) noexcept {
  Extras* const extras = LoadExtras();
  if (extras != nullptr && extras->max_frames != kNoFrame) extras->max_frames -= frames;
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
  if (!fades_out_ || fading_out_) return kNoFrame;
  const int64_t remaining = RemainingFrames();
  if (remaining == kNoFrame) return kNoFrame;
  return std::max<int64_t>(remaining - LoadExtras()->fade_out_frames, 0);
}

int64_t Voice::FadeOutRt() noexcept {
  const int64_t distance = FadeOutDistance();
  if (distance > 0) return distance;
  fading_out_ = true;
  ramp_.StartRt(0.0f, {.frames = RemainingFrames(), .shape = LoadExtras()->fade_out_shape});
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
    if (!LoadFeed().idling) LoadFeed().trim_debt_frames += frames;
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

void Voice::LookAheadRt(int64_t next_frame, MixBus* bus) noexcept {
  const Extras* const extras = LoadExtras();
  next_.gain = ramp_.target();
  fading_ = ramp_.moving();
  if (extras != nullptr) {
    next_.gain *= extras->session_ramp.target();
    fading_ |= extras->session_ramp.moving();
  }
  plain_ = !paused() && !fading_ && !(from_feed_ && LeftOfMaxFrames() != kNoFrame);
  progress_.GoOnRt(next_frame, next_frame);
  if (paused() || from_feed_) return;
  const int64_t position = position_frames();
  // A view is at most as long as its position can be, so that no sum overflows.
  int64_t quiet = (jumps_left_ != 0 ? loop_end_frame_ : view_frames_) - position;
  if (ramp_.moving()) quiet = std::min(quiet, ramp_.midst_frames());
  if (extras != nullptr) {
    quiet = std::min({quiet, LeftOfMaxFrames(), FadeOutDistance()});
    const GainRamp& session_ramp = extras->session_ramp;
    if (session_ramp.moving()) quiet = std::min(quiet, session_ramp.midst_frames());
    const int64_t event_frame = extras->EventFrame();
    if (event_frame != kNoFrame) quiet = std::min(quiet, event_frame - next_frame);
  }
  --quiet;  // what happens on the frame after a block belongs to it
  if (quiet <= 0) return;
  const int64_t offset = OffsetInSegment(position);
  next_.origin = WholeSpan::Origin(SamplesAt(position), next_frame);
  progress_.GoOnRt(next_frame, next_frame + std::min(quiet, AudioView::kSegmentFrames - offset));
  if (fading_) JoinFadeRt(0, bus);
}

void Voice::JoinFadeRt(int64_t ahead, MixBus* bus) noexcept {
  const bool session_moves = SessionRamp().moving();
  if (ramp_.moving() && session_moves) return;
  GainRamp moving = session_moves ? SessionRamp() : ramp_;
  const float scale = (session_moves ? ramp_ : SessionRamp()).target();
  moving.AdvanceRt(ahead);
  next_.gains_line = bus->fades().JoinRt(moving, scale, progress_.as_of_frame() + ahead);
  fading_ = next_.gains_line == 0;
}

void Voice::StopRt(int64_t frame, MixBus* bus) noexcept {
  if (next_.gains_line != 0) bus->fades().LeaveRt(std::exchange(next_.gains_line, 0));
  AdvanceGainRt(progress_.StopRt(frame));
}

void Voice::AdvanceGainRt(int64_t frames) noexcept {
  ramp_.AdvanceRt(frames);
  Extras* const extras = LoadExtras();
  if (extras != nullptr) extras->session_ramp.AdvanceRt(frames);
}

void Voice::EndRt(EndReason reason, int64_t frame) noexcept {
  end_reason_ = reason;
  end_frame_ = frame;
  state_.store(State::kEnded, std::memory_order_relaxed);
}

void Voice::AddGapRt(int64_t first_frame, int64_t frames) noexcept {
  Feed& own = LoadFeed();
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
