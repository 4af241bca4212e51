#ifndef RTMIXD_SERVER_MIXER_PLAY_FEED_H_
#define RTMIXD_SERVER_MIXER_PLAY_FEED_H_

#include <atomic>
#include <cstdint>

#include "server/realtime/spsc_frame_ring.h"

namespace rtmixd {

// What to do when a sounding stream has no audio in time.
enum class UnderrunPolicy : uint8_t {
  kEnd,           // the sound ends there
  kSilence,       // silence is inserted; what comes later is delayed by as much
  kKeepTimeline,  // silence is inserted; as much of what comes later is dropped, the rest sits in place
};

// The ring that carries one stream's audio to the audio thread, with the marks that tell the end of
// a sound from starvation. Positions count frames of the sound from 0 and never wrap.
//
// Threading: "Producer" is one network-side thread at a time; "Consumer" is the audio thread.
class PlayFeed {
 public:
  static constexpr int64_t kNone = -1;

  // `prebuffer_frames`: after idling, sound resumes when so many frames are there (or the end).
  PlayFeed(int channels, int64_t min_capacity_frames, int64_t prebuffer_frames);

  // --- Producer ---
  // Writes as many of `frames` as fit; returns how many. `planar[c]`: channel c.
  int64_t Write(const float* const* planar, int64_t frames);
  // The sound ends after what has been written so far. Nothing can be written after it.
  void SetEnd();
  // Running dry at the present write position is not an underrun; the next Write ends the idling.
  void SetIdle();
  // Barge-in: everything written so far and not yet played is dropped at the next block.
  void Flush();

  // --- Any thread ---
  int64_t write_position() const;  // frames ever written
  int64_t read_position() const;   // frames ever consumed, dropped ones included
  int64_t free_frames() const;
  int64_t capacity_frames() const;
  int channels() const;

  // --- Consumer: see voice.cc ---
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_PLAY_FEED_H_
