#include "server/control/recording.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/control/audio_storage.h"
#include "server/control/byte_budget.h"

namespace rtmixd {
namespace {

constexpr int kChannels = 2;
constexpr int kBlock = 100;
constexpr int64_t kRing = 1024;  // of the history: 900 frames and a block fit
constexpr int64_t kMargin = 9;   // a hundredth of the 924 frames it promises
constexpr int64_t kPlenty = int64_t{1} << 40;

// What the device brings: different on every frame and channel.
float SampleAt(int64_t frame, int channel) {
  return static_cast<float>(frame) + static_cast<float>(channel) * 0.25f + 1.0f;
}

// A history that the test writes.
class RecordingTest : public testing::Test {
 protected:
  void Run(int64_t frames) {
    while (frames > 0) {
      const int now = static_cast<int>(std::min<int64_t>(frames, kBlock));
      std::vector<std::vector<float>> audio(kChannels, std::vector<float>(now));
      std::vector<const float*> planar;
      for (int c = 0; c < kChannels; ++c) {
        for (int f = 0; f < now; ++f) audio[c][f] = SampleAt(history_->head_frame() + f, c);
        planar.push_back(audio[c].data());
      }
      history_->WriteRt(planar.data(), now);
      history_->PublishRt();
      frames -= now;
    }
  }

  Recording::Spec Spec(std::optional<int64_t> total_frames = std::nullopt,
                       LatePolicy late_policy = LatePolicy::kPlay) {
    return {.source = {.owner = history_, .history = history_.get(), .sample_rate_hz = 48000},
            .channels = {0, 1},
            .total_frames = total_frames,
            .late_policy = late_policy};
  }
  std::unique_ptr<Recording> ToBuffer(Recording::Spec spec, bool leave_open = false,
                                      int64_t budget_bytes = kPlenty) {
    auto budget = std::make_shared<ByteBudget>("max_buffer_bytes", budget_bytes);
    const int channels = static_cast<int>(spec.channels.size());
    storage_ = *AudioStorage::Create(channels, 0, budget);
    BufferSpec buffer;
    buffer.channels = channels;
    buffer_ = std::make_shared<StoredBuffer>("b-1", "s-1", buffer, absl::UnixEpoch(), storage_,
                                             /*max_chunk_bytes=*/1 << 20);
    return std::make_unique<Recording>(std::move(spec), *buffer_->OpenRecorder("a-1"), leave_open);
  }

  // The buffer holds the input from `start` on, but silence in `gaps`.
  void ExpectBuffer(int64_t start, int64_t frames, const std::vector<GapInfo>& gaps = {}) {
    ASSERT_EQ(storage_->frames(), frames);
    for (int64_t done = 0; done < frames;) {
      const auto stretch = storage_->Read(done, frames - done);
      for (int64_t f = done; f < done + stretch.frames; ++f) {
        const bool lost = std::any_of(gaps.begin(), gaps.end(), [&](const GapInfo& gap) {
          return f >= gap.position && f < gap.position + gap.frames;
        });
        for (int c = 0; c < storage_->channels(); ++c) {
          ASSERT_EQ(stretch.samples[c * stretch.channel_stride_frames + f - done],
                    lost ? 0.0f : SampleAt(start + f, c))
              << "frame " << f << " channel " << c;
        }
      }
      done += stretch.frames;
    }
  }

  // Takes the next piece of a recording that began at `start`; its samples are the input's.
  Recording::Piece Take(Recording* recording, int64_t start, int64_t limit_position,
                        int64_t max_frames = 64) {
    std::vector<float> planar(kChannels * max_frames, -1.0f);
    const Recording::Piece piece = recording->Read(limit_position, max_frames, planar.data());
    if (piece.gap.has_value()) return piece;
    EXPECT_LE(piece.frames, max_frames);
    for (int c = 0; c < kChannels; ++c) {
      for (int64_t f = 0; f < piece.frames; ++f) {
        EXPECT_EQ(planar[c * max_frames + f], SampleAt(start + piece.position + f, c));
      }
    }
    return piece;
  }

  std::shared_ptr<AudioHistory> history_ = std::make_shared<AudioHistory>(kChannels, 900, kBlock);
  std::shared_ptr<AudioStorage> storage_;
  std::shared_ptr<StoredBuffer> buffer_;
};

TEST_F(RecordingTest, BeforeItsBeginThereIsNothing) {
  Run(500);
  auto recording = ToBuffer(Spec(100));
  EXPECT_FALSE(recording->CopyToBuffer());
  EXPECT_FALSE(recording->ended());
  const Recording::Status status = recording->status();
  EXPECT_FALSE(status.start_frame.has_value());
  EXPECT_FALSE(status.end_frame.has_value());
  EXPECT_EQ(status.recorded_frames, 0);
  EXPECT_FALSE(status.stopping);
  EXPECT_EQ(buffer_->Info().state, BufferState::kRecording);
}

TEST_F(RecordingTest, OfNoFramesIsCompleteAtItsBegin) {
  Run(500);
  auto recording = ToBuffer(Spec(0));
  recording->Begin(200);
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.end, ActionEnd::kCompleted);
  EXPECT_EQ(status.start_frame, 200);
  EXPECT_EQ(status.end_frame, 200);
  EXPECT_EQ(buffer_->Info().state, BufferState::kComplete);
  EXPECT_EQ(buffer_->Info().frames, 0);
}

TEST_F(RecordingTest, OfOneFrameHoldsThatFrame) {
  Run(500);
  auto recording = ToBuffer(Spec(1));
  recording->Begin(499);
  EXPECT_TRUE(recording->CopyToBuffer());
  EXPECT_EQ(recording->status().end, ActionEnd::kCompleted);
  EXPECT_EQ(recording->status().end_frame, 500);
  ExpectBuffer(499, 1);
}

TEST_F(RecordingTest, GrowsWithTheHistoryAndEndsWithItsLength) {
  Run(150);
  auto recording = ToBuffer(Spec(330));
  recording->Begin(120);
  recording->CopyToBuffer();
  EXPECT_EQ(recording->status().copied_frames, 30);
  EXPECT_FALSE(recording->CopyToBuffer()) << "there is nothing new";
  Run(200);
  EXPECT_EQ(recording->status().recorded_frames, 230);
  EXPECT_EQ(recording->status().copied_frames, 30);
  recording->CopyToBuffer();
  EXPECT_EQ(recording->status().copied_frames, 230);
  EXPECT_FALSE(recording->ended());
  Run(200);
  EXPECT_EQ(recording->status().recorded_frames, 330) << "no more than asked for";
  recording->CopyToBuffer();
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.end, ActionEnd::kCompleted);
  EXPECT_EQ(status.end_frame, 450);
  EXPECT_EQ(status.recorded_frames, 330);
  EXPECT_EQ(status.gap_count, 0);
  ExpectBuffer(120, 330);
  EXPECT_EQ(buffer_->Info().state, BufferState::kComplete);
}

TEST_F(RecordingTest, RecordsTheChannelsOfItsMap) {
  Recording::Spec spec = Spec(50);
  spec.channels = {1, 0, 1};
  auto recording = ToBuffer(spec);
  EXPECT_EQ(recording->channels(), 3);
  recording->Begin(0);
  Run(100);
  recording->CopyToBuffer();
  const auto stretch = storage_->Read(0, 50);
  ASSERT_EQ(stretch.frames, 50);
  for (int64_t f = 0; f < 50; ++f) {
    for (int c = 0; c < 3; ++c) {
      EXPECT_EQ(stretch.samples[c * stretch.channel_stride_frames + f],
                SampleAt(f, spec.channels[c]));
    }
  }
}

TEST_F(RecordingTest, SecondBeginChangesNothing) {
  Run(300);
  auto recording = ToBuffer(Spec(10));
  recording->Begin(100);
  recording->Begin(200);
  EXPECT_EQ(recording->status().start_frame, 100);
}

TEST_F(RecordingTest, LeftOpenItsBufferCanGrowOn) {
  auto recording = ToBuffer(Spec(10), /*leave_open=*/true);
  recording->Begin(0);
  Run(100);
  recording->CopyToBuffer();
  EXPECT_TRUE(recording->ended());
  EXPECT_EQ(buffer_->Info().state, BufferState::kOpen);
  EXPECT_EQ(buffer_->Info().frames, 10);
}

// --- Starts in the past ---

TEST_F(RecordingTest, OldestFrameOfTheHistoryIsNotLate) {
  Run(3000);
  auto recording = ToBuffer(Spec(100));
  recording->Begin(3000 - kRing);
  EXPECT_EQ(recording->status().late_frames, 0);
  recording->CopyToBuffer();
  ExpectBuffer(3000 - kRing, 100);
}

TEST_F(RecordingTest, LatePlayStartsAMarginAfterTheOldestFrame) {
  Run(3000);
  auto recording = ToBuffer(Spec(100));
  recording->Begin(3000 - kRing - 1);
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.start_frame, 3000 - kRing + kMargin);
  EXPECT_EQ(status.late_frames, kMargin + 1);
  EXPECT_EQ(status.gap_count, 0);
  recording->CopyToBuffer();
  EXPECT_EQ(recording->status().end, ActionEnd::kCompleted);
  ExpectBuffer(3000 - kRing + kMargin, 100);
}

TEST_F(RecordingTest, LateSkipNeverStarts) {
  Run(3000);
  auto recording = ToBuffer(Spec(100, LatePolicy::kSkip));
  recording->Begin(1000);
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.end, ActionEnd::kSkipped);
  EXPECT_FALSE(status.start_frame.has_value());
  EXPECT_EQ(status.end_frame, 1000);
  EXPECT_EQ(status.late_frames, 3000 - kRing + kMargin - 1000);
  EXPECT_EQ(buffer_->Info().state, BufferState::kComplete);
  EXPECT_EQ(storage_->frames(), 0);
}

TEST_F(RecordingTest, LateTrimIsSilentUntilTheHistoryHasIt) {
  Run(3000);
  auto recording = ToBuffer(Spec(1500, LatePolicy::kTrim));
  recording->Begin(1000);
  recording->CopyToBuffer();
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.start_frame, 1000);
  EXPECT_EQ(status.end, ActionEnd::kCompleted);
  EXPECT_EQ(status.end_frame, 2500);
  const int64_t missing = 3000 - kRing + kMargin - 1000;
  EXPECT_EQ(status.late_frames, missing);
  ASSERT_EQ(status.gaps.size(), 1u);
  EXPECT_EQ(status.gaps[0].position, 0);
  EXPECT_EQ(status.gaps[0].frame, 1000);
  EXPECT_EQ(status.gaps[0].frames, missing);
  EXPECT_EQ(status.gap_frames, missing);
  ExpectBuffer(1000, 1500, status.gaps);
}

TEST_F(RecordingTest, LateTrimThatIsAllMissingIsAllSilence) {
  Run(3000);
  auto recording = ToBuffer(Spec(500, LatePolicy::kTrim));
  recording->Begin(1000);
  recording->CopyToBuffer();
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.end, ActionEnd::kCompleted);
  EXPECT_EQ(status.gap_frames, 500);
  ExpectBuffer(1000, 500, {{.position = 0, .frame = 1000, .frames = 500}});
}

// --- Stops ---

TEST_F(RecordingTest, StopAheadEndsItBeforeThatFrame) {
  auto recording = ToBuffer(Spec());
  recording->Begin(0);
  recording->StopBefore(250, ActionEnd::kCancelled);
  Run(200);
  recording->CopyToBuffer();
  EXPECT_FALSE(recording->ended());
  EXPECT_FALSE(recording->status().stopping);
  Run(50);
  EXPECT_TRUE(recording->status().stopping);
  Run(50);
  recording->CopyToBuffer();
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.end, ActionEnd::kCancelled);
  EXPECT_EQ(status.end_frame, 250);
  ExpectBuffer(0, 250);
}

TEST_F(RecordingTest, StopInThePastEndsItThereIfThatIsNotCopiedYet) {
  auto recording = ToBuffer(Spec());
  recording->Begin(0);
  Run(400);
  recording->StopBefore(250, ActionEnd::kCancelled);
  EXPECT_EQ(recording->status().recorded_frames, 250);
  recording->CopyToBuffer();
  EXPECT_EQ(recording->status().end_frame, 250);
  ExpectBuffer(0, 250);
}

TEST_F(RecordingTest, StopInThePastKeepsWhatWasCopied) {
  auto recording = ToBuffer(Spec());
  recording->Begin(0);
  Run(400);
  recording->CopyToBuffer();
  Run(100);
  recording->StopBefore(250, ActionEnd::kCancelled);
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.end, ActionEnd::kCancelled);
  EXPECT_EQ(status.end_frame, 400);
  EXPECT_EQ(status.recorded_frames, 400);
  ExpectBuffer(0, 400);
}

TEST_F(RecordingTest, EarliestOfSeveralStopsHoldsWithItsReason) {
  auto recording = ToBuffer(Spec());
  recording->Begin(0);
  recording->StopBefore(300, ActionEnd::kSessionEnded);
  recording->StopBefore(200, ActionEnd::kCancelled);
  recording->StopBefore(250, ActionEnd::kShutdown);
  Run(400);
  recording->CopyToBuffer();
  EXPECT_EQ(recording->status().end, ActionEnd::kCancelled);
  EXPECT_EQ(recording->status().end_frame, 200);
  ExpectBuffer(0, 200);
}

TEST_F(RecordingTest, StopAtItsEndDoesNotMakeItLessThanComplete) {
  auto recording = ToBuffer(Spec(200));
  recording->Begin(0);
  recording->StopBefore(200, ActionEnd::kCancelled);
  Run(300);
  recording->CopyToBuffer();
  EXPECT_EQ(recording->status().end, ActionEnd::kCompleted);
}

TEST_F(RecordingTest, StopBeforeItsStartLeavesNothing) {
  for (const int64_t stop : {100, 150}) {
    auto recording = ToBuffer(Spec(200));
    recording->StopBefore(stop, ActionEnd::kCancelled);
    EXPECT_FALSE(recording->ended());
    recording->Begin(150);
    const Recording::Status status = recording->status();
    EXPECT_EQ(status.end, ActionEnd::kCancelled);
    EXPECT_FALSE(status.start_frame.has_value());
    EXPECT_EQ(status.end_frame, 150);
    EXPECT_EQ(buffer_->Info().state, BufferState::kComplete);
  }
}

TEST_F(RecordingTest, EndNowKeepsWhatWasCopiedAndIsFinal) {
  auto recording = ToBuffer(Spec());
  recording->Begin(0);
  Run(300);
  recording->CopyToBuffer();
  Run(100);
  recording->EndNow(ActionEnd::kStreamClosed);
  recording->EndNow(ActionEnd::kShutdown);
  recording->StopBefore(10, ActionEnd::kCancelled);
  EXPECT_FALSE(recording->CopyToBuffer());
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.end, ActionEnd::kStreamClosed);
  EXPECT_EQ(status.end_frame, 300);
  EXPECT_EQ(status.recorded_frames, 300);
  ExpectBuffer(0, 300);
}

TEST_F(RecordingTest, EndNowBeforeItsBeginLeavesNoStart) {
  auto recording = ToBuffer(Spec());
  recording->EndNow(ActionEnd::kSessionEnded);
  recording->Begin(0);
  EXPECT_FALSE(recording->status().start_frame.has_value());
  EXPECT_EQ(recording->status().end, ActionEnd::kSessionEnded);
}

TEST_F(RecordingTest, NoMemoryEndsItWithWhatThereIs) {
  // Room for the first segment of both channels and no other.
  const int64_t segment_bytes = AudioView::kSegmentFrames * kChannels * 4;
  auto recording = ToBuffer(Spec(), /*leave_open=*/false, segment_bytes + segment_bytes / 2);
  recording->Begin(0);
  for (int64_t frame = 0; frame < 2 * AudioView::kSegmentFrames; frame += kBlock) {
    Run(kBlock);
    recording->CopyToBuffer();
  }
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.end, ActionEnd::kLimitExceeded);
  EXPECT_GT(status.copied_frames, AudioView::kSegmentFrames - kBlock);
  EXPECT_LE(status.copied_frames, AudioView::kSegmentFrames);
  EXPECT_EQ(status.end_frame, status.copied_frames);
  ExpectBuffer(0, status.copied_frames);
  EXPECT_EQ(buffer_->Info().state, BufferState::kComplete);
}

// --- Gaps ---

TEST_F(RecordingTest, WhatWasOverwrittenIsAGapAndTheRestIsThere) {
  auto recording = ToBuffer(Spec(3000));
  recording->Begin(0);
  Run(100);
  recording->CopyToBuffer();
  Run(1900);
  recording->CopyToBuffer();
  Run(1000);
  recording->CopyToBuffer();
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.end, ActionEnd::kCompleted);
  ASSERT_EQ(status.gaps.size(), 1u);
  EXPECT_EQ(status.gaps[0].position, 100);
  EXPECT_EQ(status.gaps[0].frame, 100);
  EXPECT_EQ(status.gaps[0].frames, 2000 - kRing + kMargin - 100);
  EXPECT_EQ(status.gap_frames, status.gaps[0].frames);
  ExpectBuffer(0, 3000, status.gaps);
}

TEST_F(RecordingTest, HoleIsSilenceWhereTheDeviceWasAway) {
  auto recording = ToBuffer(Spec(500));
  recording->Begin(100);
  Run(300);
  recording->AddHole(300, 150);
  history_->JumpForward(150);
  Run(300);
  recording->CopyToBuffer();
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.end, ActionEnd::kCompleted);
  ASSERT_EQ(status.gaps.size(), 1u);
  EXPECT_EQ(status.gaps[0].position, 200);
  EXPECT_EQ(status.gaps[0].frame, 300);
  EXPECT_EQ(status.gaps[0].frames, 150);
  ExpectBuffer(100, 500, status.gaps);
}

TEST_F(RecordingTest, GapsThatTouchAreOne) {
  auto recording = ToBuffer(Spec(400));
  recording->Begin(0);
  recording->AddHole(100, 50);
  recording->AddHole(150, 50);
  recording->AddHole(201, 1);
  Run(400);
  recording->CopyToBuffer();
  const Recording::Status status = recording->status();
  ASSERT_EQ(status.gaps.size(), 2u);
  EXPECT_EQ(status.gap_count, 2);
  EXPECT_EQ(status.gaps[0].frames, 100);
  EXPECT_EQ(status.gaps[1].position, 201);
  EXPECT_EQ(status.gap_frames, 101);
  ExpectBuffer(0, 400, status.gaps);
}

TEST_F(RecordingTest, LastSlotTakesUpWhatHasNoSlot) {
  auto recording = ToBuffer(Spec(400));
  recording->Begin(0);
  for (int i = 0; i < Recording::kGapSlots + 3; ++i) recording->AddHole(10 + i * 20, 1 + i);
  Run(400);
  recording->CopyToBuffer();
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.gap_count, Recording::kGapSlots + 3);
  ASSERT_EQ(status.gaps.size(), static_cast<size_t>(Recording::kGapSlots));
  int64_t sum = 0;
  for (int i = 0; i < Recording::kGapSlots; ++i) {
    EXPECT_EQ(status.gaps[i].position, 10 + i * 20);
    sum += status.gaps[i].frames;
  }
  EXPECT_EQ(status.gaps.back().frames, 8 + 9 + 10 + 11);
  EXPECT_EQ(sum, status.gap_frames);
}

// --- Piece by piece, for a client ---

TEST_F(RecordingTest, PiecesFollowEachOtherUpToTheLimit) {
  Recording recording(Spec(150));
  EXPECT_FALSE(recording.to_buffer());
  EXPECT_EQ(recording.AvailableBelow(1000), 0);
  Run(300);
  recording.Begin(100);
  EXPECT_EQ(recording.AvailableBelow(1000), 150);
  EXPECT_EQ(recording.AvailableBelow(70), 70);
  Recording::Piece piece = Take(&recording, 100, /*limit_position=*/70);
  EXPECT_EQ(piece.position, 0);
  EXPECT_EQ(piece.frames, 64);
  piece = Take(&recording, 100, 70);
  EXPECT_EQ(piece.position, 64);
  EXPECT_EQ(piece.frames, 6);
  EXPECT_EQ(Take(&recording, 100, 70).frames, 0);
  EXPECT_EQ(recording.AvailableBelow(70), 0);
  EXPECT_FALSE(recording.ended());
  EXPECT_EQ(Take(&recording, 100, 1000).frames, 64);
  EXPECT_EQ(Take(&recording, 100, 1000).frames, 16);
  EXPECT_EQ(recording.status().end, ActionEnd::kCompleted);
  EXPECT_EQ(Take(&recording, 100, 1000).frames, 0);
}

TEST_F(RecordingTest, GapIsAPieceOfItsOwn) {
  Recording recording(Spec());
  recording.Begin(0);
  recording.AddHole(40, 200);
  Run(300);
  EXPECT_EQ(Take(&recording, 0, 1000).frames, 40);
  const Recording::Piece gap = Take(&recording, 0, 1000);
  EXPECT_EQ(gap.position, 40);
  EXPECT_EQ(gap.frames, 200) << "longer than a piece of audio may be";
  ASSERT_TRUE(gap.gap.has_value());
  EXPECT_EQ(gap.gap->frame, 40);
  EXPECT_EQ(gap.gap->frames, 200);
  const Recording::Piece rest = Take(&recording, 0, 1000);
  EXPECT_EQ(rest.position, 240);
  EXPECT_EQ(rest.frames, 60);
}

TEST_F(RecordingTest, StopInThePastKeepsWhatWasTaken) {
  Recording recording(Spec());
  recording.Begin(0);
  Run(300);
  EXPECT_EQ(Take(&recording, 0, 1000).frames, 64);
  recording.StopBefore(10, ActionEnd::kCancelled);
  EXPECT_EQ(recording.status().end, ActionEnd::kCancelled);
  EXPECT_EQ(recording.status().end_frame, 64);
}

TEST_F(RecordingTest, RewoundItGivesTheSameAgain) {
  Recording recording(Spec(200));
  recording.Begin(0);
  Run(300);
  EXPECT_EQ(Take(&recording, 0, 1000).frames, 64);
  EXPECT_EQ(Take(&recording, 0, 1000).frames, 64);
  EXPECT_FALSE(recording.Rewind(129));
  EXPECT_FALSE(recording.Rewind(-1));
  EXPECT_TRUE(recording.Rewind(128));
  EXPECT_TRUE(recording.Rewind(30));
  const Recording::Piece piece = Take(&recording, 0, 1000);
  EXPECT_EQ(piece.position, 30);
  EXPECT_EQ(piece.frames, 64);
}

TEST_F(RecordingTest, RewoundBeforeAGapItIsCountedOnce) {
  Recording recording(Spec());
  recording.Begin(0);
  recording.AddHole(40, 60);
  Run(300);
  EXPECT_EQ(Take(&recording, 0, 1000).frames, 40);
  EXPECT_TRUE(Take(&recording, 0, 1000).gap.has_value());
  for (const int64_t position : {0, 40}) {
    ASSERT_TRUE(recording.Rewind(position));
    EXPECT_EQ(recording.status().gap_count, 0);
    EXPECT_EQ(recording.status().gap_frames, 0);
    while (Take(&recording, 0, 100).frames > 0) {
    }
    EXPECT_EQ(recording.status().gap_count, 1);
    EXPECT_EQ(recording.status().gap_frames, 60);
  }
}

TEST_F(RecordingTest, RewoundIntoAGapItIsCountedOnce) {
  Recording recording(Spec());
  recording.Begin(0);
  recording.AddHole(40, 60);
  Run(300);
  while (Take(&recording, 0, 100).frames > 0) {
  }
  ASSERT_TRUE(recording.Rewind(70));
  EXPECT_EQ(recording.status().gap_frames, 30);
  const Recording::Piece piece = Take(&recording, 0, 100);
  EXPECT_EQ(piece.position, 70);
  ASSERT_TRUE(piece.gap.has_value());
  EXPECT_EQ(piece.frames, 30);
  const Recording::Status status = recording.status();
  EXPECT_EQ(status.gap_count, 1);
  EXPECT_EQ(status.gap_frames, 60);
  ASSERT_EQ(status.gaps.size(), 1u);
  EXPECT_EQ(status.gaps[0].position, 40);
  EXPECT_EQ(status.gaps[0].frames, 60);
}

TEST_F(RecordingTest, RewoundBeyondTheHistoryItHasAGap) {
  Recording recording(Spec());
  recording.Begin(0);
  Run(200);
  while (Take(&recording, 0, 100).frames > 0) {
  }
  Run(1000);
  ASSERT_TRUE(recording.Rewind(0));
  const Recording::Piece piece = Take(&recording, 0, 1000);
  ASSERT_TRUE(piece.gap.has_value());
  EXPECT_EQ(piece.position, 0);
  EXPECT_EQ(piece.frames, 1200 - kRing + kMargin);
  EXPECT_EQ(Take(&recording, 0, 1000).position, piece.frames);
}

// The audio thread writes as fast as it can while the recording is copied: what is not in a gap is
// what was written, however much is lost.
TEST_F(RecordingTest, CopiedWhileTheHistoryMovesItIsTheInputButForItsGaps) {
  constexpr int64_t kFrames = 400'000;
  auto recording = ToBuffer(Spec(kFrames));
  recording->Begin(0);
  std::atomic<bool> written{false};
  std::thread audio([&] {
    Run(kFrames);
    written = true;
  });
  while (!written) recording->CopyToBuffer();
  audio.join();
  recording->CopyToBuffer();
  const Recording::Status status = recording->status();
  EXPECT_EQ(status.end, ActionEnd::kCompleted);
  ASSERT_EQ(storage_->frames(), kFrames);
  int64_t silent = 0;
  for (int64_t done = 0; done < kFrames;) {
    const auto stretch = storage_->Read(done, kFrames - done);
    for (int64_t f = 0; f < stretch.frames; ++f) {
      const bool lost = stretch.samples[f] == 0;
      silent += lost;
      for (int c = 0; c < kChannels; ++c) {
        ASSERT_EQ(stretch.samples[c * stretch.channel_stride_frames + f],
                  lost ? 0.0f : SampleAt(done + f, c));
      }
    }
    done += stretch.frames;
  }
  EXPECT_EQ(silent, status.gap_frames);
}

}  // namespace
}  // namespace rtmixd
