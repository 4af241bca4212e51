#include "tests/mixer/reference_mix.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace rtmixd {
namespace {

using Kind = SoundScript::Kind;

// One sound on its way through the blocks. Audio from memory is a feed that was written and ended
// before anything else happened.
class Follower {
 public:
  Follower(const SoundScript& script, const std::vector<ScriptBlock>& blocks)
      : script_(script), blocks_(blocks), action_(script.actions.begin()) {
    if (!script.from_feed) written_ = end_ = script.view_frames;
  }

  PredictedSound Follow() {
    const int count = static_cast<int>(blocks_.size());
    for (int b = 0; b <= count && !out_.ended; ++b) {
      const int64_t first =
          b < count ? blocks_[b].first_frame : blocks_.back().first_frame + blocks_.back().frames;
      if (b == script_.submit_block) {
        out_.origin_frame = script_.origin_frame == Batch::kOriginNow ? first + script_.lead_frames
                                                                      : script_.origin_frame;
        out_.requested_frame = out_.origin_frame + script_.offset_frames;
      }
      for (; action_ != script_.actions.end() && action_->block == b; ++action_) Act(first);
      if (b < count && b >= script_.submit_block && !out_.ended) {
        Sound(first, first + blocks_[b].frames);
      }
    }
    out_.consumed_frames = position_;
    return out_;
  }

 private:
  void End(EndReason reason, int64_t frame) {
    out_.ended = true;
    out_.end_reason = reason;
    out_.end_frame = frame;
  }

  void Act(int64_t block_first) {
    if (out_.ended) return;
    const int64_t number = action_->number;
    switch (action_->kind) {
      case Kind::kCancel:
        cut_ = std::min(cut_, std::max(number, block_first));
        // One that could at best start where it is cut does not start.
        if (!out_.started && cut_ <= std::max(out_.requested_frame, block_first)) {
          End(EndReason::kCancelled, out_.requested_frame);
        }
        break;
      case Kind::kSkip:
        if (out_.started && !idle_) head_owed_ += number;
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
    if (cut_ <= start) {
      End(EndReason::kCancelled, out_.requested_frame);
      return false;
    }
    out_.late_frames = start - out_.requested_frame;
    if (out_.late_frames > 0 && script_.late_policy == LatePolicy::kSkip) {
      End(EndReason::kSkipped, out_.requested_frame);
      return false;
    }
    if (script_.late_policy == LatePolicy::kTrim) head_owed_ = out_.late_frames;
    out_.started = true;
    out_.start_frame = start;
    return true;
  }

  void Sound(int64_t block_first, int64_t block_end) {
    if (!out_.started) {
      if (out_.requested_frame >= block_end || !Start(block_first)) return;
    }
    if (flush_mark_ > position_) {
      position_ = flush_mark_;
      head_owed_ = timeline_owed_ = 0;
    }
    const bool refilled =
        written_ - position_ >= script_.prebuffer_frames || idle_mark_ > position_ || end_ >= 0;
    if (refilled) idle_ = false;
    for (int64_t frame = std::max(block_first, out_.start_frame);; ++frame) {
      for (; head_owed_ > 0 && position_ < written_; --head_owed_, ++position_) {
        ++out_.trimmed_frames;
      }
      for (; timeline_owed_ > 0 && position_ < written_; --timeline_owed_) ++position_;
      const bool dry = position_ == written_;
      if (dry && end_ >= 0) return End(EndReason::kCompleted, frame);
      if (dry && idle_mark_ == position_) {
        idle_ = true;
        head_owed_ = timeline_owed_ = 0;
      }
      if (cut_ <= frame) return End(EndReason::kCancelled, cut_);
      if (frame == block_end) return;
      if (idle_) continue;
      if (!dry) {
        out_.heard.emplace_back(frame, position_++);
        continue;
      }
      if (script_.underrun_policy == UnderrunPolicy::kEnd) {
        return End(EndReason::kUnderrun, frame);
      }
      if (script_.underrun_policy == UnderrunPolicy::kKeepTimeline) ++timeline_owed_;
      if (out_.gaps.empty() || out_.gaps.back().first_frame + out_.gaps.back().frames != frame) {
        out_.gaps.push_back({frame, 0});
      }
      ++out_.gaps.back().frames;
    }
  }

  const SoundScript& script_;
  const std::vector<ScriptBlock>& blocks_;
  std::vector<SoundScript::Action>::const_iterator action_;
  PredictedSound out_;
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

float FlushDenormal(float x) {
  return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x;
}

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

PredictedSound PredictSound(const SoundScript& script, const std::vector<ScriptBlock>& blocks) {
  return Follower(script, blocks).Follow();
}

ReferenceOutput SumSounds(const std::vector<SoundScript>& scripts,
                          const std::vector<PredictedSound>& predicted,
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
  for (const ScriptBlock& block : blocks) {
    for (int64_t frame = block.first_frame; frame < block.first_frame + block.frames; ++frame) {
      std::vector<float> sums(output_channels, 0.0f);
      for (const size_t s : order) {
        const auto& heard = predicted[s].heard;
        if (next[s] == heard.size() || heard[next[s]].first != frame) continue;
        const int64_t position = heard[next[s]++].second;
        for (size_t c = 0; c < scripts[s].channel_map.size(); ++c) {
          float& sum = sums[scripts[s].channel_map[c]];
          sum = AddContribution(scripts[s].gain, scripts[s].sample(static_cast<int>(c), position),
                                sum);
        }
      }
      for (int c = 0; c < output_channels; ++c) {
        output.channels[c].push_back(Clip(sums[c], &output.clipped_samples[c]));
      }
    }
  }
  return output;
}

}  // namespace rtmixd
