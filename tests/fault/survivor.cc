#include "tests/fault/survivor.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr int64_t kPieceFrames = 4096;
// Seconds of audio that are sent ahead: a machine that stalls does not make it run dry.
constexpr int64_t kRingFrames = 32768;

// Never 0, and different from frame to frame.
float Noise(int channel, int64_t frame) {
  uint64_t x = static_cast<uint64_t>(frame) * 0x9e3779b97f4a7c15 + static_cast<uint64_t>(channel);
  x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9;
  return static_cast<float>(1 + (x >> 44)) / static_cast<float>(1 << 22);
}

}  // namespace

Survivor::Survivor(std::shared_ptr<client::Session> session, int channel)
    : session_(std::move(session)), channel_(channel) {}

Survivor::~Survivor() {
  stop_ = true;
  if (writer_.joinable()) writer_.join();
  if (record_ != nullptr) record_->Stop();
  if (reader_.joinable()) reader_.join();
}

void Survivor::Start(int64_t start_frame, int64_t latency_frames) {
  v1::RecordConfig record;
  record.mutable_start()->set_frame(start_frame + latency_frames);
  record.mutable_channel_map()->add_channels(channel_);
  auto record_stream = client::RecordStream::Open(session_, record);
  ASSERT_TRUE(record_stream.ok()) << record_stream.status();
  record_ = *std::move(record_stream);
  v1::PlayConfig play;
  play.set_channels(1);
  play.mutable_start()->set_frame(start_frame);
  play.set_ring_frames(kRingFrames);
  play.set_underrun_policy(v1::UNDERRUN_POLICY_KEEP_TIMELINE);
  play.set_xrun_policy(v1::XRUN_POLICY_KEEP_TIMELINE);
  play.mutable_channel_map()->add_channels(channel_);
  auto play_stream = client::PlayStream::Open(session_, play);
  ASSERT_TRUE(play_stream.ok()) << play_stream.status();
  play_ = *std::move(play_stream);
  writer_ = std::thread([this] { Write(); });
  reader_ = std::thread([this] { Read(); });
}

void Survivor::Write() {
  std::vector<float> samples(kPieceFrames);
  int64_t position = 0;
  while (!stop_) {
    for (int64_t i = 0; i < kPieceFrames; ++i) {
      samples[static_cast<size_t>(i)] = Noise(channel_, position + i);
    }
    const auto written = play_->Write(samples, kLongEnough);
    if (!written.ok() || *written != kPieceFrames) {
      ADD_FAILURE() << "a survivor cannot write: " << written.status();
      return;
    }
    position += kPieceFrames;
  }
  play_->Finish();
}

void Survivor::Read() {
  while (true) {
    const auto audio = record_->Read(kPieceFrames, kLongEnough);
    if (!audio.ok()) {
      EXPECT_TRUE(absl::IsOutOfRange(audio.status())) << audio.status();
      return;
    }
    if (stop_) continue;  // what is beyond the end of the sound is silent
    lost_frames_ += audio->lost_frames;
    for (size_t i = 0; i < audio->samples.size(); ++i) {
      const float expected = Noise(channel_, audio->position + static_cast<int64_t>(i));
      const float sample = audio->samples[i];
      if (sample == 0) {
        ++silent_frames_;
      } else if (sample != expected) {
        ++different_frames_;
      }
    }
    compared_frames_ += static_cast<int64_t>(audio->samples.size());
  }
}

void Survivor::Finish() {
  End();
  writer_.join();
  const auto report = play_->Wait(kLongEnough);
  ASSERT_TRUE(report.ok() && report->has_value()) << report.status();
  record_->Stop();
  reader_.join();
  const auto recorded = record_->Wait(kLongEnough);
  ASSERT_TRUE(recorded.ok() && recorded->has_value()) << recorded.status();
  gap_frames_ = (*report)->gap_frames() + (*recorded)->gap_frames();
  EXPECT_EQ((*report)->end_reason(), v1::END_REASON_COMPLETED);
  EXPECT_EQ(different_frames_, 0);
  EXPECT_LE(silent_frames_ + lost_frames_, gap_frames_);
  EXPECT_GT(compared_frames_, 0);
}

Monitor::Monitor(std::shared_ptr<client::Session> session, int first_channel, int channels)
    : session_(std::move(session)),
      first_channel_(first_channel),
      channels_(channels),
      last_sound_(static_cast<size_t>(channels)) {
  for (std::atomic<int64_t>& frame : last_sound_) frame = -1;
}

Monitor::~Monitor() {
  if (record_ != nullptr) record_->Stop();
  if (reader_.joinable()) reader_.join();
}

void Monitor::Start(int64_t start_frame) {
  v1::RecordConfig config;
  config.mutable_start()->set_frame(start_frame);
  for (int i = 0; i < channels_; ++i)
    config.mutable_channel_map()->add_channels(first_channel_ + i);
  auto stream = client::RecordStream::Open(session_, config);
  ASSERT_TRUE(stream.ok()) << stream.status();
  record_ = *std::move(stream);
  reader_ = std::thread([this, start_frame] { Read(start_frame); });
}

void Monitor::Read(int64_t start_frame) {
  while (true) {
    const auto audio = record_->Read(kPieceFrames, kLongEnough);
    if (!audio.ok()) return;
    const int64_t frames = static_cast<int64_t>(audio->samples.size()) / channels_;
    for (int64_t f = 0; f < frames; ++f) {
      for (int c = 0; c < channels_; ++c) {
        if (audio->samples[static_cast<size_t>(f * channels_ + c)] != 0) {
          last_sound_[static_cast<size_t>(c)] = start_frame + audio->position + f;
        }
      }
    }
    seen_frame_ = start_frame + audio->position + frames;
  }
}

}  // namespace rtmixd
