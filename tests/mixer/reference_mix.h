#ifndef RTMIXD_TESTS_MIXER_REFERENCE_MIX_H_
#define RTMIXD_TESTS_MIXER_REFERENCE_MIX_H_

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "server/mixer/batch.h"
#include "server/mixer/voice.h"

namespace rtmixd {

// What a test did to one voice and its feed, and when. Nothing here comes from the mixer.
struct SoundScript {
  enum class Kind {
    kCancel,  // number: frame
    kSkip,    // number: frames
    kWrite,   // number: frames that the feed took
    kEnd,
    kIdle,
    kFlush,
    kChange,  // `change` was sent
    kEndAll,  // the mixer was told to end everything before this block, which it never saw
  };
  struct Action {
    int block = 0;  // index of the block before which it happened
    Kind kind = Kind::kCancel;
    int64_t number = 0;
    int64_t order = 0;  // among all that was done to the mixer
    VoiceChange change = {};
  };

  int submit_block = 0;      // index of the block that takes up the batch
  int64_t submit_order = 0;  // as of Action
  int64_t origin_frame = Batch::kOriginNow;
  int64_t lead_frames = 0;
  int64_t offset_frames = 0;
  int64_t sequence = 0;
  LatePolicy late_policy = LatePolicy::kPlay;
  UnderrunPolicy underrun_policy = UnderrunPolicy::kSilence;
  float gain = 1.0f;
  float session_gain = 1.0f;
  Fade fade_in;
  Fade fade_out;
  Loop loop;
  int64_t max_frames = Voice::kNoFrame;
  int after = -1;                    // index of the script that it follows, which comes before
  std::vector<VoiceChange> changes;  // that came with it, from the origin of the batch
  std::vector<int> channel_map;
  std::function<float(int channel, int64_t frame)> sample;  // of the sound, frame from 0
  int64_t view_frames = 0;                                  // its length, if it comes from memory
  int64_t view_offset_frames = 0;                           // where in that it begins
  bool from_feed = false;
  int64_t prebuffer_frames = 0;
  std::vector<Action> actions;  // by block; in the order in which they were done
};

// A part of the mixer's time that is worked off at once.
struct ScriptBlock {
  int64_t first_frame;
  int64_t frames;
};

// A frame of the sound that sounds.
struct HeardFrame {
  int64_t frame;     // of the stream
  int64_t position;  // in the sound
  float gain;
};

// What must become of a sound.
struct PredictedSound {
  bool started = false;
  bool ended = false;
  int64_t origin_frame = 0;
  int64_t requested_frame = 0;
  int64_t start_frame = -1;
  int64_t end_frame = -1;
  int64_t late_frames = 0;
  int64_t trimmed_frames = 0;
  int64_t consumed_frames = 0;  // of a feed, dropped ones included
  EndReason end_reason = EndReason::kNone;
  std::vector<VoiceGap> gaps;     // all of them
  std::vector<HeardFrame> heard;  // by stream frame
  int end_block = -1;             // in which it ended, or before which by a command
  int64_t end_order = -1;         // of that command; beyond all if it ended in the block
  bool gave_up_place = false;     // cancelled before its start was known
  // Where each change took effect: those that came with it, then those that were sent.
  std::vector<int64_t> applied_frames;
};

// Follows sounds frame by frame, from the contract of Mixer, Voice and PlayFeed alone.
std::vector<PredictedSound> PredictSounds(const std::vector<SoundScript>& scripts,
                                          const std::vector<ScriptBlock>& blocks);

// A change of the master gain that was sent before a block.
struct MasterChange {
  int block = 0;
  VoiceChange change;
};

struct ReferenceOutput {
  std::vector<std::vector<float>> channels;  // one sample for each frame of each block in turn
  std::vector<uint64_t> clipped_samples;     // per channel
};

// Sums sounds sample by sample, by the rules of the mixer: in the order (start, requested start,
// sequence), each by one fused multiply-add, times the master gain, what is denormal replaced by
// zero, then clipped.
ReferenceOutput SumSounds(const std::vector<SoundScript>& scripts,
                          const std::vector<PredictedSound>& predicted,
                          const std::vector<MasterChange>& master_changes,
                          const std::vector<ScriptBlock>& blocks, int output_channels);

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_MIXER_REFERENCE_MIX_H_
