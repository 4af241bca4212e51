#include "server/device/virtual_engine.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/device/monotonic_clock.h"

namespace rtmixd {
namespace {

using Kind = ScriptedFault::Kind;

constexpr uint32_t kAllHostFlags = kHostInputUnderflow | kHostInputOverflow | kHostOutputUnderflow |
                                   kHostOutputOverflow | kHostPrimingOutput;
constexpr int64_t kMaxHangNanos = 24 * 3600 * kNanosPerSecond;
// Covers the jumps seen in the field (2^32 frames) with room, and keeps sums far from overflow.
constexpr int64_t kMaxTimestampNanos = 1'000'000 * kNanosPerSecond;
// The text is for people; a script that nobody reads the incidents of must not eat the memory.
constexpr size_t kMaxIncidents = 10'000;

bool LosesInput(Kind kind) { return kind == Kind::kLoseInput || kind == Kind::kLoseBoth; }
bool LosesOutput(Kind kind) { return kind == Kind::kLoseOutput || kind == Kind::kLoseBoth; }

std::string Describe(const ScriptedFault& fault) {
  const char* flagged = fault.flagged ? "flagged" : "without a flag";
  const double ms = static_cast<double>(fault.nanos) / 1e6;
  switch (fault.kind) {
    case Kind::kTimestampOffset:
      return absl::StrFormat("timestamps off by %+.6f ms for %d blocks", ms, fault.blocks);
    case Kind::kTimestampEqual:
      return absl::StrFormat("host times stand still for %d blocks", fault.blocks);
    case Kind::kTimestampZero:
      return absl::StrFormat("host times are 0 for %d blocks", fault.blocks);
    case Kind::kTimestampEpoch:
      return absl::StrFormat("host times shifted by %+.6f ms for good", ms);
    case Kind::kLoseInput:
      return absl::StrFormat("lost %d input frames, %s", fault.frames, flagged);
    case Kind::kLoseOutput:
      return absl::StrFormat("lost %d output frames, %s", fault.frames, flagged);
    case Kind::kLoseBoth:
      return absl::StrFormat("lost %d frames of input and output, %s", fault.frames, flagged);
    case Kind::kReplayPeriod:
      return "the input of the block before comes again";
    case Kind::kStall:
      return absl::StrFormat("no callback for %.6f ms, then all at once", ms);
    case Kind::kCallbacksStop:
      return "no callback any more";
    case Kind::kDie:
      return "the device dies";
    case Kind::kStopHangs:
      return absl::StrFormat("the next stop hangs for %.6f ms", ms);
    case Kind::kSpuriousFlags:
      return absl::StrFormat("host flags %#x though nothing was lost", fault.host_flags);
  }
  return "unknown fault";
}

std::vector<float*> Pointers(std::vector<std::vector<float>>& channels) {
  std::vector<float*> pointers;
  pointers.reserve(channels.size());
  for (std::vector<float>& channel : channels) pointers.push_back(channel.data());
  return pointers;
}

}  // namespace

VirtualEngine::VirtualEngine(Config config)
    : config_(std::move(config)),
      cable_(config_.input_channels, config_.output_channels, config_.routes),
      input_(config_.input_channels, std::vector<float>(config_.block_frames)),
      output_(config_.output_channels, std::vector<float>(config_.block_frames)),
      input_pointers_(Pointers(input_)),
      output_pointers_(Pointers(output_)) {
  cable_.Play(nullptr, config_.output_latency_frames);
}

absl::Status VirtualEngine::CheckFault(const ScriptedFault& fault) const {
  const auto refuse = [](const char* field, auto value, const std::string& limit) {
    return absl::InvalidArgumentError(absl::StrCat(field, " is ", value, ", must be ", limit));
  };
  if (fault.at_frame < 0) return refuse("at_frame", fault.at_frame, ">= 0");
  if (fault.at_frame < actable_frame()) {
    return absl::OutOfRangeError(absl::StrCat(
        "at_frame is ", fault.at_frame, ", but the stream is at ", actable_frame(), " already"));
  }
  switch (fault.kind) {
    case Kind::kTimestampOffset:
    case Kind::kTimestampEpoch:
      if (fault.nanos == 0 || std::abs(fault.nanos) > kMaxTimestampNanos) {
        return refuse("nanos", fault.nanos,
                      absl::StrCat("not 0 and within +-", kMaxTimestampNanos));
      }
      [[fallthrough]];
    case Kind::kTimestampEqual:
    case Kind::kTimestampZero:
      if (fault.blocks < 1) return refuse("blocks", fault.blocks, ">= 1");
      return absl::OkStatus();
    case Kind::kLoseInput:
    case Kind::kLoseOutput:
    case Kind::kLoseBoth:
      if (fault.frames < 1 || fault.frames > kMaxLossFrames) {
        return refuse("frames", fault.frames, absl::StrCat("1 to ", kMaxLossFrames));
      }
      if (LosesInput(fault.kind) && config_.input_channels == 0) {
        return absl::InvalidArgumentError("kind loses input, but the stream has none");
      }
      if (LosesOutput(fault.kind) && config_.output_channels == 0) {
        return absl::InvalidArgumentError("kind loses output, but the stream has none");
      }
      return absl::OkStatus();
    case Kind::kReplayPeriod:
      if (config_.input_channels == 0) {
        return absl::InvalidArgumentError("kind replays input, but the stream has none");
      }
      return absl::OkStatus();
    case Kind::kStall:
    case Kind::kStopHangs:
      if (fault.nanos < 1 || fault.nanos > kMaxHangNanos) {
        return refuse("nanos", fault.nanos, absl::StrCat("1 to ", kMaxHangNanos));
      }
      return absl::OkStatus();
    case Kind::kSpuriousFlags:
      if (fault.host_flags == 0 || (fault.host_flags & ~kAllHostFlags) != 0) {
        return refuse("host_flags", fault.host_flags, absl::StrCat("1 to ", kAllHostFlags));
      }
      return absl::OkStatus();
    case Kind::kCallbacksStop:
    case Kind::kDie:
      return absl::OkStatus();
  }
  return refuse("kind", static_cast<int>(fault.kind), "a known one");
}

absl::Status VirtualEngine::LoadScript(const std::vector<ScriptedFault>& faults) {
  for (size_t i = 0; i < faults.size(); ++i) {
    const absl::Status status = CheckFault(faults[i]);
    if (!status.ok()) {
      return {status.code(), absl::StrCat("faults[", i, "].", status.message())};
    }
  }
  for (const ScriptedFault& fault : faults) script_.emplace(fault.at_frame, fault);
  return absl::OkStatus();
}

void VirtualEngine::Lose(int64_t frames, bool input, bool output) {
  hole_frames_ += frames;
  if (input) input_shift_frames_ += frames;
  const int64_t shift_before = output_shift_frames_;
  if (output) output_shift_frames_ += frames;
  output_shift_frames_ =
      std::max(output_shift_frames_, hole_frames_ - config_.output_latency_frames);
  cable_.Play(nullptr, output_shift_frames_ - shift_before);
}

void VirtualEngine::Act(const ScriptedFault& fault) {
  if (incidents_.size() < kMaxIncidents) {
    incidents_.push_back({DeviceIncident::Kind::kInjected, next_frame_, Describe(fault)});
  }
  switch (fault.kind) {
    case Kind::kTimestampOffset:
    case Kind::kTimestampEqual:
    case Kind::kTimestampZero:
      active_.push_back({fault.kind, fault.nanos, fault.blocks});
      break;
    case Kind::kTimestampEpoch:
      host_shift_nanos_ += fault.nanos;
      break;
    case Kind::kLoseInput:
    case Kind::kLoseOutput:
    case Kind::kLoseBoth:
      Lose(fault.frames, LosesInput(fault.kind), LosesOutput(fault.kind));
      if (fault.flagged && LosesInput(fault.kind)) block_flags_ |= kHostInputOverflow;
      if (fault.flagged && LosesOutput(fault.kind)) block_flags_ |= kHostOutputUnderflow;
      break;
    case Kind::kReplayPeriod:
      block_replays_ = true;
      break;
    case Kind::kStall:
      stalled_until_nanos_ =
          std::max(stalled_until_nanos_, TickNanos(next_frame_ + hole_frames_)) + fault.nanos;
      break;
    case Kind::kCallbacksStop:
      callbacks_stopped_ = true;
      break;
    case Kind::kDie:
      callbacks_stopped_ = true;
      health_ = AudioDevice::Health::kDead;
      break;
    case Kind::kStopHangs:
      stop_hang_nanos_ = fault.nanos;
      break;
    case Kind::kSpuriousFlags:
      block_flags_ |= fault.host_flags;
      break;
  }
}

int64_t VirtualEngine::TickNanos(int64_t tick) const {
  const long double true_rate_hz = static_cast<long double>(config_.sample_rate_hz) *
                                   (1 + static_cast<long double>(config_.clock_error_ppm) / 1e6L);
  return start_nanos_ +
         std::llround(static_cast<long double>(tick) * kNanosPerSecond / true_rate_hz);
}

std::optional<int64_t> VirtualEngine::NextDueNanos() {
  const int64_t end_frame = next_frame_ + config_.block_frames;
  if (acted_until_frame_ < end_frame && !callbacks_stopped_) {
    acted_until_frame_ = end_frame;
    while (!script_.empty() && script_.begin()->first < end_frame) {
      Act(script_.begin()->second);
      script_.erase(script_.begin());
    }
  }
  if (callbacks_stopped_) return std::nullopt;
  return std::max(stalled_until_nanos_, TickNanos(next_frame_ + hole_frames_));
}

AudioBlock VirtualEngine::BeginBlock(int64_t entry_nanos) {
  NextDueNanos();
  AudioBlock block;
  block.frames = config_.block_frames;
  block.host_flags = std::exchange(block_flags_, 0);
  if (config_.output_channels > 0) block.output = output_pointers_.data();
  if (config_.input_channels > 0) {
    block.input = input_pointers_.data();
    // A replayed period is what the buffers still hold.
    if (!std::exchange(block_replays_, false)) {
      cable_.Record(next_frame_ - config_.input_latency_frames + input_shift_frames_,
                    config_.block_frames, input_pointers_.data());
    }
  }
  SetTimes(entry_nanos, &block);
  return block;
}

void VirtualEngine::SetTimes(int64_t entry_nanos, AudioBlock* block) {
  int64_t offset_nanos = 0;
  bool equal = false;
  bool zero = false;
  for (ActiveFault& fault : active_) {
    --fault.blocks_left;
    equal |= fault.kind == Kind::kTimestampEqual;
    zero |= fault.kind == Kind::kTimestampZero;
    if (fault.kind == Kind::kTimestampOffset) offset_nanos += fault.nanos;
  }
  std::erase_if(active_, [](const ActiveFault& fault) { return fault.blocks_left == 0; });

  block->callback_nanos = entry_nanos + offset_nanos;
  const double shift_seconds =
      static_cast<double>(host_shift_nanos_ + offset_nanos) / kNanosPerSecond + kHostEpochSeconds;
  const double since_start_seconds =
      static_cast<double>(entry_nanos - start_nanos_) / kNanosPerSecond;
  block->host_now_seconds =
      shift_seconds + since_start_seconds * (1 + config_.clock_error_ppm / 1e6);
  const auto tick_seconds = [&](int64_t tick) {
    return shift_seconds + static_cast<double>(tick) / config_.sample_rate_hz;
  };
  if (block->input != nullptr) {
    block->host_input_seconds =
        tick_seconds(next_frame_ - config_.input_latency_frames + input_shift_frames_);
  }
  if (block->output != nullptr) {
    block->host_output_seconds =
        tick_seconds(next_frame_ + config_.output_latency_frames + output_shift_frames_);
  }
  if (equal && next_frame_ > 0) {
    block->host_input_seconds = last_times_.host_input_seconds;
    block->host_now_seconds = last_times_.host_now_seconds;
    block->host_output_seconds = last_times_.host_output_seconds;
  }
  if (zero) block->host_input_seconds = block->host_now_seconds = block->host_output_seconds = 0;
  last_times_ = *block;
}

void VirtualEngine::EndBlock() {
  cable_.Play(output_pointers_.data(), config_.block_frames);
  next_frame_ += config_.block_frames;
}

}  // namespace rtmixd
