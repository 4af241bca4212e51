#include "server/mixer/mixer.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "server/mixer/mix_kernel.h"
#include "server/realtime/denormals.h"

namespace rtmixd {
namespace {

absl::Status OutOfRange(const char* option, int64_t value, int64_t low, int64_t high) {
  return absl::InvalidArgumentError(
      absl::StrCat(option, " is ", value, ", must lie in [", low, ", ", high, "]"));
}

absl::Status CheckOptions(const Mixer::Options& options) {
  const struct {
    const char* name;
    int64_t value, low, high;
  } ranges[] = {
      {"input_channels", options.input_channels, 0, 1 << 16},
      {"output_channels", options.output_channels, 0, 1 << 16},
      {"max_block_frames", options.max_block_frames, 1, 1 << 20},
      {"history_frames", options.history_frames, options.max_block_frames, int64_t{1} << 40},
      {"max_pending_voices", options.max_pending_voices, 1, 1 << 28},
      {"max_batches", options.max_batches, 1, 1 << 28},
      {"block_log_records", options.block_log_records, 1, 1 << 28},
      {"first_frame", options.first_frame, 0, Batch::kMaxFrame},
  };
  for (const auto& range : ranges) {
    if (range.value < range.low || range.value > range.high) {
      return OutOfRange(range.name, range.value, range.low, range.high);
    }
  }
  if (!std::has_single_bit(static_cast<unsigned>(options.block_log_records))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "block_log_records is ", options.block_log_records, ", must be a power of two"));
  }
  return absl::OkStatus();
}

absl::Status CheckVoice(const Voice::Spec& spec, int output_channels) {
  const int channels = spec.feed == nullptr ? spec.view.channels : spec.feed->channels();
  if (static_cast<int>(spec.channel_map.size()) != channels) {
    return absl::InvalidArgumentError(absl::StrCat("channel_map names ", spec.channel_map.size(),
                                                   " channels, the source has ", channels));
  }
  for (const int channel : spec.channel_map) {
    if (channel < 0 || channel >= output_channels) {
      return absl::InvalidArgumentError(absl::StrCat("channel_map names output channel ", channel,
                                                     " (from 0) of ", output_channels));
    }
  }
  if (!std::isfinite(spec.gain)) {
    return absl::InvalidArgumentError(absl::StrCat("gain is ", spec.gain, ", must be finite"));
  }
  if (std::abs(spec.offset_frames) > Batch::kMaxFrame) {
    return OutOfRange("offset_frames", spec.offset_frames, -Batch::kMaxFrame, Batch::kMaxFrame);
  }
  if (spec.feed == nullptr &&
      (spec.view_offset_frames < 0 || spec.view_offset_frames > spec.view.frames)) {
    return OutOfRange("view_offset_frames", spec.view_offset_frames, 0, spec.view.frames);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Mixer>> Mixer::Create(const Options& options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  return absl::WrapUnique(new Mixer(options));
}

Mixer::Mixer(const Options& options)
    : options_(options),
      commands_(2 * int64_t{options.max_batches} + options.max_pending_voices),
      results_(2 * (int64_t{options.max_batches} + options.max_pending_voices)),
      frame_(options.first_frame),
      schedule_(options.max_batches),
      bus_(options.output_channels, options.max_block_frames,
           options.portable_kernel ? PortableMixKernel() : BestMixKernel()),
      kernel_(options.portable_kernel ? PortableMixKernel() : BestMixKernel()),
      input_(static_cast<size_t>(options.input_channels) * options.max_block_frames),
      input_pointers_(options.input_channels),
      next_frame_(options.first_frame),
      input_history_(options.input_channels, options.history_frames, options.max_block_frames),
      output_history_(options.output_channels, options.history_frames, options.max_block_frames),
      block_log_(options.block_log_records),
      clipped_samples_(std::make_unique<std::atomic<uint64_t>[]>(options.output_channels)) {
  // Written once, so that the audio thread meets no page fault.
  for (std::vector<Voice*>* const voices : {&active_, &read_, &ended_}) {
    voices->resize(options.max_pending_voices);
    voices->clear();
  }
  input_history_.JumpForward(options.first_frame);
  output_history_.JumpForward(options.first_frame);
}

Mixer::~Mixer() = default;

// --- Audio thread ---

void Mixer::ProcessRt(const AudioBlock& block) noexcept {
  const ScopedFlushDenormals flush_denormals;
  BlockRecord record = {};
  record.first_frame = frame_;
  record.callback_nanos = block.callback_nanos;
  record.host_input_seconds = block.host_input_seconds;
  record.host_now_seconds = block.host_now_seconds;
  record.host_output_seconds = block.host_output_seconds;
  record.frames = block.frames;
  record.host_flags = block.host_flags;
  record.voices = static_cast<int32_t>(active_.size());

  for (int offset = 0; offset < block.frames;) {
    const int frames = std::min(block.frames - offset, options_.max_block_frames);
    TakeCommandsRt();
    record.nonfinite_input_samples += WriteInputRt(block, offset, frames);
    record.voices += StartDueRt(frames);
    MixVoicesRt(frames);
    record.clipped_samples += WriteOutputRt(block, offset, frames);
    input_history_.PublishRt();
    output_history_.PublishRt();
    frame_ += frames;
    offset += frames;
  }

  block_log_.PushRt(record);
  next_frame_.store(frame_, std::memory_order_release);
  GiveBackEndedRt();
}

void Mixer::AfterBlockRt() noexcept {
  if (options_.waker != nullptr) options_.waker->WakeIfArmedRt();
}

void Mixer::TakeCommandsRt() noexcept {
  for (int i = 0; i < kMaxCommandsPerBlock && TakeCommandRt(); ++i) {
  }
}

int32_t Mixer::WriteInputRt(const AudioBlock& block, int offset, int frames) noexcept {
  if (block.input == nullptr) {
    input_history_.WriteRt(nullptr, frames);
    return 0;
  }
  int64_t replaced = 0;
  for (int c = 0; c < options_.input_channels; ++c) {
    float* const to = input_.data() + static_cast<int64_t>(c) * options_.max_block_frames;
    replaced += kernel_.copy_finite(block.input[c] + offset, frames, to);
    input_pointers_[c] = to;
  }
  input_history_.WriteRt(input_pointers_.data(), frames);
  return static_cast<int32_t>(replaced);
}

int Mixer::StartDueRt(int frames) noexcept {
  int started = 0;
  while (Voice* const voice = schedule_.PopDueRt(frame_ + frames)) {
    if (voice->StartRt(Schedule::RequestedFrame(*voice), frame_)) {
      TellRt({MixerResult::Kind::kVoiceStarted, voice->batch(), voice, voice->start_frame()});
      // Starts come in the order of their requested frames, the late ones, which start together,
      // first: so appending keeps the order of summation.
      active_.push_back(voice);
      ++started;
    } else {
      ended_.push_back(voice);
    }
  }
  return started;
}

void Mixer::MixVoicesRt(int frames) noexcept {
  bus_.BeginRt(frames);
  read_.clear();
  size_t kept = 0;
  for (Voice* const voice : active_) {
    const bool goes_on = voice->RenderRt(frame_, frames, &bus_);
    if (voice->from_feed()) read_.push_back(voice);
    if (goes_on) {
      active_[kept++] = voice;
    } else {
      ended_.push_back(voice);
    }
  }
  active_.resize(kept);
  bus_.SumRt();
  for (Voice* const voice : read_) voice->CommitRt();
}

int32_t Mixer::WriteOutputRt(const AudioBlock& block, int offset, int frames) noexcept {
  int64_t clipped_in_all = 0;
  for (int c = 0; c < options_.output_channels; ++c) {
    const int64_t clipped = bus_.ClipRt(c);
    if (clipped > 0) {
      // Only this thread writes it: no need for an atomic addition.
      clipped_samples_[c].store(clipped_samples_[c].load(std::memory_order_relaxed) + clipped,
                                std::memory_order_relaxed);
      clipped_in_all += clipped;
    }
    if (block.output != nullptr) {
      std::memcpy(block.output[c] + offset, bus_.planar()[c], frames * sizeof(float));
    }
  }
  output_history_.WriteRt(bus_.planar(), frames);
  return static_cast<int32_t>(clipped_in_all);
}

void Mixer::GiveBackEndedRt() noexcept {
  for (Voice* const voice : ended_) {
    Batch* const batch = voice->batch();
    TellRt({MixerResult::Kind::kVoiceEnded, batch, voice, voice->end_frame()});
    if (--batch->unended_ == 0) TellRt({MixerResult::Kind::kBatchReleased, batch, nullptr, 0});
  }
  ended_.clear();
}

bool Mixer::TakeCommandRt() noexcept {
  Command command{};
  if (!commands_.TryPop(&command)) return false;
  switch (command.kind) {
    case Command::Kind::kAdd:
      AddRt(command.batch);
      break;
    case Command::Kind::kCancel:
      CancelRt(command.voice, command.number);
      break;
    case Command::Kind::kSkip:
      command.voice->SkipRt(command.number);
      break;
  }
  // Release: who sees the count knows that the command's voice and batch are no longer looked at.
  commands_taken_.store(commands_taken_.load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
  return true;
}

void Mixer::AddRt(Batch* batch) noexcept {
  if (batch->origin_frame == Batch::kOriginNow) {
    batch->origin_frame = frame_ + batch->lead_frames;
    TellRt({MixerResult::Kind::kBatchOrigin, batch, nullptr, batch->origin_frame});
  }
  batch->unended_ = static_cast<int64_t>(batch->voices.size());
  if (batch->unended_ > 0) {
    schedule_.AddRt(batch);
  } else {
    TellRt({MixerResult::Kind::kBatchReleased, batch, nullptr, 0});
  }
}

void Mixer::CancelRt(Voice* voice, int64_t frame) noexcept {
  if (voice->state() == Voice::State::kEnded) return;
  const int64_t cut = std::max(frame, frame_);
  voice->CutRt(cut);
  if (voice->state() == Voice::State::kPlaying) return;
  const int64_t requested = Schedule::RequestedFrame(*voice);
  if (cut > requested) return;  // StartRt looks at the cut again
  voice->EndRt(EndReason::kCancelled, requested);
  schedule_.DropRt(voice);
  ended_.push_back(voice);
}

void Mixer::TellRt(const MixerResult& result) noexcept {
  [[maybe_unused]] const bool pushed = results_.TryPush(result);
  assert(pushed);  // room for all results of what is admitted
}

// --- Control ---

absl::Status Mixer::CheckBatch(const Batch& batch) const {
  const auto voices = static_cast<int64_t>(batch.voices.size());
  if (static_cast<int64_t>(lent_.size()) >= options_.max_batches) {
    return absl::ResourceExhaustedError(
        absl::StrCat("max_batches (", options_.max_batches, ") batches are pending"));
  }
  if (admitted_voices_ + voices > options_.max_pending_voices) {
    return absl::ResourceExhaustedError(absl::StrCat(voices, " voices, with ", admitted_voices_,
                                                     " pending, exceed max_pending_voices (",
                                                     options_.max_pending_voices, ")"));
  }
  if (batch.origin_frame != Batch::kOriginNow && std::abs(batch.origin_frame) > Batch::kMaxFrame) {
    return OutOfRange("origin_frame", batch.origin_frame, -Batch::kMaxFrame, Batch::kMaxFrame);
  }
  if (batch.lead_frames < 0 || batch.lead_frames > Batch::kMaxFrame) {
    return OutOfRange("lead_frames", batch.lead_frames, 0, Batch::kMaxFrame);
  }
  for (const std::unique_ptr<Voice>& voice : batch.voices) {
    absl::Status status = CheckVoice(voice->spec(), options_.output_channels);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Mixer::Submit(std::unique_ptr<Batch>* batch) {
  if (absl::Status status = CheckBatch(**batch); !status.ok()) return status;
  Batch* const lent = batch->get();
  std::sort(lent->voices.begin(), lent->voices.end(),
            [](const std::unique_ptr<Voice>& a, const std::unique_ptr<Voice>& b) {
              return std::pair(a->spec().offset_frames, a->spec().sequence) <
                     std::pair(b->spec().offset_frames, b->spec().sequence);
            });
  for (const std::unique_ptr<Voice>& voice : lent->voices) voice->set_batch(lent);
  admitted_voices_ += static_cast<int64_t>(lent->voices.size());
  lent_.emplace(lent, std::move(*batch));
  Send({Command::Kind::kAdd, lent, nullptr, 0});
  return absl::OkStatus();
}

absl::Status Mixer::Cancel(Voice* voice, int64_t frame) {
  return SendToVoice(Command::Kind::kCancel, voice, frame);
}

absl::Status Mixer::SkipFrames(Voice* voice, int64_t frames) {
  return SendToVoice(Command::Kind::kSkip, voice, frames);
}

absl::Status Mixer::SendToVoice(Command::Kind kind, Voice* voice, int64_t number) {
  // What is left above this is for batches, so that admission alone decides about them.
  const int64_t limit = int64_t{options_.max_batches} + options_.max_pending_voices;
  if (commands_.size_approx() >= limit) {
    return absl::ResourceExhaustedError(absl::StrCat("max_batches + max_pending_voices (", limit,
                                                     ") commands wait for the next block"));
  }
  Send({kind, voice->batch(), voice, number});
  return absl::OkStatus();
}

void Mixer::Send(const Command& command) {
  command.batch->last_command_ = ++commands_sent_;
  [[maybe_unused]] const bool pushed = commands_.TryPush(command);
  assert(pushed);  // at most max_batches batches, and SendToVoice leaves room for as many
}

bool Mixer::Release(Batch* batch, MixerResult* result) {
  // A command that names one of its voices may still be on its way: then the batch stays ours.
  // Acquire: the audio thread has done with what it took up.
  if (batch->last_command_ > commands_taken_.load(std::memory_order_acquire)) return false;
  const auto lent = lent_.find(batch);
  lent->second.release();  // NOLINT(bugprone-unused-return-value): the caller gets it by the result
  lent_.erase(lent);
  *result = {MixerResult::Kind::kBatchReleased, batch, nullptr, 0};
  return true;
}

bool Mixer::PollResult(MixerResult* result) {
  if (!held_back_.empty() && Release(held_back_.front(), result)) {
    held_back_.pop_front();
    return true;
  }
  while (results_.TryPop(result)) {
    if (result->kind == MixerResult::Kind::kVoiceEnded) --admitted_voices_;
    if (result->kind != MixerResult::Kind::kBatchReleased) return true;
    if (Release(result->batch, result)) return true;
    held_back_.push_back(result->batch);
  }
  return false;
}

void Mixer::JumpForward(int64_t frames) {
  frame_ += frames;
  input_history_.JumpForward(frames);
  output_history_.JumpForward(frames);
  next_frame_.store(frame_, std::memory_order_release);
}

void Mixer::EndAll() {
  while (TakeCommandRt()) {
  }
  while (Voice* const voice = schedule_.PopDueRt(Voice::kNoFrame)) {
    voice->EndRt(EndReason::kCancelled, Schedule::RequestedFrame(*voice));
    ended_.push_back(voice);
  }
  for (Voice* const voice : active_) {
    voice->EndRt(EndReason::kCancelled, frame_);
    ended_.push_back(voice);
  }
  active_.clear();
  GiveBackEndedRt();
}

}  // namespace rtmixd
