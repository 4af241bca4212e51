#include "server/realtime/spsc_frame_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

namespace rtmixd {
namespace {

// Exact in float for all positions used here.
float SampleAt(int channel, int64_t position) {
  return static_cast<float>((position * 8 + channel) % 8'388'608);
}

// Writes frames that tell their positions, on as many channels as the ring has.
class Source {
 public:
  explicit Source(SpscFrameRing* ring) : ring_(ring) {}

  int64_t Write(int64_t frames) {
    std::vector<std::vector<float>> audio(ring_->channels());
    std::vector<const float*> planar;
    for (int c = 0; c < ring_->channels(); ++c) {
      for (int64_t i = 0; i < frames; ++i) audio[c].push_back(SampleAt(c, position_ + i));
      planar.push_back(audio[c].data());
    }
    const int64_t written = ring_->Write(planar.data(), frames);
    position_ += written;
    return written;
  }

 private:
  SpscFrameRing* const ring_;
  int64_t position_ = 0;
};

// Returns how many samples of `stretches` are not those of the frames from `position` on.
int64_t CountWrong(const SpscFrameRing& ring,
                   const std::array<SpscFrameRing::Stretch, 2>& stretches, int64_t position) {
  int64_t wrong = 0;
  for (const SpscFrameRing::Stretch& stretch : stretches) {
    for (int c = 0; c < ring.channels(); ++c) {
      for (int64_t i = 0; i < stretch.frames; ++i) {
        wrong += stretch.channel(c)[i] != SampleAt(c, position + i);
      }
    }
    position += stretch.frames;
  }
  return wrong;
}

TEST(SpscFrameRingTest, CapacityIsRoundedUpToAPowerOfTwo) {
  EXPECT_EQ(SpscFrameRing(1, 1).capacity_frames(), 1);
  EXPECT_EQ(SpscFrameRing(3, 5).capacity_frames(), 8);
  EXPECT_EQ(SpscFrameRing(3, 8).capacity_frames(), 8);
  EXPECT_EQ(SpscFrameRing(3, 8).channels(), 3);
}

TEST(SpscFrameRingTest, NewRingIsEmpty) {
  SpscFrameRing ring(2, 8);
  EXPECT_EQ(ring.write_position(), 0);
  EXPECT_EQ(ring.read_position(), 0);
  EXPECT_EQ(ring.available_frames(), 0);
  EXPECT_EQ(ring.free_frames(), 8);
  const auto [first, second] = ring.Peek(5);
  EXPECT_EQ(first.frames, 0);
  EXPECT_EQ(second.frames, 0);
}

TEST(SpscFrameRingTest, WriteTakesWhatFits) {
  SpscFrameRing ring(2, 8);
  Source source(&ring);
  EXPECT_EQ(source.Write(5), 5);
  EXPECT_EQ(ring.free_frames(), 3);
  EXPECT_EQ(source.Write(5), 3);
  EXPECT_EQ(source.Write(5), 0);
  EXPECT_EQ(ring.write_position(), 8);
  EXPECT_EQ(ring.available_frames(), 8);
  EXPECT_EQ(CountWrong(ring, ring.Peek(100), 0), 0);
}

TEST(SpscFrameRingTest, PeekLeavesFramesAndAdvanceGivesThemBack) {
  SpscFrameRing ring(2, 8);
  Source source(&ring);
  source.Write(6);
  for (int times = 0; times < 2; ++times) {
    const auto stretches = ring.Peek(4);
    EXPECT_EQ(stretches[0].frames, 4);
    EXPECT_EQ(stretches[1].frames, 0);
    EXPECT_EQ(CountWrong(ring, stretches, 0), 0);
  }
  ring.Advance(4);
  EXPECT_EQ(ring.read_position(), 4);
  EXPECT_EQ(ring.available_frames(), 2);
  EXPECT_EQ(ring.free_frames(), 6);
}

TEST(SpscFrameRingTest, PeekOverTheEndOfMemoryGivesTwoStretches) {
  SpscFrameRing ring(3, 8);
  Source source(&ring);
  source.Write(6);
  ring.Advance(6);
  source.Write(7);
  const auto stretches = ring.Peek(7);
  EXPECT_EQ(stretches[0].frames, 2);
  EXPECT_EQ(stretches[1].frames, 5);
  EXPECT_EQ(CountWrong(ring, stretches, 6), 0);
}

TEST(SpscFrameRingTest, SkipToGivesBackNoMoreThanWaits) {
  SpscFrameRing ring(2, 8);
  Source source(&ring);
  source.Write(6);
  EXPECT_EQ(ring.SkipTo(2), 2);
  EXPECT_EQ(ring.SkipTo(1), 0) << "already passed";
  EXPECT_EQ(ring.read_position(), 2);
  EXPECT_EQ(ring.SkipTo(100), 4) << "the rest is not yet written";
  EXPECT_EQ(ring.read_position(), 6);
  source.Write(3);
  EXPECT_EQ(ring.SkipTo(7), 1);
  EXPECT_EQ(CountWrong(ring, ring.Peek(8), 7), 0);
  EXPECT_EQ(ring.available_frames(), 2);
}

TEST(SpscFrameRingTest, RandomSizesKeepEveryFrameInPlace) {
  std::mt19937 random(1);
  for (const int channels : {1, 2, 5}) {
    SpscFrameRing ring(channels, 64);
    Source source(&ring);
    int64_t written = 0;
    int64_t read = 0;
    for (int step = 0; step < 5000; ++step) {
      const int64_t offered = random() % 80;
      const int64_t taken = source.Write(offered);
      ASSERT_EQ(taken, std::min(offered, 64 - (written - read)));
      written += taken;
      const int64_t wanted = random() % 80;
      const auto stretches = ring.Peek(wanted);
      const int64_t got = stretches[0].frames + stretches[1].frames;
      ASSERT_EQ(got, std::min(wanted, written - read));
      ASSERT_EQ(CountWrong(ring, stretches, read), 0);
      ring.Advance(got);
      read += got;
      ASSERT_EQ(ring.write_position(), written);
      ASSERT_EQ(ring.read_position(), read);
    }
  }
}

TEST(SpscFrameRingTest, FramesCrossThreadsWholeAndInOrder) {
  constexpr int64_t kFrames = 400'000;
  SpscFrameRing ring(2, 64);
  std::atomic<bool> done{false};
  std::thread producer([&] {
    std::mt19937 random(1);
    Source source(&ring);
    for (int64_t written = 0; written < kFrames;) {
      const int64_t offered = std::min<int64_t>(1 + random() % 80, kFrames - written);
      const int64_t room = ring.free_frames();
      const int64_t taken = source.Write(offered);
      EXPECT_GE(taken, std::min(offered, room));
      written += taken;
      if (taken == 0) std::this_thread::yield();
    }
  });
  std::thread onlooker([&] {
    int64_t last_read = 0;
    int64_t last_write = 0;
    while (!done.load()) {
      const int64_t read = ring.read_position();
      const int64_t write = ring.write_position();
      EXPECT_GE(read, last_read);
      EXPECT_GE(write, last_write);
      EXPECT_GE(write, read);
      last_read = read;
      last_write = write;
      std::this_thread::yield();
    }
  });
  std::mt19937 random(2);
  int64_t wrong = 0;
  int64_t position = 0;
  while (position < kFrames) {
    const int64_t available = ring.available_frames();
    const int64_t wanted = 1 + random() % 80;
    const auto stretches = ring.Peek(wanted);
    const int64_t got = stretches[0].frames + stretches[1].frames;
    EXPECT_GE(got, std::min(wanted, available));
    wrong += CountWrong(ring, stretches, position);
    if (random() % 8 == 0) {
      position += ring.SkipTo(position + random() % 100);
    } else {
      ring.Advance(got);
      position += got;
    }
    EXPECT_EQ(ring.read_position(), position);
    if (got == 0) std::this_thread::yield();
  }
  producer.join();
  done.store(true);
  onlooker.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(ring.write_position(), kFrames);
  EXPECT_EQ(ring.available_frames(), 0);
}

}  // namespace
}  // namespace rtmixd
