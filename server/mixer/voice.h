#ifndef RTMIXD_SERVER_MIXER_VOICE_H_
#define RTMIXD_SERVER_MIXER_VOICE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "server/mixer/fade.h"
#include "server/mixer/mix_bus.h"
#include "server/mixer/play_feed.h"
#include "server/mixer/voice_change.h"
#include "server/mixer/voice_progress.h"
#include "server/realtime/cache_line.h"

namespace rtmixd {

struct Batch;

// What to do with a start that has already passed when its block comes.
enum class LatePolicy : uint8_t {
  kPlay,  // play from the first sample, now
  kSkip,  // drop it: zero frames done
  kTrim,  // drop what should have sounded already; the rest sits where it belongs
};

enum class EndReason : uint8_t {
  kNone,       // not ended yet
  kCompleted,  // everything was played (or trimmed)
  kCancelled,
  kSkipped,   // late, and its policy was kSkip
  kUnderrun,  // its stream ran dry and its policy was kEnd
};

// Audio that can be played from memory: planar segments of a fixed size, which control threads own
// and keep alive while a voice refers to them. Channel c of segment s starts at
// segments[s] + c * channel_stride_frames. Samples are finite. The stride is kSegmentFrames, or
// less for a sound that fits into one segment, whose memory is no longer than the sound.
struct AudioView {
  static constexpr int64_t kSegmentFrames = 8192;
  const float* const* segments = nullptr;
  int channels = 0;
  int64_t frames = 0;
  int64_t channel_stride_frames = kSegmentFrames;
};

// A region of an AudioView that sounds several times before the view goes on behind it.
struct Loop {
  int64_t begin_frame = 0;
  int64_t end_frame = 0;  // > begin_frame if passes is not 1
  int64_t passes = 1;     // how often it sounds; 0: until it is left
};

// A stretch of the action's time in which it had no audio.
struct VoiceGap {
  int64_t first_frame = 0;  // stream frame
  int64_t frames = 0;
  int64_t position = 0;  // frames of the sound played before it
};

// One sound, from admission to report. A control thread makes and later frees it; in between it
// belongs to the audio thread, which writes its progress for everyone to read. A hundred thousand
// may wait for their starts: it keeps no more than it plays by, and what few voices need apart.
//
// Threading: what it was made with is constant. Progress: written by the audio thread, readable by
// any other thread at any time. Outcome: written by the audio thread, readable after the voice came
// back through Mixer::PollResult. Methods in Rt: the mixer only. MakeExtras: the control thread
// that submits and gives commands, before those that bring what few voices need. The audio thread,
// which must not allocate, may see the extras before such a command: until then they say what their
// absence says.
class alignas(kCacheLineBytes) Voice {
 public:
  static constexpr int kGapSlots = 8;
  static constexpr int64_t kNoFrame = std::numeric_limits<int64_t>::max();
  // Frames and offsets that are asked for lie within this distance of 0, so that no sum of them
  // overflows.
  static constexpr int64_t kMaxFrame = int64_t{1} << 60;
  // offset_frames of a voice that follows another one.
  static constexpr int64_t kFollows = int64_t{1} << 61;
  // Passing over this many changes, or starting this many followers, costs far less than a block.
  static constexpr int kMaxChanges = 64;
  static constexpr int kMaxFollowers = 64;

  struct Spec {
    int64_t offset_frames = 0;  // start, from the batch's origin; kFollows with `after`
    int64_t sequence = 0;       // unique, grows with admission: breaks ties of order
    LatePolicy late_policy = LatePolicy::kPlay;
    UnderrunPolicy underrun_policy = UnderrunPolicy::kSilence;  // feeds only
    float gain = 1.0f;                                          // finite
    float session_gain = 1.0f;                                  // finite; multiplied with `gain`
    // From silence at its start, and to silence at its end. The end must be known: a feed needs
    // max_frames. A sound that is shorter than its fade out begins with it.
    Fade fade_in;
    Fade fade_out;
    // Source channel i sounds on output channel channel_map[i] (from 0); as long as the source has
    // channels. Channels that name the same output are added in the order of the source.
    std::vector<int> channel_map;
    AudioView view;                  // played if `feed` is null
    int64_t view_offset_frames = 0;  // first frame of the view to be played
    Loop loop;                       // of the view; end_frame > view_offset_frames
    // It ends after so many frames of sound, dropped ones included (but for a flush); > 0.
    int64_t max_frames = kNoFrame;
    PlayFeed* feed = nullptr;  // outlives the voice; feeds no other
    // It ends before this frame, counted from the batch's origin: a cut that comes with the voice
    // and so is never late. As of Mixer::Cancel, the earliest cut holds.
    int64_t cut_offset_frames = kNoFrame;
    // Changes that come with the voice and so are never late; at most kMaxChanges.
    std::vector<VoiceChange*> changes;
    // It starts on the frame on which that voice ends, whatever the reason; if that one never
    // started, where it should have. Of the same batch, or submitted earlier and not yet given
    // back.
    Voice* after = nullptr;
    void* owner = nullptr;  // control's own
  };

  explicit Voice(const Spec& spec);
  ~Voice();
  Voice(const Voice&) = delete;
  Voice& operator=(const Voice&) = delete;
  // INVALID_ARGUMENT, naming the field, for what would make no sense to the audio thread. Before it
  // is submitted.
  absl::Status Check(int output_channels) const;

  // --- As it was made with ---
  int64_t offset_frames() const { return offset_frames_; }
  int64_t sequence() const { return sequence_; }
  void* owner() const { return owner_; }
  // Before it is submitted.
  Voice* after() const {
    const Extras* const extras = LoadExtras();
    return extras != nullptr ? extras->predecessor : nullptr;
  }
  // How many changes came with it, whatever they count from.
  int64_t change_count() const {
    const Extras* const extras = LoadExtras();
    return extras != nullptr ? extras->change_count : 0;
  }

  // --- Control, at any time ---
  // Before CutRt, ChangeRt, and before another voice follows it. Once is enough.
  void MakeExtras();

  // --- Progress, any thread ---
  enum class State : uint8_t { kPending, kPlaying, kEnded };
  State state() const { return state_.load(std::memory_order_relaxed); }
  // Frames of the sound played so far (silence of underruns not counted), and the next frame of the
  // view, as of VoiceProgress::Read.
  VoiceProgress::Value progress(int64_t next_frame) const { return progress_.Read(next_frame); }
  // Where it actually started; -1 before, and for ever if it ended before it started.
  int64_t start_frame() const { return start_frame_.load(std::memory_order_relaxed); }
  bool paused() const { return paused_.load(std::memory_order_relaxed); }
  // How often its stream ran dry, and for how long in all.
  int64_t gap_count() const {
    return from_feed_ ? LoadFeed().gap_count.load(std::memory_order_relaxed) : 0;
  }
  int64_t gap_total_frames() const {
    return from_feed_ ? LoadFeed().gap_total_frames.load(std::memory_order_relaxed) : 0;
  }

  // --- Outcome, after it came back ---
  EndReason end_reason() const { return end_reason_; }
  int64_t done_frames() const { return progress_.done_frames(); }
  int64_t position_frames() const { return progress_.position_frames(); }
  // The start asked for; of one that follows another, that one's end. Readable from the result
  // kVoiceStarted on, too. kNoFrame if it ended before it was known.
  int64_t requested_frame() const { return requested_frame_; }
  // Stream frame after its last one; its start frame if nothing sounded, the requested one if it
  // never started.
  int64_t end_frame() const { return end_frame_; }
  // How late its block was; 0 if in time, or if it was cancelled before its start was looked at.
  int64_t late_frames() const { return late_frames_; }
  // Frames of the sound dropped by kTrim and by SkipFrames.
  int64_t trimmed_frames() const { return trimmed_frames_; }
  // min(gap_count, kGapSlots) slots. Their frames add up to gap_total_frames: the last slot holds
  // the start of its first gap and the frames of all gaps from that one on.
  const VoiceGap* gaps() const { return from_feed_ ? LoadFeed().gaps.data() : nullptr; }

  // --- Audio thread ---
  // Starts it in the block that begins at `block_first_frame`; false if it ended instead, since it
  // was late and is not to play late, or since it is to be cut before it starts. Changes that took
  // effect are added to `done`.
  bool StartRt(int64_t origin_frame, int64_t requested_frame, int64_t block_first_frame,
               VoiceChangeList* done) noexcept;
  // What it gives in the blocks to come, while nothing happens to it but that time passes.
  SpanLabel LabelRt() const noexcept {
    return {.route_key = route_key_, .end_frame = fading_ ? 0 : progress_.until_frame()};
  }
  const WholeSpan& SpanRt() const noexcept { return next_; }
  // Sounds in a block in which nothing happens to it, but that it may be in the midst of a fade, or
  // that its memory is in several pieces: gains and pieces are put into room of the bus. Writes
  // what is to be added to the bus. False, and nothing has sounded, if something may happen or
  // there is no room left.
  bool RenderSpanRt(int64_t block_first_frame, int frames, MixBus* bus, WholeSpan* span) noexcept;
  // Where it goes; what comes next of a sound that is longer than the nearest cache is fetched.
  VoiceRoute route() const {
    return {route_key_, channel_map_.data(), channels_, (route_key_ & kFarBit) != 0};
  }
  // Sounds in a block, from its start on, on the channels of `bus`; false if it ended in the block.
  // Changes that took effect are added to `done`.
  bool RenderRt(int64_t block_first_frame, int frames, MixBus* bus, VoiceChangeList* done) noexcept;
  // Whether CommitRt is to be called.
  bool from_feed() const { return from_feed_; }
  // Gives the frames that RenderRt read back to the feed; only a voice with a feed needs it.
  void CommitRt() noexcept;
  // It ends before `frame`; of several cuts the earliest holds.
  void CutRt(int64_t frame) noexcept;
  // To take effect from change->frame on, which is not past.
  void ChangeRt(VoiceChange* change) noexcept;
  // Of a voice that has not started: its session's gain passes up to `frame`, so that changes of it
  // do not pile up. They are added to `done`.
  void PassSessionGainRt(int64_t frame, VoiceChangeList* done) noexcept;
  // Hands over the changes that have not taken effect.
  void GiveBackChangesRt(VoiceChangeList* done) noexcept;
  // Something might happen from frame `frame` on, of which its label does not know. Before CutRt,
  // ChangeRt, SkipRt and EndRt of one that sounds. It leaves the fade of the bus in whose midst it
  // is, if any.
  void InterruptRt(int64_t frame, MixBus* bus) noexcept {
    progress_.BeginRt();
    StopRt(frame, bus);
    progress_.EndRt();
  }
  // Drops the next `frames` of a sounding voice; see Mixer::SkipFrames.
  void SkipRt(int64_t frames) noexcept;
  void EndRt(EndReason reason, int64_t frame) noexcept;
  // The batch that it was submitted with; the mixer's.
  Batch* batch() const { return batch_; }
  void set_batch(Batch* batch) { batch_ = batch; }

 private:
  friend class Schedule;

  // What a feed has for the block, after what is owed was paid.
  struct FeedBlock {
    PlayFeed::Look look;
    int64_t read;
  };
  // What only a voice with a feed has.
  struct Feed {
    PlayFeed* source;
    UnderrunPolicy underrun_policy;
    bool idling = false;               // waits for its prebuffer
    int64_t uncommitted_frames = 0;    // read, to be given back by CommitRt
    int64_t trim_debt_frames = 0;      // still to be dropped, counted as trimmed
    int64_t timeline_debt_frames = 0;  // still to be dropped for the gaps before
    int64_t doubt_first_frame = 0;     // silent since then, perhaps for being at its end
    int64_t doubt_frames = 0;          // for so long; 0: no doubt
    std::atomic<int64_t> gap_total_frames{0};
    std::atomic<int64_t> gap_count{0};
    int64_t gap_end_frame = -1;  // after the latest gap: one that begins here continues it
    std::array<VoiceGap, kGapSlots> gaps{};
  };
  // What only a voice has to which more happens than that it sounds to its end. As made without a
  // Spec it says what holds for a voice that has none.
  struct alignas(kCacheLineBytes) Extras {
    // What it takes at a seam: a cache line.
    int64_t cut_frame = kNoFrame;
    VoiceChangeList changes;
    GainRamp session_ramp{1.0f};    // passes with the stream
    int64_t max_frames = kNoFrame;  // less those that were dropped
    std::unique_ptr<Feed> feed;

    int64_t fade_out_frames = 0;
    FadeShape fade_out_shape = FadeShape::kLinear;
    int16_t change_count = 0;
    // Before the start: up to which its session's gain has passed.
    int64_t session_frame = kNoFrame;
    int64_t cut_offset_frames = kNoFrame;
    VoiceChange* relative_changes = nullptr;  // that count from the origin, before it starts
    // Those that follow it, and its place among those that follow the same one.
    Voice* predecessor = nullptr;
    Voice* first_follower = nullptr;
    Voice* next_follower = nullptr;

    // Of the next cut or change.
    int64_t EventFrame() const noexcept {
      return changes.empty() ? cut_frame : std::min(cut_frame, changes.front()->frame);
    }
  };

  static std::unique_ptr<Extras> ExtrasOf(const Spec& spec);  // null if it needs none
  Extras* LoadExtras() const noexcept { return extras_.load(std::memory_order_acquire); }
  Feed& LoadFeed() const noexcept { return *LoadExtras()->feed; }
  const GainRamp& SessionRamp() const noexcept {
    const Extras* const extras = LoadExtras();
    return extras != nullptr ? extras->session_ramp : kStandingRamp;
  }

  static int64_t OffsetInSegment(int64_t position) noexcept {
    return static_cast<int64_t>(static_cast<uint64_t>(position) % AudioView::kSegmentFrames);
  }
  // Of the first channel of the view.
  const float* SamplesAt(int64_t position) const noexcept {
    return segments_[static_cast<uint64_t>(position) / AudioView::kSegmentFrames] +
           OffsetInSegment(position);
  }
  // The ways of RenderSpanRt.
  bool RenderWholeRt(int64_t block_first_frame, int frames, WholeSpan* span) const noexcept;
  bool RenderFadingRt(int64_t block_first_frame, int frames, MixBus* bus, WholeSpan* span) noexcept;
  bool RenderJoinedRt(int64_t block_first_frame, int frames, MixBus* bus, WholeSpan* span) noexcept;
  // Sounds from one thing that happens to the next.
  bool RenderPiecesRt(int64_t block_first_frame, int frames, MixBus* bus,
                      VoiceChangeList* done) noexcept;
  // Both sound from frame `begin` of the block on and before frame `stop`; false if it ended.
  bool RenderViewRt(int64_t block_first_frame, int begin, int stop, MixBus* bus) noexcept;
  bool RenderFeedRt(int64_t block_first_frame, int begin, int stop, FeedBlock* feed,
                    MixBus* bus) noexcept;
  // False if it turned out to have run dry and that ends it.
  bool BeginFeedBlockRt(FeedBlock* feed) noexcept;
  // Writes the gains of `frames` frames, from the one on that sounds `ahead` frames after the next.
  void WriteGainsRt(int64_t ahead, int frames, MixBus* bus, float* gains) const noexcept;
  // Its fades pass `frames` frames.
  void AdvanceGainRt(int64_t frames) noexcept;
  // Both of the next `frames` frames, in all the room of the bus; null if next_.gain holds for all.
  const float* GainsRt(int frames, MixBus* bus) noexcept;
  // A piece of the view that is to sound next: of its first channel.
  struct Piece {
    const float* samples;
    int frames;
  };
  Piece NextPieceRt(int max_frames) const noexcept;
  MixSpan MakeSpan(const float* samples, const float* gains, int at, int frames) const noexcept {
    return {samples, gains, next_.gain, static_cast<int16_t>(at), static_cast<int16_t>(frames)};
  }
  // Passes frames of the view, through its loop.
  void PassViewRt(int64_t frames) noexcept;
  void TakeEffectRt(const VoiceChange& change) noexcept;
  // The origin is known: what counts from it gets its frame.
  void SetOriginRt(int64_t origin_frame) noexcept;
  // Changes up to its start take effect.
  void PassChangesRt(int64_t requested_frame, int64_t start_frame, VoiceChangeList* done) noexcept;
  // Whether a stop is due by `frame`, at which it would start.
  bool StopsByRt(int64_t frame) noexcept;
  // Frames of sound that are left; kNoFrame: no end in sight.
  int64_t RemainingFrames() const noexcept;
  int64_t LeftOfMaxFrames() const noexcept {
    const Extras* const extras = LoadExtras();
    if (extras == nullptr || extras->max_frames == kNoFrame) return kNoFrame;
    return std::max<int64_t>(extras->max_frames - done_frames(), 0);
  }
  // These count for max_frames, and do not sound.
  void DropFramesRt(int64_t frames) noexcept;
  // Frames of sound until the fade out is to begin; kNoFrame if it has begun or never will.
  int64_t FadeOutDistance() const noexcept;
  // Begins it if its time has come; returns the distance after that.
  int64_t FadeOutRt() noexcept;
  // Of the next cut or change.
  int64_t EventFrame() const noexcept {
    const Extras* const extras = LoadExtras();
    return extras != nullptr ? extras->EventFrame() : kNoFrame;
  }
  // Looks at what is to happen, and how soon, as of the block that begins at `next_frame`.
  void LookAheadRt(int64_t next_frame, MixBus* bus) noexcept;
  // From `ahead` frames after progress_.as_of_frame() on it takes the gains of a common fade, if
  // there is room for it, and only one fade makes its gain.
  void JoinFadeRt(int64_t ahead, MixBus* bus) noexcept;
  // Counts what sounded before stream frame `frame`, its fades with it; it leaves a common one.
  void StopRt(int64_t frame, MixBus* bus) noexcept;
  // Drops the part of a debt that is there, of frames [*read, write); returns how many frames.
  static int64_t PayRt(int64_t* debt_frames, int64_t* read, int64_t write) noexcept;
  // There was nothing to play on these frames. False: that ends it.
  bool RunDryRt(int64_t first_frame, int64_t frames) noexcept;
  void AddGapRt(int64_t first_frame, int64_t frames) noexcept;
  void AddDoneRt(int64_t frames) noexcept;

  absl::Status CheckLoop() const;

  static constexpr uint64_t kFarBit = 1;
  static constexpr GainRamp kStandingRamp{1.0f};
  using ChannelMap = absl::InlinedVector<int16_t, 8>;
  static ChannelMap ToChannelMap(const std::vector<int>& outputs);
  static uint64_t RouteKey(const AudioView& view, const ChannelMap& map);

  // It goes on while nothing can happen, memory is in one piece, and it stands or is in the midst
  // of a fade. Meanwhile its ramps, too, are as of progress_.as_of_frame().
  VoiceProgress progress_;
  WholeSpan next_;  // while it goes on; the gain if it does not fade, the line if it does in common
  uint64_t route_key_ = 0;  // of its label

  // What it takes besides to go on after a seam of its memory: two more cache lines.
  const int16_t channels_;  // at most 1024
  const int16_t source_channels_;
  int16_t begin_ = 0;  // where it starts in the block that comes next; 0 but in its first block
  const bool from_feed_;
  bool plain_ = false;  // neither paused, nor fading, nor a feed that has to end by itself
  std::atomic<State> state_{State::kPending};
  std::atomic<bool> paused_{false};
  bool fading_ = false;   // by itself, while it goes on
  const bool fades_out_;  // before its end
  bool fading_out_ = false;
  EndReason end_reason_ = EndReason::kNone;
  const LatePolicy late_policy_;
  std::atomic<Extras*> extras_;  // its own; null: it has none
  const float* const* const segments_;
  const int64_t loop_begin_frame_;
  const int64_t loop_end_frame_;
  int64_t jumps_left_;  // back to the begin of the loop; -1: for ever
  const int64_t view_frames_;

  GainRamp ramp_;  // passes with the sound; before the start: as it will begin
  const ChannelMap channel_map_;
  Batch* batch_ = nullptr;
  int32_t heap_index_ = -1;  // where the schedule has it, once its start is known

  // Around its start and its end.
  const int64_t offset_frames_;
  const int64_t sequence_;
  void* const owner_;
  std::atomic<int64_t> start_frame_{-1};
  int64_t requested_frame_ = kNoFrame;
  int64_t end_frame_ = -1;
  int64_t late_frames_ = 0;
  int64_t trimmed_frames_ = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_VOICE_H_
