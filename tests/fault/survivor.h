#ifndef RTMIXD_TESTS_FAULT_SURVIVOR_H_
#define RTMIXD_TESTS_FAULT_SURVIVOR_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "client_cpp/play_stream.h"
#include "client_cpp/record_stream.h"
#include "client_cpp/session.h"

namespace rtmixd {

// A client that nothing happens to: it streams noise to one output, records the input that the
// cable brings it back at, and compares, sample by sample, for as long as it lives.
//
// Threading: one thread; it has two of its own.
class Survivor {
 public:
  // Outputs and inputs of this number, from 1.
  Survivor(std::shared_ptr<client::Session> session, int channel);
  ~Survivor();

  void Start(int64_t start_frame, int64_t latency_frames);
  // Nothing more is sent; what was is played out.
  void End() { stop_ = true; }
  // Waits for that, and expects that every frame came back the same, but for those that reports
  // call gaps.
  void Finish();
  int64_t compared_frames() const { return compared_frames_; }
  int64_t gap_frames() const { return gap_frames_; }

 private:
  void Write();
  void Read();

  const std::shared_ptr<client::Session> session_;
  const int channel_;
  std::unique_ptr<client::PlayStream> play_;
  std::unique_ptr<client::RecordStream> record_;
  std::atomic<bool> stop_{false};
  std::thread writer_;
  std::thread reader_;
  std::atomic<int64_t> compared_frames_{0};
  int64_t silent_frames_ = 0;     // that should not have been
  int64_t different_frames_ = 0;  // neither silent nor right
  int64_t lost_frames_ = 0;       // of the recording
  int64_t gap_frames_ = 0;        // by the reports
};

// Reads a block of inputs, and knows on which frame each was last not silent.
//
// Threading: one thread; it has one of its own.
class Monitor {
 public:
  Monitor(std::shared_ptr<client::Session> session, int first_channel, int channels);
  ~Monitor();

  void Start(int64_t start_frame);
  // Frames of the stream that it has seen.
  int64_t seen_frame() const { return seen_frame_; }
  // The last frame on which the channel, from 0, sounded; -1 if never.
  int64_t LastSound(int channel) const { return last_sound_[static_cast<size_t>(channel)]; }

 private:
  void Read(int64_t start_frame);

  const std::shared_ptr<client::Session> session_;
  const int first_channel_;
  const int channels_;
  std::unique_ptr<client::RecordStream> record_;
  std::thread reader_;
  std::atomic<int64_t> seen_frame_{0};
  std::vector<std::atomic<int64_t>> last_sound_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_FAULT_SURVIVOR_H_
