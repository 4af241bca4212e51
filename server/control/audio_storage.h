#ifndef RTMIXD_SERVER_CONTROL_AUDIO_STORAGE_H_
#define RTMIXD_SERVER_CONTROL_AUDIO_STORAGE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/control/byte_budget.h"
#include "server/mixer/voice.h"

namespace rtmixd {

// The samples of one buffer or of a sound sent along: planar segments of AudioView::kSegmentFrames
// frames, so that it can grow to any length without moving what is there, and be played and
// downloaded meanwhile. It is held by shared_ptr: whoever plays or reads it keeps its memory, which
// is given back to the budget when the last user is gone.
//
// A sound that is known to fit into one segment gets one no longer than itself: 100 mono frames
// take 448 bytes and not 32 KiB. Should it grow after all, that one segment is copied, once.
//
// Threading: "Appender" methods by one thread at a time; the rest by any thread at any time,
// wait-free. A reader sees all samples of the frames that it sees published.
class AudioStorage {
 public:
  // A part that lies in one piece: sample f of channel c at samples[c * channel_stride_frames + f].
  template <typename Sample>
  struct Stretch {
    Sample* samples = nullptr;
    int64_t channel_stride_frames = 0;
    int64_t frames = 0;
  };

  // Allocates room for `expected_frames` (0: none yet) at once. `channels` > 0. RESOURCE_EXHAUSTED
  // (kLimitExceeded) if the budget does not hold it, or the machine has no memory for it.
  static absl::StatusOr<std::shared_ptr<AudioStorage>> Create(int channels, int64_t expected_frames,
                                                              std::shared_ptr<ByteBudget> budget);
  ~AudioStorage();
  AudioStorage(const AudioStorage&) = delete;
  AudioStorage& operator=(const AudioStorage&) = delete;

  int channels() const { return channels_; }
  // Frames published.
  int64_t frames() const { return frames_.load(std::memory_order_acquire); }
  // Bytes of memory taken.
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  // What is published now, for a voice; holds as long as this does.
  AudioView View() const;
  // The longest stretch from `first_frame` on, of at most `max_frames`; empty at frames().
  Stretch<const float> Read(int64_t first_frame, int64_t max_frames) const;

  // --- Appender ---
  // Makes room for `frames` more than are published, before any of them is written. Errors as
  // Create; then nothing has changed. Allocates and touches memory: not under a lock that others
  // wait for.
  absl::Status Grow(int64_t frames);
  // Where to write the frames that come `ahead_frames` after those published, of at most
  // `max_frames`; empty where there is no room.
  Stretch<float> Room(int64_t ahead_frames, int64_t max_frames);
  // Publishes the next `frames` frames, which have been written.
  void Publish(int64_t frames);

 private:
  // Where the segments are. Slots of published segments never change; the next ones are filled in
  // before their frames are published. A full table is replaced by one of twice the size and kept,
  // since readers may still look at it.
  struct Table {
    Table(int64_t capacity, int64_t stride) : channel_stride_frames(stride), segments(capacity) {}
    const int64_t channel_stride_frames;
    std::vector<float*> segments;
  };
  struct FreeSegment {
    void operator()(float* samples) const;
  };
  using Segment = std::unique_ptr<float[], FreeSegment>;

  AudioStorage(int channels, std::shared_ptr<ByteBudget> budget);
  // Adds segments of the given stride, room for frames after room_frames_. All or none.
  absl::Status AddSegments(int64_t count, int64_t channel_stride_frames);
  void Insert(std::vector<Segment> fresh, int64_t channel_stride_frames);
  void CopyShortSegment(const Table& table, float* to) const;

  const int channels_;
  const std::shared_ptr<ByteBudget> budget_;
  std::atomic<int64_t> frames_{0};
  std::atomic<int64_t> bytes_{0};
  // Acquire and release: who sees a table sees its slots.
  std::atomic<const Table*> table_{nullptr};
  // The appender's.
  int64_t room_frames_ = 0;                     // that the segments hold, published ones included
  std::vector<std::unique_ptr<Table>> tables_;  // the last is current
  std::vector<Segment> segments_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_AUDIO_STORAGE_H_
