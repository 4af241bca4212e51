#ifndef RTMIXD_SERVER_MIXER_VOICE_PROGRESS_H_
#define RTMIXD_SERVER_MIXER_VOICE_PROGRESS_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace rtmixd {

// How far a voice is. While it only sounds, frame by frame, that follows from the stream's counter
// of frames, so that nobody has to write it down block by block: it is kept as of a frame, together
// with the frame up to which it goes on like that.
//
// Threading: a seqlock, of which seqlock.h and atomic_words.h say why it is right. Methods in Rt
// and the accessors of one value: the audio thread, or one that knows it is not at work. Read: any
// other thread; it waits while the audio thread is between BeginRt and EndRt.
class VoiceProgress {
 public:
  struct Value {
    int64_t done_frames;
    int64_t position_frames;
  };

  explicit VoiceProgress(int64_t position_frames) : position_frames_(position_frames) {}
  VoiceProgress(const VoiceProgress&) = delete;
  VoiceProgress& operator=(const VoiceProgress&) = delete;

  // As of stream frame `next_frame`, or of a later one that the audio thread has come to meanwhile.
  Value Read(int64_t next_frame) const;

  // Around stores that belong together.
  void BeginRt() noexcept { sequence_.store(sequence_.load(kRelaxed) + 1, kRelaxed); }
  void EndRt() noexcept {
    sequence_.store(sequence_.load(kRelaxed) + 1, std::memory_order_release);
  }

  // As of as_of_frame().
  int64_t done_frames() const noexcept { return done_frames_.load(kRelaxed); }
  int64_t position_frames() const noexcept { return position_frames_.load(kRelaxed); }
  int64_t as_of_frame() const noexcept { return as_of_frame_.load(kRelaxed); }
  // Both grow by one with each frame of the stream before this one; as_of_frame() if they may not.
  int64_t until_frame() const noexcept { return until_frame_.load(kRelaxed); }

  void SetDoneRt(int64_t frames) noexcept { StoreRt(frames, &done_frames_); }
  void SetPositionRt(int64_t frames) noexcept { StoreRt(frames, &position_frames_); }
  // From stream frame `frame`, up to which all is counted, it goes on up to `until_frame`.
  void GoOnRt(int64_t frame, int64_t until_frame) noexcept {
    StoreRt(frame, &as_of_frame_);
    StoreRt(until_frame, &until_frame_);
  }
  // Counts what sounded before stream frame `frame`; from there on it may not go on. Returns how
  // many frames that were.
  int64_t StopRt(int64_t frame) noexcept {
    const int64_t passed = std::max<int64_t>(std::min(frame, until_frame()) - as_of_frame(), 0);
    if (passed > 0) {
      SetDoneRt(done_frames() + passed);
      SetPositionRt(position_frames() + passed);
    }
    GoOnRt(frame, frame);
    return passed;
  }

 private:
  static constexpr std::memory_order kRelaxed = std::memory_order_relaxed;

  static void StoreRt(int64_t value, std::atomic<int64_t>* to) noexcept {
    to->store(value, std::memory_order_release);
  }

  std::atomic<int64_t> as_of_frame_{0};
  std::atomic<int64_t> until_frame_{0};
  std::atomic<int64_t> done_frames_{0};
  std::atomic<int64_t> position_frames_;
  std::atomic<uint32_t> sequence_{0};  // odd between BeginRt and EndRt
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_VOICE_PROGRESS_H_
