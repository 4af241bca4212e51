#ifndef RTMIXD_SERVER_MIXER_MIXER_H_
#define RTMIXD_SERVER_MIXER_MIXER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/mixer/audio_history.h"
#include "server/mixer/batch.h"
#include "server/mixer/block_log.h"
#include "server/mixer/mix_bus.h"
#include "server/mixer/mix_kernel.h"
#include "server/mixer/mix_runs.h"
#include "server/mixer/schedule.h"
#include "server/mixer/voice.h"
#include "server/realtime/audio_block.h"
#include "server/realtime/spsc_queue.h"
#include "server/realtime/wake.h"

namespace rtmixd {

struct MixerResult {
  enum class Kind : uint8_t {
    kBatchOrigin,   // the origin of a kOriginNow batch is set (`batch`, `frame`)
    kVoiceStarted,  // `voice` of `batch` sounds from `frame`; not told of voices that never start
    kVoiceEnded,  // `voice` of `batch` has its outcome, which no longer changes; `frame` is its end
    kChangeDone,  // `change` took effect on `frame`, or cannot any more (VoiceChange::kNever)
    kBatchReleased,  // every voice of `batch` has ended; the caller owns the batch
  };
  Kind kind = Kind::kBatchOrigin;
  Batch* batch = nullptr;
  Voice* voice = nullptr;         // null but for the voice results
  int64_t frame = 0;              // 0 for kBatchReleased
  VoiceChange* change = nullptr;  // of kChangeDone, whose batch and voice are null
};

// The realtime mixer: everything that the audio thread does. It takes up what was submitted, starts
// what is due, sums what sounds, and keeps what came in and what went out, block by block; all else
// is computed elsewhere from what it leaves behind.
//
// What a block costs depends on what sounds and starts in it, not on what is scheduled for later;
// at most kMaxCommandsPerBlock commands are taken up per block, in the order in which they were
// given, and the rest waits for the next block. A "block" here is at most max_block_frames long:
// longer ones of the device are worked off in such parts.
//
// Voices are summed in the order (actual start frame, requested start frame, sequence), in float,
// bus = fma(gain, sample, bus), denormals flushed to zero. Where a fade moves, `gain` is the
// voice's own times that of its session, rounded to float; the sum is multiplied with the master
// gain if that is not 1.
//
// Threading: ProcessRt and AfterBlockRt on the audio thread. Submit, Cancel, Change, SkipFrames,
// PollResult, room and waiting_commands by one control thread at a time (callers hold a lock).
// JumpForward and EndAll likewise, and only while no audio thread runs. histories, block_log,
// next_frame and counters by any thread.
class Mixer : public AudioBlockSink {
 public:
  // Taking up a batch or a cancellation costs some 0.1 us: a full block's worth stays near 25 us.
  static constexpr int kMaxCommandsPerBlock = 256;
  // Voices that end in a block start those that follow them in it, up to so many; the rest is late
  // by the block.
  static constexpr int kMaxFollowsPerBlock = 1024;

  struct Options {
    int input_channels = 0;           // 0: none
    int output_channels = 0;          // 0: none
    int max_block_frames = 1024;      // longer blocks are split inside
    int64_t history_frames = 480000;  // >= max_block_frames
    int max_pending_voices = 100000;  // and changes, admitted and not yet ended or done
    int max_batches = 100000;         // admitted and not yet released
    // A power of two. By default 21 s of 64-frame blocks at 48 kHz; readers look many times a
    // second.
    int block_log_records = 16384;
    int64_t first_frame = 0;  // >= 0
    EventFdWaker* waker =
        nullptr;  // woken by AfterBlockRt if armed; outlives the mixer; may be null
    bool portable_kernel = false;  // for tests: do without what only this processor can do
  };
  // INVALID_ARGUMENT, naming the option, for a number that is out of range.
  static absl::StatusOr<std::unique_ptr<Mixer>> Create(const Options& options);
  // Frees what is still lent. Only while no audio thread runs.
  ~Mixer() override;
  Mixer(const Mixer&) = delete;
  Mixer& operator=(const Mixer&) = delete;

  // --- Audio thread ---
  void ProcessRt(const AudioBlock& block) noexcept override;
  void AfterBlockRt() noexcept override;

  // --- Control ---
  // Whether these batches, of which none is lent yet, would fit all together. RESOURCE_EXHAUSTED as
  // of Submit.
  absl::Status CheckRoom(absl::Span<const Batch* const> batches) const;
  // Lends a batch to the audio thread and leaves `*batch` null. On an error it is untouched:
  // RESOURCE_EXHAUSTED, naming the limit, if its voices or it would exceed the limits;
  // INVALID_ARGUMENT for what would make no sense to the audio thread (a channel map that does not
  // fit, a gain that is not finite, a frame beyond kMaxFrame). What was admitted cannot be lost.
  absl::Status Submit(std::unique_ptr<Batch>* batch);
  // Ends `voice` before frame `frame` sounds (any past frame: at the next block). Of several
  // cancellations the earliest frame holds. A voice that has ended, but whose batch was not retired
  // yet, is left as it is. RESOURCE_EXHAUSTED if the command queue is full (retry after a block).
  absl::Status Cancel(Voice* voice, int64_t frame);
  // Changes `voice` from change->frame on; with null the master gain, of which kGain alone is
  // possible. `change` is the mixer's until kChangeDone. Voices as for Cancel. RESOURCE_EXHAUSTED
  // if the limit of pending voices and changes is reached or the command queue is full.
  absl::Status Change(Voice* voice, VoiceChange* change);
  // How many voices and changes can be admitted now.
  int64_t room() const { return options_.max_pending_voices - admitted_; }
  // How many commands the audio thread has not taken up yet.
  int64_t waiting_commands() const {
    return commands_sent_ - commands_taken_.load(std::memory_order_relaxed);
  }
  // Drops the next `frames` (>= 0) of a sounding voice from the next block on, to catch up with a
  // timeline that lost as many. Does nothing to a voice that is not sounding, or whose stream is
  // idle. Voices and errors as for Cancel.
  absl::Status SkipFrames(Voice* voice, int64_t frames);
  // The oldest result not yet taken; false if there is none. The BlockLog and next_frame() already
  // cover the block in which a voice ended.
  bool PollResult(MixerResult* result);
  // Takes a batch that came back, and frees it once the audio thread has taken up all commands that
  // name one of its voices. For who polls several results before acting on them: what he does by
  // the first may be a command to a voice whose batch is among the last.
  void Retire(std::unique_ptr<Batch> batch);

  // --- While no audio thread runs ---
  // The frame counter jumps once, after the device was away for so long. Pending starts jumped over
  // are late, and their policies hold; what sounds goes on where it was.
  void JumpForward(int64_t frames);
  // Takes up commands and ends everything, as if cancelled now; all results can then be polled.
  void EndAll();

  // --- Any thread ---
  // First frame of the next block.
  int64_t next_frame() const { return next_frame_.load(std::memory_order_acquire); }
  // What the device brought, with 0 for samples that were not finite.
  const AudioHistory& input_history() const { return input_history_; }
  // What was sent to the device, clipped.
  const AudioHistory& output_history() const { return output_history_; }
  const BlockLog& block_log() const { return block_log_; }
  // Samples of output channel `output_channel` (from 0) that were clipped since creation.
  uint64_t clipped_samples(int output_channel) const {
    return clipped_samples_[output_channel].load(std::memory_order_relaxed);
  }

 private:
  struct Command {
    enum class Kind : uint8_t { kAdd, kCancel, kSkip, kChange, kFollow };
    Kind kind;
    Batch* batch;
    Voice* voice;    // null for kAdd, and for a change of the master gain
    int64_t number;  // kCancel: frame; kSkip: frames
    VoiceChange* change;
    Voice* predecessor;  // of kFollow
  };

  explicit Mixer(const Options& options);

  // Control.
  absl::Status CheckBatch(const Batch& batch) const;
  absl::Status SendToVoice(const Command& command);
  void Send(const Command& command);
  bool Release(Batch* batch, MixerResult* result);
  bool CommandsTaken(const Batch& batch) const;
  void FreeRetired();

  // Audio thread. The steps of a block, in order.
  void TakeCommandsRt() noexcept;
  int32_t WriteInputRt(const AudioBlock& block, int offset, int frames) noexcept;
  int StartDueRt(int frames, size_t behind) noexcept;
  int MixVoicesRt(int frames) noexcept;  // returns how many started meanwhile
  // Renders active voices from `first` on, up to one that starts or ends or comes from a feed, and
  // moves them to `*kept` and on; returns where it stopped.
  size_t RenderWholeRt(size_t first, int frames, size_t* kept) noexcept;
  // Active voices [begin, end) whose entries of spans_ are for this block.
  struct SpanRow {
    size_t begin;
    size_t end;
    bool one_route;  // all have the same
    bool fading;     // some may have a gains_line
  };
  // Makes a row, up to the first one that gives more than a span or for which there is no room.
  SpanRow RenderSpansRt(size_t begin, int frames) noexcept;
  // Adds it; spans_ then has what its voices give in the next blocks.
  void AddSpansRt(const SpanRow& row) noexcept;
  void GatherSpansRt(const SpanRow& row) noexcept;
  // Something happens to a voice that sounds, but not in a block.
  void InterruptRt(Voice* voice) noexcept;
  void ScaleByMasterRt(int frames) noexcept;
  int32_t WriteOutputRt(const AudioBlock& block, int offset, int frames) noexcept;
  void GiveBackEndedRt() noexcept;

  bool TakeCommandRt() noexcept;
  void AddRt(Batch* batch) noexcept;
  void CancelRt(Voice* voice, int64_t frame) noexcept;
  void ChangeRt(Voice* voice, VoiceChange* change) noexcept;
  void FollowRt(Voice* voice, Voice* predecessor) noexcept;
  // Among those that sound, at its place in the order of summation, which is behind `behind`.
  void InsertRt(Voice* voice, size_t behind) noexcept;
  void EndedRt(Voice* voice) noexcept;
  void TellRt(const MixerResult& result) noexcept;

  const Options options_;

  // Control.
  std::unordered_map<const Batch*, std::unique_ptr<Batch>> lent_;
  int64_t admitted_ = 0;  // voices and changes whose kVoiceEnded or kChangeDone was not polled
  int64_t commands_sent_ = 0;
  // Released, but commands that name them are still on their way: before they came back, and after.
  std::deque<Batch*> held_back_;
  std::deque<std::unique_ptr<Batch>> retired_;

  SpscQueue<Command> commands_;
  SpscQueue<MixerResult> results_;
  std::atomic<int64_t> commands_taken_{0};

  // Audio thread. Every array has room for all voices that can be admitted, but for passing_spans_.
  int64_t frame_;
  Schedule schedule_;
  MixBus bus_;
  MixRuns runs_;
  std::vector<Voice*> active_;  // sounding, in the order of summation
  // Of these, kept from block to block, so that most blocks touch no voice.
  std::vector<SpanLabel> labels_;
  std::vector<WholeSpan> spans_;
  // A command was about one of these: the next block asks all of them, and need not look for it.
  bool labels_outdated_ = false;
  std::vector<size_t> passing_spans_;  // of a row: entries of spans_ that are for this block alone
  std::vector<Voice*> read_;           // sounding in this block from a feed
  std::vector<Voice*> ended_;          // to be given back after this block
  const MixKernel& kernel_;
  std::vector<float> input_;  // of this block, planar, without what was not finite
  std::vector<const float*> input_pointers_;
  VoiceChangeList done_changes_;  // to be given back after this block
  GainRamp master_{1.0f};
  VoiceChangeList master_changes_;

  // For any thread.
  std::atomic<int64_t> next_frame_;
  AudioHistory input_history_;
  AudioHistory output_history_;
  BlockLog block_log_;
  std::unique_ptr<std::atomic<uint64_t>[]> clipped_samples_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_MIXER_H_
