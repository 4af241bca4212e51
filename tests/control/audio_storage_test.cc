#include "server/control/audio_storage.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

constexpr int64_t kSegment = AudioView::kSegmentFrames;
constexpr int64_t kPlenty = int64_t{1} << 40;

std::shared_ptr<ByteBudget> Budget(int64_t bytes = kPlenty) {
  return std::make_shared<ByteBudget>("max_buffer_bytes", bytes);
}

std::shared_ptr<AudioStorage> Make(int channels, int64_t expected_frames) {
  return *AudioStorage::Create(channels, expected_frames, Budget());
}

// Different on every frame and channel.
float SampleAt(int64_t frame, int channel) {
  return static_cast<float>(frame) + static_cast<float>(channel) * 0.25f;
}

// Writes the next frames of the test signal into the room.
void Write(AudioStorage* storage, int64_t frames) {
  const int64_t first = storage->frames();
  for (int64_t done = 0; done < frames;) {
    const auto room = storage->Room(done, frames - done);
    ASSERT_GT(room.frames, 0);
    for (int c = 0; c < storage->channels(); ++c) {
      for (int64_t f = 0; f < room.frames; ++f) {
        room.samples[c * room.channel_stride_frames + f] = SampleAt(first + done + f, c);
      }
    }
    done += room.frames;
  }
}

void Append(AudioStorage* storage, int64_t frames) {
  ASSERT_TRUE(storage->Grow(frames).ok());
  Write(storage, frames);
  storage->Publish(frames);
}

// Reads all that is published; returns how many samples differ from the test signal.
int64_t CountWrong(const AudioStorage& storage, int64_t frames) {
  int64_t wrong = 0;
  for (int64_t done = 0; done < frames;) {
    const auto stretch = storage.Read(done, frames - done);
    if (stretch.frames <= 0) return frames - done;
    for (int c = 0; c < storage.channels(); ++c) {
      for (int64_t f = 0; f < stretch.frames; ++f) {
        wrong += stretch.samples[c * stretch.channel_stride_frames + f] != SampleAt(done + f, c);
      }
    }
    done += stretch.frames;
  }
  return wrong;
}

void ExpectViewHoldsSignal(const AudioView& view) {
  for (int64_t f = 0; f < view.frames; ++f) {
    for (int c = 0; c < view.channels; ++c) {
      const float* const segment = view.segments[f / kSegment];
      ASSERT_EQ(segment[c * view.channel_stride_frames + f % kSegment], SampleAt(f, c))
          << "frame " << f << " channel " << c;
    }
  }
}

TEST(AudioStorageTest, NewOneIsEmpty) {
  const auto storage = Make(2, 0);
  EXPECT_EQ(storage->channels(), 2);
  EXPECT_EQ(storage->frames(), 0);
  EXPECT_EQ(storage->bytes(), 0);
  EXPECT_EQ(storage->Read(0, 10).frames, 0);
  EXPECT_EQ(storage->Room(0, 10).frames, 0);
  EXPECT_EQ(storage->View().frames, 0);
}

TEST(AudioStorageTest, ShortSoundTakesNoMoreThanItself) {
  const auto storage = Make(1, 100);
  EXPECT_EQ(storage->bytes(), 112 * 4);  // whole cache lines
  Append(storage.get(), 100);
  EXPECT_EQ(storage->bytes(), 112 * 4);
  EXPECT_EQ(storage->View().channel_stride_frames, 112);
  ExpectViewHoldsSignal(storage->View());
}

TEST(AudioStorageTest, LongSoundTakesWholeSegments) {
  const auto storage = Make(3, kSegment + 1);
  EXPECT_EQ(storage->bytes(), 2 * kSegment * 3 * 4);
  Append(storage.get(), kSegment + 1);
  EXPECT_EQ(storage->bytes(), 2 * kSegment * 3 * 4);
  ExpectViewHoldsSignal(storage->View());
}

TEST(AudioStorageTest, ExpectedFramesNeedNoMoreMemory) {
  for (int64_t frames :
       {int64_t{1}, int64_t{16}, int64_t{17}, kSegment - 1, kSegment, kSegment + 1, 5 * kSegment}) {
    const auto storage = Make(2, frames);
    const int64_t bytes = storage->bytes();
    Append(storage.get(), frames);
    EXPECT_EQ(storage->bytes(), bytes) << frames;
    EXPECT_EQ(CountWrong(*storage, frames), 0) << frames;
  }
}

TEST(AudioStorageTest, UnknownLengthGrowsBySegments) {
  const auto storage = Make(1, 0);
  Append(storage.get(), 1);
  EXPECT_EQ(storage->bytes(), kSegment * 4);
  Append(storage.get(), kSegment - 1);
  EXPECT_EQ(storage->bytes(), kSegment * 4);
  Append(storage.get(), 1);
  EXPECT_EQ(storage->bytes(), 2 * kSegment * 4);
  EXPECT_EQ(CountWrong(*storage, kSegment + 1), 0);
}

TEST(AudioStorageTest, ShortSoundCanOutgrowItsExpectation) {
  const auto storage = Make(2, 100);
  Append(storage.get(), 90);
  const AudioView before = storage->View();
  Append(storage.get(), 3 * kSegment);
  EXPECT_EQ(storage->View().channel_stride_frames, kSegment);
  ExpectViewHoldsSignal(storage->View());
  EXPECT_EQ(CountWrong(*storage, 90 + 3 * kSegment), 0);
  // Whoever had looked before reads on what there was.
  ExpectViewHoldsSignal(before);
  EXPECT_EQ(storage->bytes(), 112 * 2 * 4 + 4 * kSegment * 2 * 4);
}

TEST(AudioStorageTest, OldViewsHoldWhileItGrows) {
  const auto storage = Make(1, 0);
  std::vector<AudioView> views;
  for (int i = 0; i < 40; ++i) {
    Append(storage.get(), kSegment / 2 + 1);
    views.push_back(storage->View());
  }
  for (const AudioView& view : views) ExpectViewHoldsSignal(view);
}

TEST(AudioStorageTest, UnpublishedFramesAreNotThere) {
  const auto storage = Make(1, 0);
  ASSERT_TRUE(storage->Grow(200).ok());
  Write(storage.get(), 200);
  EXPECT_EQ(storage->frames(), 0);
  EXPECT_EQ(storage->Read(0, 200).frames, 0);
  storage->Publish(150);
  EXPECT_EQ(storage->Read(0, 200).frames, 150);
  EXPECT_EQ(storage->Read(149, 200).frames, 1);
  EXPECT_EQ(storage->Read(150, 200).frames, 0);
  EXPECT_EQ(storage->Read(100000, 200).frames, 0);
}

TEST(AudioStorageTest, StretchesEndWithTheirSegment) {
  const auto storage = Make(1, 2 * kSegment);
  Append(storage.get(), 2 * kSegment);
  EXPECT_EQ(storage->Read(10, 2 * kSegment).frames, kSegment - 10);
  EXPECT_EQ(storage->Read(kSegment, 2 * kSegment).frames, kSegment);
  EXPECT_EQ(storage->Read(kSegment - 1, 5).frames, 1);
}

TEST(AudioStorageTest, RoomEndsWhereItWasGrownTo) {
  const auto storage = Make(1, 20);
  EXPECT_EQ(storage->Room(0, 1000).frames, 32);  // whole cache lines
  EXPECT_EQ(storage->Room(31, 1000).frames, 1);
  EXPECT_EQ(storage->Room(32, 1000).frames, 0);
}

TEST(AudioStorageTest, BudgetRefusesBeforeAnythingChanges) {
  const auto budget = Budget(kSegment * 4 * 2);
  const auto storage = *AudioStorage::Create(1, 0, budget);
  Append(storage.get(), kSegment);
  const absl::Status status = storage->Grow(kSegment + 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(status)->reason, ErrorReason::kLimitExceeded);
  EXPECT_EQ(GetErrorInfo(status)->field, "max_buffer_bytes");
  EXPECT_EQ(storage->bytes(), kSegment * 4);
  EXPECT_EQ(budget->used_bytes(), kSegment * 4);
  EXPECT_EQ(CountWrong(*storage, kSegment), 0);
  Append(storage.get(), kSegment);
  EXPECT_EQ(CountWrong(*storage, 2 * kSegment), 0);
}

TEST(AudioStorageTest, ImpossibleLengthsAreRefused) {
  for (int64_t frames : {int64_t{1} << 40, (int64_t{1} << 53) - 1, INT64_MAX}) {
    const auto budget = Budget(int64_t{1} << 30);
    EXPECT_EQ(AudioStorage::Create(1024, frames, budget).status().code(),
              absl::StatusCode::kResourceExhausted);
    const auto storage = *AudioStorage::Create(1024, 10, budget);
    EXPECT_EQ(storage->Grow(frames).code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(budget->used_bytes(), storage->bytes());
  }
}

TEST(AudioStorageTest, LastUserGivesMemoryBack) {
  const auto budget = Budget();
  auto storage = *AudioStorage::Create(2, 1000, budget);
  std::shared_ptr<const AudioStorage> voice = storage;
  const int64_t bytes = storage->bytes();
  EXPECT_GT(bytes, 0);
  storage.reset();
  EXPECT_EQ(budget->used_bytes(), bytes);
  voice.reset();
  EXPECT_EQ(budget->used_bytes(), 0);
}

TEST(AudioStorageTest, ReadersSeeWholeFramesWhileItGrows) {
  // Begins short, so that the copy of the only segment is seen too.
  for (int64_t expected : {int64_t{0}, int64_t{64}}) {
    const auto storage = Make(2, expected);
    constexpr int64_t kTotal = 40 * kSegment;
    std::atomic<int64_t> wrong{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&, i] {
        int64_t seen = 0;
        while (seen < kTotal) {
          const int64_t frames = storage->frames();
          // What is new, and the beginning, which may have been copied.
          for (int64_t at : {int64_t{0}, seen}) {
            while (at < frames) {
              const auto stretch = storage->Read(at, 500 + i);
              if (stretch.frames <= 0) {
                ++wrong;
                break;
              }
              for (int c = 0; c < 2; ++c) {
                for (int64_t f = 0; f < stretch.frames; ++f) {
                  wrong +=
                      stretch.samples[c * stretch.channel_stride_frames + f] != SampleAt(at + f, c);
                }
              }
              at += stretch.frames;
              if (at < seen) break;  // of the beginning only the first stretch
            }
          }
          const AudioView view = storage->View();
          if (view.frames > 0) {
            const int64_t last = view.frames - 1;
            wrong += view.segments[last / kSegment][view.channel_stride_frames + last % kSegment] !=
                     SampleAt(last, 1);
          }
          seen = frames;
        }
      });
    }
    for (int64_t done = 0, next = 1; done < kTotal; next = next % 700 + 37) {
      const int64_t frames = std::min(next, kTotal - done);
      Append(storage.get(), frames);
      done += frames;
    }
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(wrong.load(), 0);
  }
}

}  // namespace
}  // namespace rtmixd
