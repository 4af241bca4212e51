#include "tests/mixer/reference_mix.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <tuple>

#include "server/realtime/denormals.h"

namespace rtmixd {
namespace {

using Kind = SoundScript::Kind;

float FlushDenormal(float x) {
  return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x;
}

// A gain on its way, a frame at a time, as the audio thread computes it. That the gains of a fade
// are those of their formula is fade_test's to show.
class Ramp {
 public:
  explicit Ramp(float gain) : gains_(gain) {}
  void Start(float to, const Fade& fade) {
    const ScopedFlushDenormals flush_denormals;
    gains_.StartRt(to, fade);
  }
  float Next() {
    const ScopedFlushDenormals flush_denormals;
    float gain = 0;
    gains_.WriteRt(PortableMixKernel(), 1.0f, &gain, 1);
    return gain;
  }

 private:
  GainRamp gains_;
};

// One sound on its way through the blocks. Audio from memory is a feed that was written and ended
// before anything else happened.
class Follower {
 public:
  // `predecessor` is null but for a sound that follows another one.
  Follower(const SoundScript& script, const PredictedSound* predecessor,
           const std::vector<ScriptBlock>& blocks)
      : script_(script),
        predecessor_(predecessor),
        blocks_(blocks),
        action_(script.actions.begin()),
        ramp_(script.gain),
        session_ramp_(script.session_gain),
        jumps_(script.loop.passes - 1) {
    if (!script.from_feed) {
      written_ = end_ = script.view_frames;
      position_ = script.view_offset_frames;
    }
    out_.applied_frames.assign(script.changes.size(), VoiceChange::kNever);
  }

  PredictedSound Follow() {
    const int count = static_cast<int>(blocks_.size());
    for (block_ = 0; block_ <= count && !out_.ended; ++block_) {
      const int64_t first = block_ < count ? blocks_[block_].first_frame
                                           : blocks_.back().first_frame + blocks_.back().frames;
      if (block_ == script_.submit_block) {
        out_.origin_frame = script_.origin_frame == Batch::kOriginNow ? first + script_.lead_frames
                                                                      : script_.origin_frame;
        if (predecessor_ == nullptr) LearnStart(out_.origin_frame + script_.offset_frames);
      }
      for (; action_ != script_.actions.end() && action_->block == block_; ++action_) {
        order_ = action_->order;
        LookAtPredecessor();
        Act(first);
      }
      order_ = kInBlock;
      LookAtPredecessor();
      if (block_ < count && start_known_ && !out_.ended) {
        Sound(first, first + blocks_[block_].frames);
      }
    }
    // Those that were sent after its end.
    for (; action_ != script_.actions.end(); ++action_) {
      if (action_->kind == Kind::kChange) out_.applied_frames.push_back(VoiceChange::kNever);
    }
    out_.consumed_frames = position_;
    return out_;
  }

 private:
  struct Pending {
    VoiceChange change;
    size_t index;  // into applied_frames
  };
  static constexpr int64_t kInBlock = std::numeric_limits<int64_t>::max();

  void LearnStart(int64_t frame) {
    start_known_ = true;
    out_.requested_frame = frame;
  }

  void LookAtPredecessor() {
    if (start_known_ || block_ < script_.submit_block || !predecessor_->ended) return;
    if (predecessor_->end_block < block_ ||
        (predecessor_->end_block == block_ && predecessor_->end_order <= order_)) {
      LearnStart(predecessor_->end_frame);
    }
  }

  void End(EndReason reason, int64_t frame) {
    out_.ended = true;
    out_.end_reason = reason;
    out_.end_frame = frame;
    out_.end_block = block_;
    out_.end_order = order_;
  }

  void Cancel(int64_t frame, int64_t block_first) {
    const int64_t cut = std::max(frame, block_first);
    cut_ = std::min(cut_, cut);
    if (out_.started) return;
    if (!start_known_) {
      if (cut > block_first) return;
      out_.gave_up_place = true;
      End(EndReason::kCancelled, cut);
    } else if (cut_ <= std::max(out_.requested_frame, block_first)) {
      // One that could at best start where it is cut does not start.
      End(EndReason::kCancelled, out_.requested_frame);
    }
  }

  void Insert(const VoiceChange& change, size_t index) {
    const auto later = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& pending) {
      return pending.change.frame > change.frame;
    });
    pending_.insert(later, {change, index});
  }

  // What is past of the session's gain is told of a sound that waits when more of it comes.
  void PassSessionGain(int64_t frame) {
    for (const Pending& pending : pending_) {
      if (pending.change.kind == VoiceChange::Kind::kSessionGain && pending.change.frame <= frame) {
        out_.applied_frames[pending.index] = pending.change.frame;
      }
    }
  }

  void Act(int64_t block_first) {
    const int64_t number = action_->number;
    if (action_->kind == Kind::kChange) out_.applied_frames.push_back(VoiceChange::kNever);
    if (out_.ended) return;
    switch (action_->kind) {
      case Kind::kCancel:
        Cancel(number, block_first);
        break;
      case Kind::kChange: {
        VoiceChange change = action_->change;
        change.frame = std::max(change.frame, block_first);
        const bool stops = change.kind == VoiceChange::Kind::kStop && !out_.started;
        if (stops && change.frame <= (start_known_ ? std::max(out_.requested_frame, block_first)
                                                   : block_first)) {
          out_.applied_frames.back() = change.frame;
          Cancel(change.frame, block_first);
        } else {
          Insert(change, out_.applied_frames.size() - 1);
          if (change.kind == VoiceChange::Kind::kSessionGain && !out_.started) {
            PassSessionGain(block_first);
          }
        }
        break;
      }
      case Kind::kSkip:
        if (out_.started && !idle_ && !paused_) {
          head_owed_ += number;
          if (!script_.from_feed) PayOwed();
        }
        break;
      case Kind::kWrite:
        written_ += number;
        break;
      case Kind::kEnd:
        end_ = written_;
        break;
      case Kind::kIdle:
        idle_mark_ = written_;
        break;
      case Kind::kFlush:
        flush_mark_ = written_;
        break;
      case Kind::kEndAll:
        End(EndReason::kCancelled, out_.started ? block_first : out_.requested_frame);
        break;
    }
  }

  // True if it sounds from now on.
  bool Start(int64_t block_first) {
    const int64_t start = std::max(block_first, out_.requested_frame);
    for (size_t i = 0; i < script_.changes.size(); ++i) {
      VoiceChange change = script_.changes[i];
      change.frame += out_.origin_frame;
      Insert(change, i);
    }
    const auto stop = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& pending) {
      return pending.change.kind == VoiceChange::Kind::kStop && pending.change.frame <= start;
    });
    if (cut_ > start && stop != pending_.end()) {
      out_.applied_frames[stop->index] = start;
      cut_ = start;
    }
    if (cut_ <= start) {
      End(EndReason::kCancelled, out_.requested_frame);
      return false;
    }
    out_.late_frames = start - out_.requested_frame;
    if (out_.late_frames > 0 && script_.late_policy == LatePolicy::kSkip) {
      End(EndReason::kSkipped, out_.requested_frame);
      return false;
    }
    PassSessionGain(start);
    float gain = script_.gain;
    std::optional<VoiceChange> fades;
    int64_t session_frame = start;
    while (!pending_.empty() && pending_.front().change.frame <= start) {
      const VoiceChange change = pending_.front().change;
      if (change.kind != VoiceChange::Kind::kSessionGain) {
        out_.applied_frames[pending_.front().index] = start;
      }
      pending_.erase(pending_.begin());
      switch (change.kind) {
        case VoiceChange::Kind::kGain:
          if (change.frame >= out_.requested_frame && change.fade.frames > 0) {
            fades = change;
          } else {
            gain = change.gain;
            fades.reset();
          }
          break;
        case VoiceChange::Kind::kSessionGain:
          for (; session_frame < change.frame; ++session_frame) session_ramp_.Next();
          session_frame = change.frame;
          session_ramp_.Start(change.gain, change.fade);
          break;
        default:
          TakeEffect(change, start);
      }
    }
    for (; session_frame < start; ++session_frame) session_ramp_.Next();
    ramp_ = Ramp(script_.fade_in.frames > 0 ? 0.0f : gain);
    ramp_.Start(gain, script_.fade_in);
    if (fades.has_value()) ramp_.Start(fades->gain, fades->fade);
    out_.started = true;
    out_.start_frame = start;
    if (script_.late_policy == LatePolicy::kTrim && !paused_) {
      head_owed_ = out_.late_frames;
      if (!script_.from_feed) PayOwed();
    }
    return true;
  }

  void TakeEffect(const VoiceChange& change, int64_t frame) {
    switch (change.kind) {
      case VoiceChange::Kind::kGain:
        if (!fading_out_) ramp_.Start(change.gain, change.fade);
        break;
      case VoiceChange::Kind::kSessionGain:
        session_ramp_.Start(change.gain, change.fade);
        break;
      case VoiceChange::Kind::kPause:
        paused_ = true;
        break;
      case VoiceChange::Kind::kResume:
        paused_ = false;
        break;
      case VoiceChange::Kind::kLeaveLoop:
        if (change.at_once && position_ >= script_.loop.begin_frame &&
            position_ < script_.loop.end_frame) {
          position_ = script_.loop.end_frame;
        }
        jumps_ = 0;
        break;
      case VoiceChange::Kind::kStop:
        fading_out_ = true;
        ramp_.Start(0.0f, change.fade);
        cut_ = std::min(cut_, frame + change.fade.frames);
        break;
    }
  }

  // Frames of sound left, as far as an end is in sight.
  std::optional<int64_t> Remaining() const {
    std::optional<int64_t> remaining;
    if (script_.max_frames != Voice::kNoFrame) {
      remaining = std::max<int64_t>(script_.max_frames - counted_, 0);
    }
    if (!script_.from_feed && jumps_ >= 0) {
      const int64_t length = script_.loop.end_frame - script_.loop.begin_frame;
      const int64_t in_memory = jumps_ * length + written_ - position_;
      remaining = std::min(remaining.value_or(in_memory), in_memory);
    }
    return remaining;
  }
  bool Over() const { return Remaining() == 0 || (position_ == written_ && end_ >= 0); }

  // Passes the next frame of the sound, heard or not.
  void Pass() {
    ++position_;
    ++counted_;
    if (jumps_ != 0 && position_ == script_.loop.end_frame) {
      position_ = script_.loop.begin_frame;
      if (jumps_ > 0) --jumps_;
    }
  }

  void BeginFadeOutIfDue() {
    const std::optional<int64_t> remaining = Remaining();
    if (fading_out_ || script_.fade_out.frames == 0 || !remaining.has_value() ||
        *remaining > script_.fade_out.frames) {
      return;
    }
    fading_out_ = true;
    ramp_.Start(0.0f, {.frames = *remaining, .shape = script_.fade_out.shape});
  }

  void PayOwed() {
    for (; head_owed_ > 0 && position_ < written_; --head_owed_) {
      if (!script_.from_feed) {
        if (Remaining() == 0) break;
        BeginFadeOutIfDue();
      }
      ramp_.Next();
      Pass();
      ++out_.trimmed_frames;
    }
    if (!script_.from_feed) head_owed_ = 0;
    for (; timeline_owed_ > 0 && position_ < written_; --timeline_owed_) {
      ramp_.Next();
      Pass();
    }
  }

  void Sound(int64_t block_first, int64_t block_end) {
    if (!out_.started && (out_.requested_frame >= block_end || !Start(block_first))) return;
    if (flush_mark_ > position_) {
      position_ = flush_mark_;
      head_owed_ = timeline_owed_ = 0;
    }
    PayOwed();
    const bool refilled =
        written_ - position_ >= script_.prebuffer_frames || idle_mark_ > position_ || end_ >= 0;
    if (refilled) idle_ = false;
    for (int64_t frame = std::max(block_first, out_.start_frame); frame < block_end; ++frame) {
      while (!pending_.empty() && pending_.front().change.frame <= frame) {
        out_.applied_frames[pending_.front().index] = frame;
        const VoiceChange change = pending_.front().change;
        pending_.erase(pending_.begin());
        TakeEffect(change, frame);
      }
      if (!paused_) {
        if (Over()) return End(EndReason::kCompleted, frame);
        if (IdlesNow()) GoIdle();
      }
      if (cut_ <= frame) return End(EndReason::kCancelled, cut_);
      if (!PassFrame(frame)) return;
      if (!paused_) {
        if (Over()) return End(EndReason::kCompleted, frame + 1);
        if (IdlesNow()) GoIdle();
      }
      if (cut_ <= frame + 1) return End(EndReason::kCancelled, cut_);
    }
  }

  bool IdlesNow() const { return !idle_ && position_ == written_ && idle_mark_ == position_; }
  void GoIdle() {
    idle_ = true;
    head_owed_ = timeline_owed_ = 0;
  }

  // False if it ended for want of audio.
  bool PassFrame(int64_t frame) {
    if (paused_ || idle_) {
      session_ramp_.Next();
      return true;
    }
    if (position_ < written_) {
      BeginFadeOutIfDue();
      const float gain = FlushDenormal(ramp_.Next() * session_ramp_.Next());
      out_.heard.push_back({frame, position_, gain});
      Pass();
      return true;
    }
    if (script_.underrun_policy == UnderrunPolicy::kEnd) {
      End(EndReason::kUnderrun, frame);
      return false;
    }
    session_ramp_.Next();
    if (script_.underrun_policy == UnderrunPolicy::kKeepTimeline) ++timeline_owed_;
    if (out_.gaps.empty() || out_.gaps.back().first_frame + out_.gaps.back().frames != frame) {
      out_.gaps.push_back({frame, 0});
    }
    ++out_.gaps.back().frames;
    return true;
  }

  const SoundScript& script_;
  const PredictedSound* const predecessor_;
  const std::vector<ScriptBlock>& blocks_;
  std::vector<SoundScript::Action>::const_iterator action_;
  PredictedSound out_;
  int block_ = 0;
  int64_t order_ = 0;
  bool start_known_ = false;
  std::vector<Pending> pending_;  // by frame
  Ramp ramp_;
  Ramp session_ramp_;
  bool fading_out_ = false;
  bool paused_ = false;
  int64_t jumps_;  // back to the begin of the loop; negative: for ever
  int64_t counted_ = 0;
  int64_t position_ = 0;
  int64_t written_ = 0;
  int64_t end_ = -1;
  int64_t idle_mark_ = -1;
  int64_t flush_mark_ = -1;
  int64_t cut_ = Voice::kNoFrame;
  int64_t head_owed_ = 0;
  int64_t timeline_owed_ = 0;
  bool idle_ = false;
};

float AddContribution(float gain, float sample, float sum) {
  return FlushDenormal(std::fma(FlushDenormal(gain), FlushDenormal(sample), FlushDenormal(sum)));
}

float Clip(float x, uint64_t* clipped) {
  if (std::isnan(x)) {
    ++*clipped;
    return 0.0f;
  }
  const float clipped_x = std::fmin(1.0f, std::fmax(-1.0f, x));
  if (clipped_x != x) ++*clipped;
  return clipped_x;
}

}  // namespace

std::vector<PredictedSound> PredictSounds(const std::vector<SoundScript>& scripts,
                                          const std::vector<ScriptBlock>& blocks) {
  std::vector<PredictedSound> predicted;
  for (const SoundScript& script : scripts) {
    int after = script.after;
    // Whoever gives up its place hands on those who wait behind it already.
    while (after >= 0 && predicted[after].gave_up_place &&
           predicted[after].end_order > script.submit_order) {
      after = scripts[after].after;
    }
    predicted.push_back(
        Follower(script, after >= 0 ? &predicted[after] : nullptr, blocks).Follow());
  }
  return predicted;
}

ReferenceOutput SumSounds(const std::vector<SoundScript>& scripts,
                          const std::vector<PredictedSound>& predicted,
                          const std::vector<MasterChange>& master_changes,
                          const std::vector<ScriptBlock>& blocks, int output_channels) {
  std::vector<size_t> order(scripts.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tuple(predicted[a].start_frame, predicted[a].requested_frame, scripts[a].sequence) <
           std::tuple(predicted[b].start_frame, predicted[b].requested_frame, scripts[b].sequence);
  });
  std::vector<size_t> next(scripts.size(), 0);  // per sound, into `heard`

  ReferenceOutput output;
  output.channels.resize(output_channels);
  output.clipped_samples.resize(output_channels);
  Ramp master(1.0f);
  std::vector<VoiceChange> pending;  // of the master gain, by frame
  for (size_t b = 0; b < blocks.size(); ++b) {
    const ScriptBlock& block = blocks[b];
    for (const MasterChange& sent : master_changes) {
      if (sent.block != static_cast<int>(b)) continue;
      VoiceChange change = sent.change;
      change.frame = std::max(change.frame, block.first_frame);
      const auto later =
          std::find_if(pending.begin(), pending.end(),
                       [&](const VoiceChange& other) { return other.frame > change.frame; });
      pending.insert(later, change);
    }
    for (int64_t frame = block.first_frame; frame < block.first_frame + block.frames; ++frame) {
      std::vector<float> sums(output_channels, 0.0f);
      for (const size_t s : order) {
        const auto& heard = predicted[s].heard;
        if (next[s] == heard.size() || heard[next[s]].frame != frame) continue;
        const HeardFrame& sounds = heard[next[s]++];
        for (size_t c = 0; c < scripts[s].channel_map.size(); ++c) {
          float& sum = sums[scripts[s].channel_map[c]];
          sum = AddContribution(sounds.gain,
                                scripts[s].sample(static_cast<int>(c), sounds.position), sum);
        }
      }
      while (!pending.empty() && pending.front().frame <= frame) {
        master.Start(pending.front().gain, pending.front().fade);
        pending.erase(pending.begin());
      }
      const float master_gain = master.Next();
      for (int c = 0; c < output_channels; ++c) {
        const float sum = master_gain == 1.0f ? sums[c] : FlushDenormal(sums[c] * master_gain);
        output.channels[c].push_back(Clip(sum, &output.clipped_samples[c]));
      }
    }
  }
  return output;
}

}  // namespace rtmixd
