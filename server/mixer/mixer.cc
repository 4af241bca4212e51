#include "server/mixer/mixer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <tuple>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "server/mixer/check_range.h"
#include "server/mixer/mix_kernel.h"
#include "server/realtime/denormals.h"

namespace rtmixd {
namespace {

// Voices lie anywhere in memory: each is fetched while so many before it are rendered.
constexpr size_t kVoicesAhead = 8;

absl::Status CheckOptions(const Mixer::Options& options) {
  const struct {
    const char* name;
    int64_t value, low, high;
  } ranges[] = {
      {"input_channels", options.input_channels, 0, 1 << 16},
      {"output_channels", options.output_channels, 0, (1 << 15) - 1},
      {"max_block_frames", options.max_block_frames, 1, kMaxMixFrames},
      {"history_frames", options.history_frames, options.max_block_frames, int64_t{1} << 40},
      {"max_pending_voices", options.max_pending_voices, 1, 1 << 28},
      {"max_batches", options.max_batches, 1, 1 << 28},
      {"block_log_records", options.block_log_records, 1, 1 << 28},
      {"first_frame", options.first_frame, 0, Batch::kMaxFrame},
  };
  for (const auto& range : ranges) {
    absl::Status status = CheckRange(range.name, range.value, range.low, range.high);
    if (!status.ok()) return status;
  }
  if (!std::has_single_bit(static_cast<unsigned>(options.block_log_records))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "block_log_records is ", options.block_log_records, ", must be a power of two"));
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
      commands_(2 * (int64_t{options.max_batches} + options.max_pending_voices)),
      results_(2 * (int64_t{options.max_batches} + options.max_pending_voices)),
      frame_(options.first_frame),
      schedule_(options.max_batches, options.max_pending_voices),
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
  labels_.resize(options.max_pending_voices);
  labels_.clear();
  spans_.resize(options.max_pending_voices);
  spans_.clear();
  passing_spans_.resize(MixRuns::kMaxSpans);
  passing_spans_.clear();
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
    record.voices += StartDueRt(frames, 0);
    record.voices += MixVoicesRt(frames);
    ScaleByMasterRt(frames);
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

int Mixer::StartDueRt(int frames, size_t behind) noexcept {
  int started = 0;
  while (Voice* const voice = schedule_.PopDueRt(frame_ + frames)) {
    if (voice->StartRt(voice->batch()->origin_frame, Schedule::RequestedFrame(*voice), frame_,
                       &done_changes_)) {
      TellRt({MixerResult::Kind::kVoiceStarted, voice->batch(), voice, voice->start_frame()});
      InsertRt(voice, behind);
      ++started;
    } else {
      EndedRt(voice);
    }
  }
  return started;
}

void Mixer::InsertRt(Voice* voice, size_t behind) noexcept {
  const auto order = [](const Voice* v) {
    return std::tuple(v->start_frame(), v->requested_frame(), v->sequence());
  };
  // But for those that follow another one, starts come in order, the late ones, which start
  // together, first.
  size_t at = active_.size();
  while (at > behind && order(voice) < order(active_[at - 1])) --at;
  const auto insert = [at](const auto& of_voice, auto* of_voices) {
    if (at == of_voices->size()) {
      of_voices->push_back(of_voice);
    } else {
      of_voices->insert(of_voices->begin() + static_cast<std::ptrdiff_t>(at), of_voice);
    }
  };
  insert(voice, &active_);
  insert(voice->LabelRt(), &labels_);
  insert(voice->SpanRt(), &spans_);
}

int Mixer::MixVoicesRt(int frames) noexcept {
  bus_.BeginRt(frame_, frames);
  read_.clear();
  if (std::exchange(labels_outdated_, false)) {
    for (SpanLabel& label : labels_) label.end_frame = 0;
  }
  int started = 0;
  size_t kept = 0;
  for (size_t i = 0; i < active_.size(); ++i) {
    if (labels_[i].route_key != 0) i = RenderWholeRt(i, frames, &kept);
    if (i == active_.size()) break;
    Voice* const voice = active_[i];
    const bool goes_on = voice->RenderRt(frame_, frames, &bus_, &done_changes_);
    if (voice->from_feed()) read_.push_back(voice);
    if (goes_on) {
      labels_[kept] = voice->LabelRt();
      spans_[kept] = voice->SpanRt();
      active_[kept++] = voice;
      continue;
    }
    EndedRt(voice);
    // Those that follow it start here, behind it.
    if (started < kMaxFollowsPerBlock) started += StartDueRt(frames, i + 1);
  }
  active_.resize(kept);
  labels_.resize(kept);
  spans_.resize(kept);
  for (Voice* const voice : read_) voice->CommitRt();
  return started;
}

size_t Mixer::RenderWholeRt(size_t first, int frames, size_t* kept) noexcept {
  const size_t count = active_.size();
  for (size_t begin = first; begin < count;) {
    const SpanRow row = RenderSpansRt(begin, frames);
    if (row.end == begin) return begin;
    AddSpansRt(row);
    if (*kept < begin) {
      const auto move = [&row, to = *kept](auto* of_voices) {
        std::copy(of_voices->data() + row.begin, of_voices->data() + row.end,
                  of_voices->data() + to);
      };
      move(&active_);
      move(&labels_);
      move(&spans_);
    }
    *kept += row.end - begin;
    begin = row.end;
  }
  return count;
}

Mixer::SpanRow Mixer::RenderSpansRt(size_t begin, int frames) noexcept {
  const int64_t block_end_frame = frame_ + frames;
  const size_t limit = std::min(active_.size(), begin + MixRuns::kMaxSpans);
  const uint64_t route_key = labels_[begin].route_key;
  uint64_t differing_bits = 0;
  bool fading = bus_.fades().any();
  size_t end = begin;
  for (;; ++end) {
    if (end < limit && labels_[end].end_frame >= block_end_frame) {
      end += kernel_.count_valid(&labels_[end], static_cast<int>(limit - end), block_end_frame,
                                 route_key, &differing_bits);
    }
    if (end == limit || labels_[end].route_key == 0) break;
    // Where one label is outdated, the next ones often are.
    __builtin_prefetch(active_[std::min(end + kVoicesAhead, active_.size() - 1)]);
    Voice& voice = *active_[end];
    if (!voice.RenderSpanRt(frame_, frames, &bus_, &spans_[end])) break;
    const SpanLabel label = voice.LabelRt();
    labels_[end] = label;
    if (label.end_frame > block_end_frame) passing_spans_.push_back(end);
    differing_bits |= label.route_key ^ route_key;
    fading |= spans_[end].gains_line != 0;
  }
  return {.begin = begin, .end = end, .one_route = differing_bits == 0, .fading = fading};
}

void Mixer::AddSpansRt(const SpanRow& row) noexcept {
  if (row.one_route) {
    bus_.AddWholeRt(&spans_[row.begin], static_cast<int>(row.end - row.begin),
                    active_[row.begin]->route(), row.fading);
  } else {
    GatherSpansRt(row);
  }
  bus_.ReleaseRoomRt();
  for (const size_t i : passing_spans_) spans_[i] = active_[i]->SpanRt();
  passing_spans_.clear();
}

void Mixer::GatherSpansRt(const SpanRow& row) noexcept {
  // Where a run goes on: in memory each voice would wait for the one before.
  struct Cursor {
    uint64_t key = 0;  // no route's
    MixRuns::Run* run = nullptr;
    WholeSpan* end = nullptr;
    void CloseRt() noexcept {
      if (run != nullptr) run->end = end;
      *this = {};
    }
  };
  // Often two routes take turns.
  Cursor here;
  Cursor there;
  for (size_t i = row.begin; i < row.end; ++i) {
    const uint64_t key = labels_[i].route_key;
    assert(key != 0);
    if (here.key != key) std::swap(here, there);
    if (here.key != key) {
      here.CloseRt();
      MixRuns::Run* run = runs_.FindRt(key);
      if (run == nullptr) run = runs_.OpenRt(active_[i]->route());
      if (run == nullptr) {
        there.CloseRt();
        runs_.AddRt(row.fading, &bus_);
        run = runs_.OpenRt(active_[i]->route());
      }
      here = {key, run, run->end};
    }
    *here.end++ = spans_[i];
  }
  here.CloseRt();
  there.CloseRt();
  runs_.AddRt(row.fading, &bus_);
}

void Mixer::InterruptRt(Voice* voice) noexcept {
  voice->InterruptRt(frame_, &bus_);
  labels_outdated_ = true;
}

void Mixer::EndedRt(Voice* voice) noexcept {
  voice->GiveBackChangesRt(&done_changes_);
  schedule_.ReleaseFollowersRt(voice);
  ended_.push_back(voice);
}

void Mixer::ScaleByMasterRt(int frames) noexcept {
  for (int at = 0; at < frames;) {
    while (!master_changes_.empty() && master_changes_.front()->frame <= frame_ + at) {
      VoiceChange* const change = master_changes_.PopRt();
      change->applied_frame = frame_ + at;
      master_.StartRt(change->gain, change->fade);
      done_changes_.AppendRt(change);
    }
    int run = frames - at;
    if (!master_changes_.empty()) {
      run = static_cast<int>(std::min<int64_t>(run, master_changes_.front()->frame - frame_ - at));
    }
    if (master_.moving() || master_.target() != 1.0f) {
      float* const gains = bus_.ScratchGainsRt();
      master_.WriteRt(bus_.kernel(), 1.0f, gains, run);
      for (int c = 0; c < options_.output_channels; ++c) bus_.ScaleRt(c, gains, at, run);
    }
    at += run;
  }
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
  while (!done_changes_.empty()) {
    VoiceChange* const change = done_changes_.PopRt();
    TellRt(
        {.kind = MixerResult::Kind::kChangeDone, .frame = change->applied_frame, .change = change});
  }
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
      if (command.voice->state() == Voice::State::kPlaying) InterruptRt(command.voice);
      command.voice->SkipRt(command.number);
      break;
    case Command::Kind::kChange:
      ChangeRt(command.voice, command.change);
      break;
    case Command::Kind::kFollow:
      FollowRt(command.voice, command.predecessor);
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
  const bool sounds = voice->state() == Voice::State::kPlaying;
  if (sounds) InterruptRt(voice);
  voice->CutRt(cut);
  if (sounds) return;
  int64_t requested = Schedule::RequestedFrame(*voice);
  if (requested >= Voice::kFollows / 2) {
    // Its start is not known, and may never be.
    if (cut > frame_) return;
    Schedule::UnfollowRt(voice);
    requested = cut;
  } else if (cut > std::max(requested, frame_)) {
    return;  // StartRt looks at the cut again
  }
  voice->EndRt(EndReason::kCancelled, requested);
  schedule_.DropRt(voice);
  EndedRt(voice);
}

void Mixer::ChangeRt(Voice* voice, VoiceChange* change) noexcept {
  change->frame = std::max(change->frame, frame_);
  if (voice == nullptr) {
    if (change->clears_later) master_changes_.MoveLaterRt(change->frame, &done_changes_);
    master_changes_.InsertRt(change);
  } else if (voice->state() == Voice::State::kEnded) {
    done_changes_.AppendRt(change);
  } else {
    const bool sounds = voice->state() == Voice::State::kPlaying;
    if (sounds) InterruptRt(voice);
    voice->ChangeRt(change);
    if (sounds) return;
    if (change->kind == VoiceChange::Kind::kSessionGain) {
      voice->PassSessionGainRt(frame_, &done_changes_);
      return;
    }
    if (change->kind != VoiceChange::Kind::kStop) return;
    // At or before its start it keeps the voice from sounding, as a cancel does.
    const int64_t requested = Schedule::RequestedFrame(*voice);
    const bool known = requested < Voice::kFollows / 2;
    if (change->frame <= (known ? std::max(requested, frame_) : frame_)) {
      change->applied_frame = change->frame;
      CancelRt(voice, change->frame);
    }
  }
}

void Mixer::FollowRt(Voice* voice, Voice* predecessor) noexcept {
  if (voice->state() == Voice::State::kEnded) return;
  Schedule::FollowRt(voice, predecessor);
  if (predecessor->state() == Voice::State::kEnded) schedule_.ReleaseFollowersRt(predecessor);
}

void Mixer::TellRt(const MixerResult& result) noexcept {
  [[maybe_unused]] const bool pushed = results_.TryPush(result);
  assert(pushed);  // room for all results of what is admitted
}

// --- Control ---

absl::Status Mixer::CheckRoom(absl::Span<const Batch* const> batches) const {
  if (lent_.size() + batches.size() > static_cast<size_t>(options_.max_batches)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("max_batches (", options_.max_batches, ") batches are pending"));
  }
  int64_t voices = 0;
  int64_t changes = 0;
  for (const Batch* const batch : batches) {
    voices += static_cast<int64_t>(batch->voices.size());
    for (const Voice* const voice : batch->voices) changes += voice->change_count();
  }
  if (admitted_ + voices + changes > options_.max_pending_voices) {
    return absl::ResourceExhaustedError(
        absl::StrCat(voices, " voices and ", changes, " changes, with ", admitted_,
                     " pending, exceed max_pending_voices (", options_.max_pending_voices, ")"));
  }
  return absl::OkStatus();
}

absl::Status Mixer::CheckBatch(const Batch& batch) const {
  absl::Status status = CheckRoom({&batch});
  status.Update(CheckRange("lead_frames", batch.lead_frames, 0, Batch::kMaxFrame));
  if (batch.origin_frame != Batch::kOriginNow) {
    status.Update(
        CheckRange("origin_frame", batch.origin_frame, -Batch::kMaxFrame, Batch::kMaxFrame));
  }
  for (const Voice* const voice : batch.voices) {
    if (!status.ok()) break;
    status = voice->Check(options_.output_channels);
  }
  return status;
}

absl::Status Mixer::Submit(std::unique_ptr<Batch>* batch) {
  if (absl::Status status = CheckBatch(**batch); !status.ok()) return status;
  Batch* const lent = batch->get();
  std::sort(lent->voices.begin(), lent->voices.end(), [](const Voice* a, const Voice* b) {
    return std::pair(a->offset_frames(), a->sequence()) <
           std::pair(b->offset_frames(), b->sequence());
  });
  for (Voice* const voice : lent->voices) {
    voice->set_batch(lent);
    admitted_ += 1 + voice->change_count();
  }
  lent_.emplace(lent, std::move(*batch));
  // In their own batch voices follow each other from the start; a place before others is theirs who
  // were admitted first.
  std::vector<Voice*> followers;  // of voices that were submitted before
  for (Voice* const voice : lent->voices) {
    Voice* const after = voice->after();
    if (after == nullptr) continue;
    after->MakeExtras();
    if (after->batch() == lent) {
      Schedule::FollowRt(voice, after);
    } else {
      followers.push_back(voice);
    }
  }
  Send({Command::Kind::kAdd, lent, nullptr, 0, nullptr, nullptr});
  // The audio thread does not touch their places before it is told of them.
  for (Voice* const voice : followers) {
    Voice* const after = voice->after();
    Send({Command::Kind::kFollow, lent, voice, 0, nullptr, after});
    after->batch()->last_command_ = commands_sent_;
  }
  return absl::OkStatus();
}

absl::Status Mixer::Cancel(Voice* voice, int64_t frame) {
  voice->MakeExtras();
  return SendToVoice({Command::Kind::kCancel, voice->batch(), voice, frame, nullptr, nullptr});
}

absl::Status Mixer::SkipFrames(Voice* voice, int64_t frames) {
  return SendToVoice({Command::Kind::kSkip, voice->batch(), voice, frames, nullptr, nullptr});
}

absl::Status Mixer::Change(Voice* voice, VoiceChange* change) {
  if (admitted_ >= options_.max_pending_voices) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "max_pending_voices (", options_.max_pending_voices, ") voices and changes are pending"));
  }
  if (voice != nullptr) voice->MakeExtras();
  absl::Status status =
      SendToVoice({Command::Kind::kChange, voice != nullptr ? voice->batch() : nullptr, voice, 0,
                   change, nullptr});
  if (status.ok()) ++admitted_;
  return status;
}

absl::Status Mixer::SendToVoice(const Command& command) {
  // What is left above this is for batches, so that admission alone decides about them.
  const int64_t limit = int64_t{options_.max_batches} + options_.max_pending_voices;
  if (commands_.size_approx() >= limit) {
    return absl::ResourceExhaustedError(absl::StrCat("max_batches + max_pending_voices (", limit,
                                                     ") commands wait for the next block"));
  }
  Send(command);
  return absl::OkStatus();
}

void Mixer::Send(const Command& command) {
  ++commands_sent_;
  if (command.batch != nullptr) command.batch->last_command_ = commands_sent_;
  [[maybe_unused]] const bool pushed = commands_.TryPush(command);
  assert(pushed);  // at most max_batches batches, and SendToVoice leaves room for as many
}

bool Mixer::CommandsTaken(const Batch& batch) const {
  // Acquire: the audio thread has done with what it took up.
  return batch.last_command_ <= commands_taken_.load(std::memory_order_acquire);
}

void Mixer::Retire(std::unique_ptr<Batch> batch) {
  retired_.push_back(std::move(batch));
  FreeRetired();
}

void Mixer::FreeRetired() {
  while (!retired_.empty() && CommandsTaken(*retired_.front())) retired_.pop_front();
}

bool Mixer::Release(Batch* batch, MixerResult* result) {
  // A command that names one of its voices may still be on its way: then the batch stays ours.
  if (!CommandsTaken(*batch)) return false;
  const auto lent = lent_.find(batch);
  lent->second.release();  // NOLINT(bugprone-unused-return-value): the caller gets it by the result
  lent_.erase(lent);
  *result = {MixerResult::Kind::kBatchReleased, batch, nullptr, 0};
  return true;
}

bool Mixer::PollResult(MixerResult* result) {
  FreeRetired();
  if (!held_back_.empty() && Release(held_back_.front(), result)) {
    held_back_.pop_front();
    return true;
  }
  while (results_.TryPop(result)) {
    if (result->kind == MixerResult::Kind::kVoiceEnded ||
        result->kind == MixerResult::Kind::kChangeDone) {
      --admitted_;
    }
    if (result->kind != MixerResult::Kind::kBatchReleased) return true;
    if (Release(result->batch, result)) return true;
    held_back_.push_back(result->batch);
  }
  return false;
}

void Mixer::JumpForward(int64_t frames) {
  for (Voice* const voice : active_) InterruptRt(voice);
  frame_ += frames;
  input_history_.JumpForward(frames);
  output_history_.JumpForward(frames);
  next_frame_.store(frame_, std::memory_order_release);
}

void Mixer::EndAll() {
  while (TakeCommandRt()) {
  }
  for (Voice* const voice : active_) {
    voice->InterruptRt(frame_, &bus_);
    voice->EndRt(EndReason::kCancelled, frame_);
    EndedRt(voice);
  }
  active_.clear();
  labels_.clear();
  spans_.clear();
  while (Voice* const voice = schedule_.PopDueRt(Voice::kNoFrame)) {
    // Those that follow another one come after it: their starts are known by then.
    voice->EndRt(EndReason::kCancelled, Schedule::RequestedFrame(*voice));
    EndedRt(voice);
  }
  while (!master_changes_.empty()) done_changes_.AppendRt(master_changes_.PopRt());
  GiveBackEndedRt();
}

}  // namespace rtmixd
