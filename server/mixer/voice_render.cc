// The part of Voice that runs in blocks in which something happens to it, or which come from a
// feed.

#include <algorithm>
#include <array>
#include <utility>

#include "server/mixer/voice.h"

namespace rtmixd {

bool Voice::RenderRt(int64_t block_first_frame, int frames, MixBus* bus,
                     VoiceChangeList* done) noexcept {
  progress_.BeginRt();
  StopRt(block_first_frame, bus);
  bool goes_on = false;
  if (from_feed_ && plain_ && EventFrame() > block_first_frame + frames) {
    FeedBlock feed = {};
    goes_on = BeginFeedBlockRt(&feed) &&
              RenderFeedRt(block_first_frame, std::exchange(begin_, 0), frames, &feed, bus);
  } else {
    goes_on = RenderPiecesRt(block_first_frame, frames, bus, done);
    if (goes_on) LookAheadRt(block_first_frame + frames, bus);
  }
  progress_.EndRt();
  return goes_on;
}

bool Voice::RenderPiecesRt(int64_t block_first_frame, int frames, MixBus* bus,
                           VoiceChangeList* done) noexcept {
  FeedBlock feed = {};
  if (from_feed_ && !BeginFeedBlockRt(&feed)) return false;
  Extras* const extras = LoadExtras();
  for (int at = std::exchange(begin_, 0); at < frames;) {
    const int64_t now = block_first_frame + at;
    int64_t cut = kNoFrame;
    int stop = frames;
    if (extras != nullptr) {
      VoiceChangeList& changes = extras->changes;
      while (!changes.empty() && changes.front()->frame <= now) {
        VoiceChange* const change = changes.PopRt();
        change->applied_frame = now;
        TakeEffectRt(*change);
        done->AppendRt(change);
      }
      const int64_t next_change =
          changes.empty() ? kNoFrame : changes.front()->frame - block_first_frame;
      cut = std::max<int64_t>(extras->cut_frame - block_first_frame, at);
      stop = static_cast<int>(std::min({int64_t{frames}, next_change, cut}));
    }
    if (paused()) {
      LoadExtras()->session_ramp.AdvanceRt(stop - at);  // a change paused it
    } else {
      next_.gain = ramp_.target() * SessionRamp().target();
      const int64_t sounds = std::min(LeftOfMaxFrames(), FadeOutRt());
      if (stop - at > sounds) stop = at + static_cast<int>(sounds);
      if (from_feed_ ? !RenderFeedRt(block_first_frame, at, stop, &feed, bus)
                     : !RenderViewRt(block_first_frame, at, stop, bus)) {
        return false;
      }
    }
    at = stop;
    if (cut == at) {
      EndRt(EndReason::kCancelled, extras->cut_frame);
      return false;
    }
  }
  return true;
}

bool Voice::RenderSpanRt(int64_t block_first_frame, int frames, MixBus* bus,
                         WholeSpan* span) noexcept {
  return RenderWholeRt(block_first_frame, frames, span) ||
         RenderFadingRt(block_first_frame, frames, bus, span) ||
         RenderJoinedRt(block_first_frame, frames, bus, span);
}

bool Voice::RenderWholeRt(int64_t block_first_frame, int frames, WholeSpan* span) const noexcept {
  if (fading_ || block_first_frame + frames > progress_.until_frame()) return false;
  *span = next_;
  return true;
}

bool Voice::RenderFadingRt(int64_t block_first_frame, int frames, MixBus* bus,
                           WholeSpan* span) noexcept {
  if (!fading_ || block_first_frame + frames > progress_.until_frame()) return false;
  float* const gains = bus->TakeRoomRt(frames);
  if (gains == nullptr) return false;
  const int64_t ahead = block_first_frame - progress_.as_of_frame();
  WriteGainsRt(ahead, frames, bus, gains);
  *span = next_;
  span->gains_line = bus->GainsLine(gains);
  if (!bus->fades().full()) JoinFadeRt(ahead + frames, bus);
  return true;
}

bool Voice::RenderJoinedRt(int64_t block_first_frame, int frames, MixBus* bus,
                           WholeSpan* span) noexcept {
  if (from_feed_ || paused() || begin_ != 0 || EventFrame() <= block_first_frame + frames) {
    return false;
  }
  float* const samples = bus->TakeRoomRt(int64_t{channels_} * frames);
  if (samples == nullptr) return false;
  float* gains = nullptr;
  uint16_t gains_line = next_.gains_line;
  const bool moving = ramp_.moving() || SessionRamp().moving();
  if (moving && (gains_line == 0 || !bus->fades().Covers(gains_line))) {
    gains = bus->TakeRoomRt(frames);
    if (gains == nullptr) return false;
    gains_line = bus->GainsLine(gains);
  }
  InterruptRt(block_first_frame, bus);
  if (RemainingFrames() <= frames || FadeOutDistance() <= frames) return false;
  if (gains != nullptr) WriteGainsRt(0, frames, bus, gains);
  AdvanceGainRt(frames);
  progress_.BeginRt();
  *span = {WholeSpan::Origin(samples, block_first_frame), ramp_.target() * SessionRamp().target(),
           static_cast<int16_t>(frames), gains_line};
  for (int at = 0; at < frames;) {
    const Piece piece = NextPieceRt(frames - at);
    for (int c = 0; c < channels_; ++c) {
      std::copy_n(piece.samples + int64_t{c} * next_.stride, piece.frames,
                  samples + int64_t{c} * frames + at);
    }
    at += piece.frames;
    PassViewRt(piece.frames);
  }
  AddDoneRt(frames);
  LookAheadRt(block_first_frame + frames, bus);
  progress_.EndRt();
  return true;
}

const float* Voice::GainsRt(int frames, MixBus* bus) noexcept {
  if (!ramp_.moving() && !SessionRamp().moving()) return nullptr;
  bus->ReleaseRoomRt();
  float* const gains = bus->TakeRoomRt(frames);
  WriteGainsRt(0, frames, bus, gains);
  AdvanceGainRt(frames);
  return gains;
}

void Voice::WriteGainsRt(int64_t ahead, int frames, MixBus* bus, float* gains) const noexcept {
  GainRamp own = ramp_;
  GainRamp session = SessionRamp();
  own.AdvanceRt(ahead);
  session.AdvanceRt(ahead);
  if (!session.moving()) {
    own.WriteRt(bus->kernel(), session.target(), gains, frames);
  } else if (!own.moving()) {
    session.WriteRt(bus->kernel(), own.target(), gains, frames);
  } else {
    own.WriteRt(bus->kernel(), 1.0f, gains, frames);
    float* const session_gains = bus->ScratchGainsRt();
    session.WriteRt(bus->kernel(), 1.0f, session_gains, frames);
    bus->kernel().multiply(session_gains, gains, frames);
  }
}

Voice::Piece Voice::NextPieceRt(int max_frames) const noexcept {
  const int64_t position = position_frames();
  const int64_t limit = jumps_left_ != 0 ? loop_end_frame_ : view_frames_;
  return {SamplesAt(position),
          static_cast<int>(std::min(std::min<int64_t>(max_frames, limit - position),
                                    AudioView::kSegmentFrames - OffsetInSegment(position)))};
}

bool Voice::RenderViewRt(int64_t block_first_frame, int begin, int stop, MixBus* bus) noexcept {
  const int end = begin + static_cast<int>(std::min<int64_t>(stop - begin, RemainingFrames()));
  const float* const gains = end > begin ? GainsRt(end - begin, bus) : nullptr;
  for (int at = begin; at < end;) {
    const Piece piece = NextPieceRt(end - at);
    for (int c = 0; c < channels_; ++c) {
      bus->AddRt(channel_map_[c],
                 MakeSpan(piece.samples + int64_t{c} * next_.stride,
                          gains != nullptr ? gains + (at - begin) : nullptr, at, piece.frames));
    }
    at += piece.frames;
    PassViewRt(piece.frames);
  }
  AddDoneRt(end - begin);
  if (RemainingFrames() > 0) return true;
  EndRt(EndReason::kCompleted, block_first_frame + end);
  return false;
}

bool Voice::BeginFeedBlockRt(FeedBlock* feed) noexcept {
  Feed& own = LoadFeed();
  PlayFeed& source = *own.source;
  feed->look = source.LookRt();
  const PlayFeed::Look& look = feed->look;
  int64_t read = look.read;

  if (own.doubt_frames > 0 && look.doubt != read) {
    if (!RunDryRt(own.doubt_first_frame, own.doubt_frames)) return false;
    own.doubt_frames = 0;
  }
  if (look.flush > read) {
    read = look.flush;
    own.trim_debt_frames = 0;
    own.timeline_debt_frames = 0;
  }
  const int64_t trimmed = PayRt(&own.trim_debt_frames, &read, look.write);
  const int64_t paid = trimmed + PayRt(&own.timeline_debt_frames, &read, look.write);
  if (paid > 0) {
    trimmed_frames_ += trimmed;
    DropFramesRt(paid);
    ramp_.AdvanceRt(paid);
  }
  if (read > look.read) source.AdvanceRt(read - look.read);

  if (own.idling && (look.write - read >= source.prebuffer_frames() || look.idle > read ||
                     look.end != PlayFeed::kNone)) {
    own.idling = false;
  }
  feed->read = read;
  return true;
}

bool Voice::RenderFeedRt(int64_t block_first_frame, int begin, int stop, FeedBlock* feed,
                         MixBus* bus) noexcept {
  Feed& own = LoadFeed();
  const PlayFeed::Look& look = feed->look;
  if (LeftOfMaxFrames() == 0) {
    EndRt(EndReason::kCompleted, block_first_frame + begin);
    return false;
  }
  const int played =
      own.idling ? 0 : static_cast<int>(std::min<int64_t>(stop - begin, look.write - feed->read));
  const float* const gains = played > 0 ? GainsRt(played, bus) : nullptr;
  LoadExtras()->session_ramp.AdvanceRt(stop - begin - played);
  int at = begin;
  int64_t before = own.uncommitted_frames;  // what this block has read already
  for (const SpscFrameRing::Stretch& stretch : own.source->PeekRt(before + played)) {
    const int64_t passed = std::min(before, stretch.frames);
    before -= passed;
    const int run = static_cast<int>(stretch.frames - passed);
    if (run == 0) continue;
    for (int c = 0; c < channels_; ++c) {
      bus->AddRt(channel_map_[c],
                 MakeSpan(stretch.channel(c) + passed,
                          gains != nullptr ? gains + (at - begin) : nullptr, at, run));
    }
    at += run;
  }
  own.uncommitted_frames += played;
  feed->read += played;
  AddDoneRt(played);

  if (LeftOfMaxFrames() == 0) {
    EndRt(EndReason::kCompleted, block_first_frame + at);
    return false;
  }
  if (own.idling || feed->read < look.write) return true;
  if (look.end != PlayFeed::kNone) {
    EndRt(EndReason::kCompleted,
          own.doubt_frames > 0 ? own.doubt_first_frame : block_first_frame + at);
    return false;
  }
  if (look.idle == feed->read) {
    own.idling = true;
    own.trim_debt_frames = 0;
    own.timeline_debt_frames = 0;
    return true;
  }
  if (at == stop) return true;
  if (look.doubt == feed->read) {
    if (own.doubt_frames == 0) own.doubt_first_frame = block_first_frame + at;
    own.doubt_frames += stop - at;
    return true;
  }
  return RunDryRt(block_first_frame + at, stop - at);
}

bool Voice::RunDryRt(int64_t first_frame, int64_t frames) noexcept {
  if (LoadFeed().underrun_policy == UnderrunPolicy::kEnd) {
    EndRt(EndReason::kUnderrun, first_frame);
    return false;
  }
  AddGapRt(first_frame, frames);
  if (LoadFeed().underrun_policy == UnderrunPolicy::kKeepTimeline)
    LoadFeed().timeline_debt_frames += frames;
  return true;
}

int64_t Voice::PayRt(int64_t* debt_frames, int64_t* read, int64_t write) noexcept {
  const int64_t paid = std::min(*debt_frames, write - *read);
  *debt_frames -= paid;
  *read += paid;
  return paid;
}

void Voice::CommitRt() noexcept {
  Feed& own = LoadFeed();
  own.source->AdvanceRt(own.uncommitted_frames);
  own.uncommitted_frames = 0;
}

}  // namespace rtmixd
