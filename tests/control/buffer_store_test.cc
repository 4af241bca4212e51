#include "server/control/buffer_store.h"

#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/error_info.h"
#include "server/base/mutex.h"

namespace rtmixd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kSegmentBytes = AudioView::kSegmentFrames * 4;
const absl::Time kNow = absl::FromUnixSeconds(1700000000);

BufferSpec Spec(int channels = 1, bool keep = false, int64_t expected_frames = 0) {
  BufferSpec spec;
  spec.channels = channels;
  spec.keep = keep;
  spec.expected_frames = expected_frames;
  return spec;
}

std::string FloatBytes(const std::vector<float>& samples) {
  return std::string(reinterpret_cast<const char*>(samples.data()), samples.size() * 4);
}

ErrorReason Reason(const absl::Status& status) {
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  return info.has_value() ? info->reason : ErrorReason::kInternal;
}

class BufferStoreTest : public testing::Test {
 protected:
  BufferStoreTest() {
    store_.AddSession("s-1");
    store_.AddSession("s-2");
  }
  std::string Make(const BufferSpec& spec, const std::string& session = "s-1") {
    auto info = store_.Create(session, spec, kNow);
    EXPECT_TRUE(info.ok()) << info.status();
    return info->buffer_id;
  }
  // A complete buffer with these samples.
  std::string MakeComplete(const BufferSpec& spec, const std::vector<float>& samples) {
    std::string id = Make(spec);
    auto upload = *store_.OpenUpload("s-1", id);
    EXPECT_TRUE(upload->Append(0, SampleFormat::kFloat32, FloatBytes(samples)).ok());
    EXPECT_TRUE(upload->Complete().ok());
    return id;
  }
  std::vector<std::string> Ids(const std::string& session) {
    std::vector<std::string> ids;
    for (const BufferInfo& info : store_.List(session)) ids.push_back(info.buffer_id);
    return ids;
  }
  std::string ReadAll(BufferReader* reader) {
    std::string bytes;
    reader->Read(0, 1 << 20, SampleFormat::kFloat32, &bytes);
    return bytes;
  }

  static Limits MakeLimits() {
    Limits limits;
    limits.max_buffers_per_session = 5;
    limits.max_buffer_bytes_per_session = 4 * kSegmentBytes;
    limits.max_buffer_bytes = 6 * kSegmentBytes;
    limits.max_chunk_bytes = 4 * 65536;
    return limits;
  }
  BufferStore store_{MakeLimits()};
};

TEST_F(BufferStoreTest, NewBufferIsAsAskedFor) {
  BufferSpec spec = Spec(2, true, 100);
  spec.label = "beep";
  spec.sample_rate_hz = 44100;
  const auto info = store_.Create("s-1", spec, kNow);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->label, "beep");
  EXPECT_EQ(info->channels, 2);
  EXPECT_EQ(info->sample_rate_hz, 44100);
  EXPECT_EQ(info->frames, 0);
  EXPECT_EQ(info->state, BufferState::kOpen);
  EXPECT_TRUE(info->keep);
  EXPECT_EQ(info->create_time, kNow);
  EXPECT_EQ(info->record_action_id, "");
  EXPECT_EQ(info->session_id, "s-1");
  EXPECT_EQ(info->bytes, 112 * 2 * 4);
  EXPECT_EQ(store_.Get("s-1", info->buffer_id)->label, "beep");
}

TEST_F(BufferStoreTest, BadSpecsAreRefusedByField) {
  const auto field = [this](const BufferSpec& spec) {
    const absl::Status status = store_.Create("s-1", spec, kNow).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return GetErrorInfo(status)->field;
  };
  EXPECT_EQ(field(Spec(0)), "channels");
  EXPECT_EQ(field(Spec(-1)), "channels");
  EXPECT_EQ(field(Spec(1025)), "channels");
  EXPECT_EQ(field(Spec(1, false, -1)), "expected_frames");
  EXPECT_EQ(field(Spec(1, false, int64_t{1} << 53)), "expected_frames");
  BufferSpec spec = Spec();
  spec.sample_rate_hz = -1;
  EXPECT_EQ(field(spec), "sample_rate_hz");
  spec.sample_rate_hz = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(field(spec), "sample_rate_hz");
  spec = Spec();
  spec.label = std::string(201, 'x');
  EXPECT_EQ(field(spec), "label");
  EXPECT_THAT(Ids("s-1"), IsEmpty());
  EXPECT_EQ(store_.GetUsage("s-1").buffers, 0);
}

TEST_F(BufferStoreTest, BuffersAreLimitedPerSession) {
  std::string last;
  for (int i = 0; i < 5; ++i) last = Make(Spec());
  const absl::Status status = store_.Create("s-1", Spec(), kNow).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(status)->field, "max_buffers_per_session");
  EXPECT_TRUE(store_.Create("s-2", Spec(), kNow).ok());
  ASSERT_TRUE(store_.Delete("s-1", last).ok());
  EXPECT_TRUE(store_.Create("s-1", Spec(), kNow).ok());
}

TEST_F(BufferStoreTest, ExpectedFramesAreReservedAtOnce) {
  const std::string id = Make(Spec(1, false, 3 * AudioView::kSegmentFrames));
  EXPECT_EQ(store_.GetUsage("s-1").bytes, 3 * kSegmentBytes);
  const absl::Status own =
      store_.Create("s-1", Spec(1, false, 2 * AudioView::kSegmentFrames), kNow).status();
  EXPECT_EQ(GetErrorInfo(own)->field, "max_buffer_bytes_per_session");
  const absl::Status total =
      store_.Create("s-2", Spec(1, false, 4 * AudioView::kSegmentFrames), kNow).status();
  EXPECT_EQ(GetErrorInfo(total)->field, "max_buffer_bytes");
  // What was refused holds nothing.
  EXPECT_EQ(store_.GetUsage("s-1").buffers, 1);
  EXPECT_EQ(store_.GetUsage("s-2").buffers, 0);
  EXPECT_EQ(store_.GetUsage("s-2").bytes, 0);
  ASSERT_TRUE(store_.Delete("s-1", id).ok());
  EXPECT_EQ(store_.GetUsage("s-1").bytes, 0);
}

TEST_F(BufferStoreTest, UploadedAudioCanBePlayedAndDownloaded) {
  const std::string id = Make(Spec(2));
  auto upload = *store_.OpenUpload("s-1", id);
  EXPECT_TRUE(upload->Append(0, SampleFormat::kFloat32, FloatBytes({1, 2, 3, 4})).ok());
  EXPECT_TRUE(upload->Append(2, SampleFormat::kFloat32, FloatBytes({5, 6})).ok());
  EXPECT_EQ(upload->info().frames, 3);
  const absl::Status early = store_.GetPlayable("s-1", id).status();
  EXPECT_EQ(early.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Reason(early), ErrorReason::kWrongState);
  EXPECT_TRUE(upload->Complete().ok());
  EXPECT_EQ(store_.Get("s-1", id)->state, BufferState::kComplete);

  const auto playable = store_.GetPlayable("s-1", id);
  ASSERT_TRUE(playable.ok());
  const AudioView view = playable->audio->View();
  ASSERT_EQ(view.frames, 3);
  for (int f = 0; f < 3; ++f) {
    EXPECT_EQ(view.segments[0][f], static_cast<float>(2 * f + 1));
    EXPECT_EQ(view.segments[0][view.channel_stride_frames + f], static_cast<float>(2 * f + 2));
  }
  auto reader = *store_.OpenDownload("s-1", id, [] {});
  EXPECT_EQ(ReadAll(reader.get()), FloatBytes({1, 2, 3, 4, 5, 6}));
  std::string bytes = "before";
  EXPECT_EQ(reader->Read(1, 1, SampleFormat::kFloat32, &bytes), 1);
  EXPECT_EQ(bytes, FloatBytes({3, 4}));
  EXPECT_EQ(reader->Read(3, 10, SampleFormat::kFloat32, &bytes), 0);
  EXPECT_EQ(bytes, "");
  EXPECT_EQ(reader->Read(9, 10, SampleFormat::kInt16, &bytes), 0);
}

TEST_F(BufferStoreTest, UploadAndDownloadAcrossSegments) {
  const std::string id = Make(Spec(1));
  auto upload = *store_.OpenUpload("s-1", id);
  std::vector<float> samples(3 * AudioView::kSegmentFrames + 1);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<float>(i);
  const std::string bytes = FloatBytes(samples);
  ASSERT_TRUE(upload->Append(0, SampleFormat::kFloat32, bytes.substr(0, 4000)).ok());
  ASSERT_TRUE(upload->Append(1000, SampleFormat::kFloat32, bytes.substr(4000)).ok());
  auto reader = *store_.OpenDownload("s-1", id, [] {});
  EXPECT_EQ(ReadAll(reader.get()), bytes);
}

TEST_F(BufferStoreTest, RefusedAppendsChangeNothing) {
  const std::string id = Make(Spec(2));
  auto upload = *store_.OpenUpload("s-1", id);
  ASSERT_TRUE(upload->Append(0, SampleFormat::kFloat32, FloatBytes({1, 2})).ok());
  const float nan = std::numeric_limits<float>::quiet_NaN();

  for (int64_t position : {0, 2, -1}) {
    const absl::Status status =
        upload->Append(position, SampleFormat::kFloat32, FloatBytes({3, 4}));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Reason(status), ErrorReason::kBadPosition);
    EXPECT_EQ(GetErrorInfo(status)->limit, "1");
  }
  const absl::Status odd = upload->Append(1, SampleFormat::kFloat32, FloatBytes({3, 4, 5}));
  EXPECT_EQ(GetErrorInfo(odd)->field, "data");
  const absl::Status bad = upload->Append(1, SampleFormat::kFloat32, FloatBytes({3, 4, 5, nan}));
  EXPECT_EQ(bad.message(), "data at frame 1 channel 2 is nan; must be finite");
  const absl::Status big =
      upload->Append(1, SampleFormat::kFloat32, std::string(4 * 65536 + 8, '\0'));
  EXPECT_EQ(big.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(big)->field, "max_chunk_bytes");
  EXPECT_EQ(GetErrorInfo(big)->limit, "262144");

  EXPECT_EQ(upload->info().frames, 1);
  EXPECT_TRUE(upload->Append(1, SampleFormat::kFloat32, FloatBytes({3, 4})).ok());
  auto reader = *store_.OpenDownload("s-1", id, [] {});
  EXPECT_EQ(ReadAll(reader.get()), FloatBytes({1, 2, 3, 4}));
}

TEST_F(BufferStoreTest, UploadBeyondTheQuotaKeepsWhatCameBefore) {
  const std::string id = Make(Spec(1));
  auto upload = *store_.OpenUpload("s-1", id);
  const std::string segment(kSegmentBytes, '\0');
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(
        upload->Append(i * AudioView::kSegmentFrames, SampleFormat::kFloat32, segment).ok());
  }
  const absl::Status status =
      upload->Append(4 * AudioView::kSegmentFrames, SampleFormat::kFloat32, FloatBytes({1}));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(status)->field, "max_buffer_bytes_per_session");
  EXPECT_EQ(upload->info().frames, 4 * AudioView::kSegmentFrames);
  EXPECT_TRUE(upload->Complete().ok());
}

TEST_F(BufferStoreTest, OnlyOneWriterAtATime) {
  const std::string id = Make(Spec(1));
  auto upload = *store_.OpenUpload("s-1", id);
  EXPECT_EQ(Reason(store_.OpenUpload("s-1", id).status()), ErrorReason::kWrongState);
  EXPECT_EQ(Reason(store_.OpenRecorder("s-1", id, "a-1", 1).status()), ErrorReason::kWrongState);
  ASSERT_TRUE(upload->Append(0, SampleFormat::kFloat32, FloatBytes({1})).ok());
  upload.reset();
  EXPECT_EQ(store_.Get("s-1", id)->state, BufferState::kOpen);
  // Another goes on from there.
  upload = *store_.OpenUpload("s-1", id);
  EXPECT_EQ(upload->info().frames, 1);
  EXPECT_TRUE(upload->Append(1, SampleFormat::kFloat32, FloatBytes({2})).ok());
  EXPECT_TRUE(upload->Complete().ok());
  EXPECT_EQ(Reason(upload->Append(2, SampleFormat::kFloat32, FloatBytes({3}))),
            ErrorReason::kWrongState);
  EXPECT_EQ(Reason(upload->Complete()), ErrorReason::kWrongState);
  upload.reset();
  EXPECT_EQ(store_.Get("s-1", id)->state, BufferState::kComplete);
  EXPECT_EQ(store_.OpenUpload("s-1", id).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(BufferStoreTest, RecordingAppends) {
  const std::string id = Make(Spec(1));
  auto recorder = *store_.OpenRecorder("s-1", id, "a-1", 1);
  EXPECT_EQ(store_.Get("s-1", id)->state, BufferState::kRecording);
  EXPECT_EQ(store_.Get("s-1", id)->record_action_id, "a-1");
  EXPECT_EQ(Reason(store_.OpenUpload("s-1", id).status()), ErrorReason::kWrongState);
  ASSERT_TRUE(recorder->Grow(2).ok());
  const auto room = recorder->Room(0, 2);
  ASSERT_EQ(room.frames, 2);
  room.samples[0] = 0.5f;
  room.samples[1] = -0.5f;
  recorder->Publish(2);
  EXPECT_EQ(recorder->info().frames, 2);
  recorder->Finish(/*leave_open=*/true);
  recorder.reset();
  EXPECT_EQ(store_.Get("s-1", id)->state, BufferState::kOpen);

  auto upload = *store_.OpenUpload("s-1", id);
  ASSERT_TRUE(upload->Append(2, SampleFormat::kFloat32, FloatBytes({1})).ok());
  upload.reset();
  recorder = *store_.OpenRecorder("s-1", id, "a-2", 1);
  recorder->Finish(/*leave_open=*/false);
  recorder.reset();
  EXPECT_EQ(store_.Get("s-1", id)->state, BufferState::kComplete);
  EXPECT_EQ(store_.Get("s-1", id)->record_action_id, "a-2");
  auto reader = *store_.OpenDownload("s-1", id, [] {});
  EXPECT_EQ(ReadAll(reader.get()), FloatBytes({0.5f, -0.5f, 1}));
}

TEST_F(BufferStoreTest, RecordingThatWasNotAdmittedLeavesNoTrace) {
  const std::string id = Make(Spec(1));
  auto recorder = *store_.OpenRecorder("s-1", id, "a-1", 1);
  recorder->Finish(true);
  recorder = *store_.OpenRecorder("s-1", id, "a-2", 1);
  recorder.reset();
  EXPECT_EQ(store_.Get("s-1", id)->state, BufferState::kOpen);
  EXPECT_EQ(store_.Get("s-1", id)->record_action_id, "a-1");
}

TEST_F(BufferStoreTest, RecordingNeedsTheSameChannels) {
  const std::string id = Make(Spec(2));
  const absl::Status status = store_.OpenRecorder("s-1", id, "a-1", 3).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetErrorInfo(status)->field, "buffer_id");
}

TEST_F(BufferStoreTest, DeletedBufferPlaysAndDownloadsOn) {
  const std::string id = MakeComplete(Spec(1), {1, 2, 3});
  auto playable = store_.GetPlayable("s-1", id);
  auto reader = *store_.OpenDownload("s-1", id, [] {});
  const int64_t bytes = store_.GetUsage("s-1").bytes;
  EXPECT_GT(bytes, 0);
  ASSERT_TRUE(store_.Delete("s-1", id).ok());
  EXPECT_EQ(store_.Get("s-1", id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_.Delete("s-1", id).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Ids("s-1"), IsEmpty());
  EXPECT_EQ(store_.GetUsage("s-1").buffers, 0);
  EXPECT_EQ(store_.GetUsage("s-1").bytes, bytes);
  EXPECT_EQ(playable->audio->View().segments[0][2], 3.0f);
  EXPECT_EQ(ReadAll(reader.get()), FloatBytes({1, 2, 3}));
  reader.reset();
  EXPECT_EQ(store_.GetUsage("s-1").bytes, bytes);
  playable = absl::CancelledError();
  EXPECT_EQ(store_.GetUsage("s-1").bytes, 0);
}

TEST_F(BufferStoreTest, UploadToADeletedBufferIsRefused) {
  const std::string id = Make(Spec(1));
  auto upload = *store_.OpenUpload("s-1", id);
  ASSERT_TRUE(store_.Delete("s-1", id).ok());
  EXPECT_EQ(upload->Append(0, SampleFormat::kFloat32, FloatBytes({1})).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(upload->Complete().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(upload->info().frames, 0);
}

TEST_F(BufferStoreTest, RecordingIntoADeletedBufferGoesOn) {
  const std::string id = Make(Spec(1));
  auto recorder = *store_.OpenRecorder("s-1", id, "a-1", 1);
  auto reader = *store_.OpenDownload("s-1", id, [] {});
  ASSERT_TRUE(store_.Delete("s-1", id).ok());
  ASSERT_TRUE(recorder->Grow(1).ok());
  recorder->Room(0, 1).samples[0] = 0.5f;
  recorder->Publish(1);
  EXPECT_EQ(reader->info().state, BufferState::kRecording);
  EXPECT_EQ(ReadAll(reader.get()), FloatBytes({0.5f}));
  // Left open where nobody can go on, it is complete.
  recorder->Finish(/*leave_open=*/true);
  EXPECT_EQ(reader->info().state, BufferState::kComplete);
}

TEST_F(BufferStoreTest, ReaderOfADeletedOpenBufferIsNotLeftWaiting) {
  const std::string id = Make(Spec(1));
  int calls = 0;
  auto reader = *store_.OpenDownload("s-1", id, [&] { ++calls; });
  ASSERT_TRUE(store_.Delete("s-1", id).ok());
  EXPECT_EQ(calls, 0);
  store_.NotifyReaders();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(reader->info().state, BufferState::kComplete);
}

TEST_F(BufferStoreTest, ReadersAreToldOfGrowthAndEnd) {
  const std::string id = Make(Spec(1));
  int calls = 0;
  auto reader = *store_.OpenDownload("s-1", id, [&] { ++calls; });
  store_.NotifyReaders();
  EXPECT_EQ(calls, 0);
  auto upload = *store_.OpenUpload("s-1", id);
  ASSERT_TRUE(upload->Append(0, SampleFormat::kFloat32, FloatBytes({1})).ok());
  EXPECT_EQ(calls, 1);
  upload.reset();
  calls = 0;

  auto recorder = *store_.OpenRecorder("s-1", id, "a-1", 1);
  store_.NotifyReaders();
  calls = 0;
  ASSERT_TRUE(recorder->Grow(1).ok());
  recorder->Publish(1);
  EXPECT_EQ(calls, 0);  // the pump tells, with no lock held
  store_.NotifyReaders();
  store_.NotifyReaders();
  EXPECT_EQ(calls, 1);
  recorder->Finish(false);
  store_.NotifyReaders();
  EXPECT_EQ(calls, 2);
  reader.reset();
  store_.NotifyReaders();
  EXPECT_EQ(calls, 2);
}

TEST_F(BufferStoreTest, BuffersOfOtherSessionsAreForeign) {
  const std::string id = MakeComplete(Spec(1, /*keep=*/true), {1});
  EXPECT_THAT(Ids("s-2"), IsEmpty());
  for (const absl::Status& status :
       {store_.Get("s-2", id).status(), store_.Delete("s-2", id),
        store_.GetPlayable("s-2", id).status(), store_.OpenUpload("s-2", id).status(),
        store_.OpenDownload("s-2", id, [] {}).status(),
        store_.OpenRecorder("s-2", id, "a-1", 1).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(Reason(status), ErrorReason::kForeignSession);
  }
}

TEST_F(BufferStoreTest, WhatIsNoIdIsNotFound) {
  const std::string id = Make(Spec());
  for (const std::string& other :
       {std::string(""), std::string("b-"), std::string("b-x"), std::string("b-01"),
        std::string("b-+1"), std::string("b-1 "), std::string("B-1"), std::string("b-2"),
        std::string("b-99999999999999999999"), std::string("b--1")}) {
    const absl::Status status = store_.Get("s-1", other).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << other;
    EXPECT_EQ(GetErrorInfo(status)->field, "buffer_id");
  }
  EXPECT_EQ(id, "b-1");
}

TEST_F(BufferStoreTest, SessionTakesItsBuffersWithIt) {
  Make(Spec());
  const std::string kept = MakeComplete(Spec(1, /*keep=*/true), {1, 2});
  const std::string other = Make(Spec(), "s-2");
  store_.EndSession("s-1");
  // What was kept belongs to everybody now.
  EXPECT_THAT(Ids("s-2"), ElementsAre(kept, other));
  EXPECT_EQ(store_.Get("s-2", kept)->session_id, "");
  EXPECT_TRUE(store_.GetPlayable("s-2", kept).ok());
  EXPECT_TRUE(store_.OpenDownload("s-2", kept, [] {}).ok());
  EXPECT_EQ(Reason(store_.Create("s-1", Spec(), kNow).status()), ErrorReason::kSessionExpired);
  EXPECT_EQ(store_.Budget("s-1"), nullptr);
  EXPECT_TRUE(store_.Delete("s-2", kept).ok());
  EXPECT_THAT(Ids("s-2"), ElementsAre(other));
  EXPECT_EQ(store_.GetUsage("s-2").buffers, 1);
}

TEST_F(BufferStoreTest, KeptBuffersStillCountInTotal) {
  const std::string kept = Make(Spec(1, true, 4 * AudioView::kSegmentFrames));
  store_.EndSession("s-1");
  EXPECT_EQ(GetErrorInfo(
                store_.Create("s-2", Spec(1, false, 3 * AudioView::kSegmentFrames), kNow).status())
                ->field,
            "max_buffer_bytes");
  ASSERT_TRUE(store_.Delete("s-2", kept).ok());
  EXPECT_TRUE(store_.Create("s-2", Spec(1, false, 3 * AudioView::kSegmentFrames), kNow).ok());
}

TEST_F(BufferStoreTest, KeptBufferThatNobodyCanFinishIsComplete) {
  const std::string open = Make(Spec(1, /*keep=*/true));
  const std::string recorded = Make(Spec(1, /*keep=*/true));
  const std::string uploaded = Make(Spec(1, /*keep=*/true));
  auto recorder = *store_.OpenRecorder("s-1", recorded, "a-1", 1);
  auto upload = *store_.OpenUpload("s-1", uploaded);
  ASSERT_TRUE(upload->Append(0, SampleFormat::kFloat32, FloatBytes({1})).ok());
  store_.EndSession("s-1");
  EXPECT_EQ(store_.Get("s-2", open)->state, BufferState::kComplete);
  EXPECT_EQ(store_.Get("s-2", uploaded)->state, BufferState::kComplete);
  const absl::Status status = upload->Append(1, SampleFormat::kFloat32, FloatBytes({2}));
  EXPECT_EQ(Reason(status), ErrorReason::kSessionExpired);
  EXPECT_EQ(store_.Get("s-2", uploaded)->frames, 1);
  // The recording ends by itself.
  EXPECT_EQ(store_.Get("s-2", recorded)->state, BufferState::kRecording);
  recorder->Finish(/*leave_open=*/true);
  EXPECT_EQ(store_.Get("s-2", recorded)->state, BufferState::kComplete);
}

TEST_F(BufferStoreTest, SoundsSentAlongAreChargedToTheSession) {
  const auto audio = AudioStorage::Create(1, 3 * AudioView::kSegmentFrames, store_.Budget("s-1"));
  ASSERT_TRUE(audio.ok());
  EXPECT_EQ(store_.GetUsage("s-1").bytes, 3 * kSegmentBytes);
  EXPECT_EQ(store_.GetUsage("s-1").buffers, 0);
}

TEST_F(BufferStoreTest, AppendThatIsOvertakenByTheDeletionIsNotSeen) {
  const std::string bytes(2 * AudioView::kSegmentFrames, '\x01');
  for (int round = 0; round < 200; ++round) {
    const std::string id = Make(Spec(1));
    auto upload = *store_.OpenUpload("s-1", id);
    auto reader = *store_.OpenDownload("s-1", id, [] {});
    std::atomic<bool> begun{false};
    std::thread uploader([&] {
      for (int64_t position = 0; position < 4 * AudioView::kSegmentFrames;
           position += AudioView::kSegmentFrames) {
        begun = true;
        if (!upload->Append(position, SampleFormat::kInt16, bytes).ok()) break;
      }
    });
    while (!begun) std::this_thread::yield();
    for (int i = 0; i < round; ++i) std::this_thread::yield();
    EXPECT_TRUE(store_.Delete("s-1", id).ok());
    const BufferInfo deleted = reader->info();
    EXPECT_EQ(deleted.state, BufferState::kComplete);
    uploader.join();
    EXPECT_EQ(reader->info().frames, deleted.frames);
  }
}

// Uploads, downloads that follow, and the deletion of all of it, from threads of their own: what a
// reader saw of a complete buffer never changes.
TEST_F(BufferStoreTest, ThreadsUploadFollowAndDelete) {
  for (int round = 0; round < 30; ++round) {
    const std::string id = Make(Spec(1, false, 10));
    auto upload = *store_.OpenUpload("s-1", id);
    Mutex mutex;
    CondVar changed;
    auto reader = *store_.OpenDownload("s-1", id, [&] {
      MutexLock lock(&mutex);
      changed.SignalAll();
    });
    std::thread uploader([&] {
      int64_t position = 0;
      while (
          upload
              ->Append(position, SampleFormat::kFloat32, FloatBytes({static_cast<float>(position)}))
              .ok()) {
        if (++position == 2000) (void)upload->Complete();
      }
    });
    int64_t frames = 0;
    std::string bytes;
    std::thread follower([&] {
      MutexLock lock(&mutex);
      while (true) {
        // The state first: of what is complete, all frames are there.
        const bool complete = reader->info().state == BufferState::kComplete;
        const int64_t read = reader->Read(frames, 100, SampleFormat::kFloat32, &bytes);
        for (int64_t f = 0; f < read; ++f) {
          EXPECT_EQ(bytes.substr(f * 4, 4), FloatBytes({static_cast<float>(frames + f)}));
        }
        frames += read;
        if (read > 0) continue;
        if (complete) break;
        changed.Wait(&mutex);
      }
    });
    if (round % 2 == 0) {
      EXPECT_TRUE(store_.Delete("s-1", id).ok());
    }
    store_.NotifyReaders();
    uploader.join();
    follower.join();
    EXPECT_EQ(frames, reader->info().frames);
    if (round % 2 == 1) {
      EXPECT_EQ(frames, 2000);
      EXPECT_TRUE(store_.Delete("s-1", id).ok());
    }
  }
}

}  // namespace
}  // namespace rtmixd
