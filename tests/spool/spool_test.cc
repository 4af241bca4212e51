#include "server/spool/spool.h"

#include <signal.h>
#include <sndfile.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/polling.h"

namespace rtmixd {
namespace {

constexpr int kChannels = 2;
constexpr absl::Duration kLongEnough = absl::Seconds(30);

// Sample `channel` of frame `frame`: all different, and exact in float.
float Sample(int channel, int64_t frame) {
  return static_cast<float>(1 + frame * kChannels + channel) / float{1 << 24};
}

// What a buffer does: grows.
class Buffer {
 public:
  Buffer() : audio_(*AudioStorage::Create(kChannels, 0, Budget())) {}

  void Grow(int64_t frames) {
    ASSERT_TRUE(audio_->Grow(frames).ok());
    for (int64_t done = 0; done < frames;) {
      const auto room = audio_->Room(done, frames - done);
      for (int c = 0; c < kChannels; ++c) {
        for (int64_t f = 0; f < room.frames; ++f) {
          room.samples[c * room.channel_stride_frames + f] = Sample(c, audio_->frames() + done + f);
        }
      }
      done += room.frames;
    }
    audio_->Publish(frames);
  }
  const std::shared_ptr<AudioStorage>& audio() const { return audio_; }

 private:
  static std::shared_ptr<ByteBudget> Budget() {
    return std::make_shared<ByteBudget>("max_buffer_bytes", int64_t{1} << 30, nullptr);
  }
  const std::shared_ptr<AudioStorage> audio_;
};

std::vector<float> ReadAll(const std::string& path, SF_INFO* info) {
  *info = {};
  SNDFILE* const file = sf_open(path.c_str(), SFM_READ, info);
  if (file == nullptr) return {};
  std::vector<float> samples(static_cast<size_t>(info->frames * info->channels));
  EXPECT_EQ(sf_readf_float(file, samples.data(), info->frames), info->frames);
  sf_close(file);
  return samples;
}

class SpoolTest : public testing::Test {
 protected:
  SpoolTest() {
    options_.folder = absl::StrCat(testing::TempDir(), "/spool");
    options_.write_interval = absl::Milliseconds(5);
    options_.sync_interval = absl::Milliseconds(20);
    std::filesystem::remove_all(options_.folder);
  }

  void Open() {
    spool_ = nullptr;
    auto spool = Spool::Open(options_);
    ASSERT_TRUE(spool.ok()) << spool.status();
    spool_ = *std::move(spool);
  }

  // A recording that has begun.
  static ActionReport Report(const std::string& action_id) {
    ActionReport report;
    report.action_id = action_id;
    report.kind = ActionKind::kRecord;
    report.state = ActionState::kActive;
    report.start_frame = 1000;
    return report;
  }
  void Begin(const std::string& action_id, const Buffer& buffer, int64_t first_frame = 0) {
    spool_->Begin({.instance_id = "instance",
                   .session_id = "s-1",
                   .session_label = "a session",
                   .label = "a/../label",
                   .sample_rate_hz = 48000,
                   .create_time = absl::Now(),
                   .audio = buffer.audio(),
                   .first_frame = first_frame},
                  Report(action_id));
  }
  void End(const std::string& action_id, int64_t frames) {
    ActionReport report = Report(action_id);
    report.state = ActionState::kEnded;
    report.end_frame = 1000 + frames;
    report.done_frames = frames;
    report.end_reason = ActionEnd::kCompleted;
    report.touched = Touched::kNo;
    spool_->End(report);
  }
  // Waits until the newest recording is so.
  template <typename Predicate>
  v1::SpooledRecording Await(Predicate predicate) {
    v1::SpooledRecording last;
    EXPECT_TRUE(PollUntil(
        [&] {
          const auto list = spool_->List();
          if (list.empty()) return false;
          last = list.back();
          return predicate(last);
        },
        kLongEnough));
    return last;
  }
  v1::SpooledRecording AwaitFrames(int64_t frames) {
    return Await([frames](const auto& recording) { return recording.frames() >= frames; });
  }
  v1::SpooledRecording AwaitComplete() {
    return Await([](const auto& recording) {
      return recording.state() == v1::SPOOLED_RECORDING_STATE_COMPLETE;
    });
  }
  std::string AudioPath(const v1::SpooledRecording& recording) const {
    return absl::StrCat(options_.folder, "/", recording.recording_id(), ".wav");
  }
  std::vector<LogEntry> News(EventKind kind) {
    for (LogEntry& entry : spool_->TakeNews()) news_.push_back(std::move(entry));
    std::vector<LogEntry> chosen;
    for (const LogEntry& entry : news_) {
      if (entry.kind == kind) chosen.push_back(entry);
    }
    return chosen;
  }
  // Frames [first, first + frames) of a file are those of the buffer from `from` on.
  static void ExpectSamples(const std::vector<float>& samples, int64_t first, int64_t frames,
                            int64_t from) {
    ASSERT_GE(static_cast<int64_t>(samples.size()), (first + frames) * kChannels);
    for (int64_t f = 0; f < frames; ++f) {
      for (int c = 0; c < kChannels; ++c) {
        ASSERT_EQ(samples[static_cast<size_t>((first + f) * kChannels + c)], Sample(c, from + f))
            << "frame " << f;
      }
    }
  }

  Spool::Options options_;
  std::shared_ptr<Spool> spool_;
  std::vector<LogEntry> news_;
};

TEST_F(SpoolTest, WhatIsWrittenCanBeReadWhileItGrows) {
  Open();
  Buffer buffer;
  Begin("a-1", buffer);
  buffer.Grow(1000);
  const v1::SpooledRecording running = AwaitFrames(1000);
  EXPECT_EQ(running.state(), v1::SPOOLED_RECORDING_STATE_RECORDING);
  EXPECT_EQ(running.label(), "a/../label");
  SF_INFO info;
  ExpectSamples(ReadAll(AudioPath(running), &info), 0, 1000, 0);
  EXPECT_EQ(info.frames, 1000);
  EXPECT_EQ(info.channels, kChannels);
  EXPECT_EQ(info.samplerate, 48000);
  EXPECT_EQ(info.format, SF_FORMAT_WAVEX | SF_FORMAT_FLOAT);
  EXPECT_EQ(spool_->Delete(running.recording_id()).code(), absl::StatusCode::kFailedPrecondition);

  buffer.Grow(70000);
  End("a-1", 71000);
  const v1::SpooledRecording complete = AwaitComplete();
  EXPECT_EQ(complete.frames(), 71000);
  EXPECT_EQ(complete.report().touched(), v1::TOUCHED_NO);
  EXPECT_EQ(complete.gap_frames(), 0);
  ExpectSamples(ReadAll(AudioPath(complete), &info), 0, 71000, 0);
  EXPECT_EQ(info.frames, 71000);
}

TEST_F(SpoolTest, OnlyItsPartOfABufferIsWritten) {
  Open();
  Buffer buffer;
  buffer.Grow(500);
  Begin("a-1", buffer, 500);
  buffer.Grow(300);
  End("a-1", 300);
  buffer.Grow(200);  // of the next recording
  SF_INFO info;
  ExpectSamples(ReadAll(AudioPath(AwaitComplete()), &info), 0, 300, 500);
  EXPECT_EQ(info.frames, 300);
}

TEST_F(SpoolTest, WhatAnEarlierServerLeftIsInterrupted) {
  Open();
  Buffer buffer;
  Begin("a-1", buffer);
  buffer.Grow(1000);
  const std::string id = AwaitFrames(1000).recording_id();
  // As a crash leaves it: the files of this moment.
  const std::string copy = options_.folder + "_copy";
  std::filesystem::remove_all(copy);
  std::filesystem::create_directory(copy);
  for (const char* ending : {".json", ".wav"}) {
    std::filesystem::copy(absl::StrCat(options_.folder, "/", id, ending), copy);
  }
  std::ofstream(copy + "/notes.json") << "somebody else's";
  std::ofstream(copy + "/r-0.json") << R"({"recording_id": "../r-1"})";
  spool_ = nullptr;
  options_.folder = copy;
  Open();
  const auto list = spool_->List();
  ASSERT_EQ(list.size(), 1);
  EXPECT_EQ(list[0].recording_id(), id);
  EXPECT_EQ(list[0].state(), v1::SPOOLED_RECORDING_STATE_INTERRUPTED);
  EXPECT_EQ(list[0].frames(), 1000);
  EXPECT_EQ(list[0].label(), "a/../label");
  EXPECT_NE(list[0].report().touched(), v1::TOUCHED_NO);
  SF_INFO info;
  ExpectSamples(ReadAll(AudioPath(list[0]), &info), 0, 1000, 0);

  EXPECT_TRUE(spool_->Delete(id).ok());
  EXPECT_TRUE(absl::IsNotFound(spool_->Delete(id)));
  EXPECT_TRUE(absl::IsNotFound(spool_->Get("../etc/passwd").status()));
  EXPECT_FALSE(std::filesystem::exists(AudioPath(list[0])));
  Open();
  EXPECT_TRUE(spool_->List().empty());
  EXPECT_TRUE(std::filesystem::exists(copy + "/notes.json"));
}

TEST_F(SpoolTest, EverythingIsWrittenWhenItCloses) {
  Open();
  Buffer buffer;
  Begin("a-1", buffer);
  buffer.Grow(100000);
  End("a-1", 100000);
  Open();
  const auto list = spool_->List();
  ASSERT_EQ(list.size(), 1);
  EXPECT_EQ(list[0].state(), v1::SPOOLED_RECORDING_STATE_COMPLETE);
  EXPECT_EQ(list[0].frames(), 100000);
}

TEST_F(SpoolTest, OneServerToAFolder) {
  Open();
  EXPECT_EQ(Spool::Open(options_).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SpoolTest, TheOldestGoFirst) {
  options_.max_bytes = 2500 * kChannels * int64_t{sizeof(float)};
  Open();
  Buffer buffer;
  buffer.Grow(1000);
  for (const char* id : {"a-1", "a-2", "a-3"}) {
    Begin(id, buffer, 0);
    End(id, 1000);
    Await([&](const auto& recording) {
      return recording.report().action_id() == id &&
             recording.state() == v1::SPOOLED_RECORDING_STATE_COMPLETE;
    });
  }
  EXPECT_TRUE(PollUntil([&] { return spool_->List().size() == 2; }, kLongEnough));
  const auto list = spool_->List();
  ASSERT_EQ(list.size(), 2);
  EXPECT_EQ(list[0].report().action_id(), "a-2");
  EXPECT_EQ(spool_->status().used_bytes(), 2000 * kChannels * int64_t{sizeof(float)});
  options_.max_age = absl::ZeroDuration();
  Open();
  EXPECT_TRUE(PollUntil([&] { return spool_->List().empty(); }, kLongEnough));
}

// Files cannot grow beyond a limit, as on a full disk, until it is lifted.
class FullDiskTest : public SpoolTest {
 public:
  ~FullDiskTest() override { Lift(); }

 protected:
  FullDiskTest() {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    options_.max_backlog_bytes = 40000 * kChannels * int64_t{sizeof(float)};
  }
  void Limit(rlim_t bytes) const {
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  void Lift() const { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_ = {};
};

TEST_F(FullDiskTest, NothingIsLostIfThereIsRoomAgainSoon) {
  Open();
  Buffer buffer;
  Begin("a-1", buffer);
  buffer.Grow(1000);
  AwaitFrames(1000);
  ASSERT_NO_FATAL_FAILURE(Limit(20000));
  buffer.Grow(5000);
  EXPECT_TRUE(PollUntil([&] { return News(EventKind::kSpoolFailed).size() == 1; }, kLongEnough));
  EXPECT_THAT(spool_->status().failure(), testing::HasSubstr("File too large"));
  Lift();
  EXPECT_TRUE(PollUntil([&] { return News(EventKind::kSpoolRecovered).size() == 1; }, kLongEnough));
  EXPECT_EQ(spool_->status().failure(), "");
  buffer.Grow(1000);
  End("a-1", 7000);
  SF_INFO info;
  ExpectSamples(ReadAll(AudioPath(AwaitComplete()), &info), 0, 7000, 0);
  EXPECT_EQ(info.frames, 7000);
  EXPECT_TRUE(News(EventKind::kSpoolGap).empty());
}

TEST_F(FullDiskTest, BeyondItsBacklogItLeavesAGap) {
  Open();
  Buffer buffer;
  Begin("a-1", buffer);
  buffer.Grow(1000);
  AwaitFrames(1000);
  ASSERT_NO_FATAL_FAILURE(Limit(1000 * kChannels * sizeof(float) + 200));
  buffer.Grow(50000);
  EXPECT_TRUE(PollUntil([&] { return News(EventKind::kSpoolGap).size() == 1; }, kLongEnough));
  const LogEntry gap = News(EventKind::kSpoolGap)[0];
  EXPECT_EQ(gap.action_id, "a-1");
  EXPECT_EQ(gap.frames, 50000);
  EXPECT_EQ(spool_->status().gap_frames(), 50000);
  Lift();
  buffer.Grow(2000);
  End("a-1", 53000);
  const v1::SpooledRecording recording = AwaitComplete();
  ASSERT_EQ(recording.gaps_size(), 1);
  EXPECT_EQ(recording.gaps(0).position(), 1000);
  EXPECT_EQ(recording.gaps(0).frame(), 2000);
  EXPECT_EQ(recording.gaps(0).frames(), 50000);
  EXPECT_EQ(recording.gap_frames(), 50000);
  SF_INFO info;
  const std::vector<float> samples = ReadAll(AudioPath(recording), &info);
  EXPECT_EQ(info.frames, 53000);
  ExpectSamples(samples, 0, 1000, 0);
  ExpectSamples(samples, 51000, 2000, 51000);
  for (size_t i = 2000; i < samples.size() - 4000; ++i) {
    // What the disk took of a write that failed is there.
    ASSERT_TRUE(samples[i] == 0 ||
                samples[i] == Sample(static_cast<int>(i % 2), static_cast<int64_t>(i / 2)));
  }
}

TEST_F(FullDiskTest, WhatEndedIsGivenUp) {
  options_.patience = absl::Milliseconds(100);
  Open();
  Buffer buffer;
  Begin("a-1", buffer);
  buffer.Grow(1000);
  AwaitFrames(1000);
  ASSERT_NO_FATAL_FAILURE(Limit(4));
  buffer.Grow(500);
  End("a-1", 1500);
  const v1::SpooledRecording recording = AwaitComplete();
  EXPECT_EQ(recording.frames(), 1000);
  EXPECT_EQ(recording.gap_frames(), 500);
  // The buffer is free.
  EXPECT_TRUE(PollUntil([&] { return buffer.audio().use_count() == 1; }, kLongEnough));
  Lift();
}

TEST(SpoolFileTest, BeyondFourGibibytesItIsRf64) {
  const std::string path = absl::StrCat(testing::TempDir(), "/long.wav");
  std::filesystem::remove(path);
  auto file = SpoolFile::Create(path, kChannels, 48000);
  ASSERT_TRUE(file.ok()) << file.status();
  Buffer buffer;
  buffer.Grow(1000);
  ASSERT_TRUE((*file)->Write(0, *buffer.audio(), 0, 1000).ok());
  constexpr int64_t kFar = 600'000'000;  // zeros, of which the file system keeps nothing
  ASSERT_TRUE((*file)->Write(kFar, *buffer.audio(), 0, 1000).ok());
  // Still open, as after a crash.
  SF_INFO info = {};
  SNDFILE* const reader = sf_open(path.c_str(), SFM_READ, &info);
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(info.format & SF_FORMAT_TYPEMASK, SF_FORMAT_RF64);
  EXPECT_EQ(info.frames, kFar + 1000);
  std::vector<float> samples(1000 * kChannels);
  EXPECT_EQ(sf_seek(reader, kFar, SEEK_SET), kFar);
  EXPECT_EQ(sf_readf_float(reader, samples.data(), 1000), 1000);
  EXPECT_EQ(samples[2001 - 2000], Sample(1, 0));
  EXPECT_EQ(samples[1999], Sample(1, 999));
  sf_close(reader);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace rtmixd
