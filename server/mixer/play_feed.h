#ifndef RTMIXD_SERVER_MIXER_PLAY_FEED_H_
#define RTMIXD_SERVER_MIXER_PLAY_FEED_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "server/realtime/spsc_frame_ring.h"

namespace rtmixd {

// What to do when a sounding stream has no audio in time.
enum class UnderrunPolicy : uint8_t {
  kEnd,           // the sound ends there
  kSilence,       // silence is inserted; what comes later is delayed by as much
  kKeepTimeline,  // silence is inserted; as much of what comes later is dropped, the rest sits in
                  // place
};

// The ring that carries one stream's audio to the audio thread, with the marks that tell the end of
// a sound from starvation. Positions count frames of the sound from 0 and never wrap. One feed
// feeds one voice.
//
// Threading: "Producer" is one network-side thread at a time; "Consumer" is the audio thread.
// Everything but construction is wait-free.
class PlayFeed {
 public:
  static constexpr int64_t kNone = -1;

  // The capacity is `min_capacity_frames` rounded up to a power of two. `prebuffer_frames`: after
  // idling, sound resumes when so many frames are there (at most the capacity is waited for), or
  // when what is there ends with the sound or with the next idle mark.
  PlayFeed(int channels, int64_t min_capacity_frames, int64_t prebuffer_frames);
  // Bytes of samples that such a feed takes.
  static int64_t MemoryBytes(int channels, int64_t min_capacity_frames) {
    return SpscFrameRing::MemoryBytes(channels, min_capacity_frames);
  }

  // --- Producer ---
  // Writes as many of `frames` as fit; returns how many. `planar[c]`: channel c. Samples must be
  // finite.
  int64_t Write(const float* const* planar, int64_t frames) noexcept;
  // The sound ends after what has been written so far. Nothing can be written after it: Write
  // returns 0.
  void SetEnd() noexcept;
  // Running dry at the present write position is not an underrun; the next Write ends the idling.
  void SetIdle() noexcept;
  // It is not known yet whether the sound ends at the present write position or has only broken off
  // there. Running dry is silence until SetEnd says that it was the end, or ClearDoubt that it was
  // an underrun from its first frame on.
  void SetDoubt() noexcept;
  void ClearDoubt() noexcept;
  // Barge-in: everything written so far and not yet played is dropped at the next block. What is
  // owed to a timeline by then is forgotten. Running dry after it is an underrun, unless SetIdle or
  // SetEnd follows.
  void Flush() noexcept;

  // --- Any thread ---
  int64_t write_position() const noexcept { return ring_.write_position(); }  // frames ever written
  // Frames ever consumed, dropped ones included.
  int64_t read_position() const noexcept { return ring_.read_position(); }
  int64_t free_frames() const noexcept {
    // Read first: the other way round, a difference above the capacity could be seen.
    const int64_t read = read_position();
    const int64_t used = write_position() - read;
    return used < capacity_frames() ? capacity_frames() - used : 0;
  }
  int64_t capacity_frames() const noexcept { return ring_.capacity_frames(); }
  int64_t prebuffer_frames() const noexcept { return prebuffer_frames_; }
  int channels() const noexcept { return ring_.channels(); }

  // --- Consumer ---
  // The feed as of one moment. A mark lies at or before `write`; kNone if it was never set.
  struct Look {
    int64_t read;
    int64_t write;
    int64_t end;
    int64_t idle;
    int64_t doubt;
    int64_t flush;
  };
  Look LookRt() noexcept;
  // The next `frames` frames, which must be there, as up to two stretches; they hold until
  // AdvanceRt passes them.
  std::array<SpscFrameRing::Stretch, 2> PeekRt(int64_t frames) noexcept {
    return ring_.Peek(frames);
  }
  void AdvanceRt(int64_t frames) noexcept { ring_.Advance(frames); }

 private:
  SpscFrameRing ring_;
  const int64_t prebuffer_frames_;
  // Written by the producer. Release: who sees a mark sees the frames written before it.
  std::atomic<int64_t> end_{kNone};
  std::atomic<int64_t> idle_{kNone};
  std::atomic<int64_t> doubt_{kNone};
  std::atomic<int64_t> flush_{kNone};
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_PLAY_FEED_H_
