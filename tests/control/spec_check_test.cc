#include "server/control/spec_check.h"

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/error_info.h"
#include "server/mixer/stream_time.h"

namespace rtmixd {
namespace {

using testing::ElementsAre;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr StreamShape kShape = {.input_channels = 4, .output_channels = 2, .sample_rate_hz = 48000};
constexpr StreamShape kNoInput = {.output_channels = 2, .sample_rate_hz = 48000};
constexpr StreamShape kNoOutput = {.input_channels = 4, .sample_rate_hz = 48000};

// INVALID_ARGUMENT for this field and value.
void ExpectBadField(const absl::Status& status, const std::string& field, const std::string& value,
                    const std::string& limit = "") {
  SCOPED_TRACE(status.ToString());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const auto info = GetErrorInfo(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reason, ErrorReason::kBadField);
  EXPECT_EQ(info->field, field);
  EXPECT_EQ(info->value, value);
  if (!limit.empty()) {
    EXPECT_EQ(info->limit, limit);
  }
}

void ExpectLimit(const absl::Status& status, const std::string& name, const std::string& value,
                 const std::string& limit) {
  SCOPED_TRACE(status.ToString());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  const auto info = GetErrorInfo(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reason, ErrorReason::kLimitExceeded);
  EXPECT_EQ(info->field, name);
  EXPECT_EQ(info->value, value);
  EXPECT_EQ(info->limit, limit);
}

StartSpec Start(StartSpec::Kind kind, int64_t frames, double seconds = 0) {
  return {.kind = kind, .frames = frames, .seconds = seconds};
}

// --- Single values ---

TEST(SpecCheckTest, KeyMayHave128Bytes) {
  EXPECT_TRUE(CheckKey("", "key").ok());
  EXPECT_TRUE(CheckKey(std::string(128, 'k'), "key").ok());
  ExpectBadField(CheckKey(std::string(129, 'k'), "actions[3].key"), "actions[3].key",
                 "129 bytes long", "at most 128 bytes");
}

TEST(SpecCheckTest, FramesLieInTheirRange) {
  EXPECT_TRUE(CheckFrames(-2, -2, 5, "x").ok());
  EXPECT_TRUE(CheckFrames(5, -2, 5, "x").ok());
  ExpectBadField(CheckFrames(-3, -2, 5, "x"), "x", "-3", "-2 to 5");
  ExpectBadField(CheckFrames(6, -2, 5, "x"), "x", "6", "-2 to 5");
}

TEST(SpecCheckTest, GainIsFinite) {
  for (const float gain : {0.0f, -1.0f, 1e30f}) EXPECT_TRUE(CheckGain(gain, "gain").ok());
  ExpectBadField(CheckGain(kInf, "gain"), "gain", "inf", "finite");
  ExpectBadField(CheckGain(-kInf, "gain"), "gain", "-inf");
  ExpectBadField(CheckGain(std::nanf(""), "gain"), "gain", "nan");
}

TEST(SpecCheckTest, ChannelCountIs1To1024) {
  EXPECT_TRUE(CheckChannelCount(1, "channels").ok());
  EXPECT_TRUE(CheckChannelCount(1024, "channels").ok());
  ExpectBadField(CheckChannelCount(0, "channels"), "channels", "0", "1 to 1024");
  ExpectBadField(CheckChannelCount(1025, "channels"), "channels", "1025");
  ExpectBadField(CheckChannelCount(-1, "channels"), "channels", "-1");
}

TEST(SpecCheckTest, StartsAreFramesThatDoublesCanTellApart) {
  const std::string top = std::to_string(kMaxStreamFrame - 1);
  for (const auto& [kind, field] : {std::pair(StartSpec::Kind::kOffset, "start.offset_frames"),
                                    std::pair(StartSpec::Kind::kFrame, "start.frame")}) {
    EXPECT_TRUE(CheckStart(Start(kind, 0), 48000, "start").ok());
    EXPECT_TRUE(CheckStart(Start(kind, kMaxStreamFrame - 1), 48000, "start").ok());
    ExpectBadField(CheckStart(Start(kind, -1), 48000, "start"), field, "-1", "0 to " + top);
    ExpectBadField(CheckStart(Start(kind, kMaxStreamFrame), 48000, "start"), field,
                   std::to_string(kMaxStreamFrame));
  }
}

TEST(SpecCheckTest, StreamTimeIsFiniteAndNotNegative) {
  const auto check = [](double seconds) {
    return CheckStart(Start(StartSpec::Kind::kStreamTime, 0, seconds), 48000, "start");
  };
  EXPECT_TRUE(check(0).ok());
  EXPECT_TRUE(check(1e9).ok());
  ExpectBadField(check(-0.001), "start.stream_time_seconds", "-0.001");
  ExpectBadField(check(std::nan("")), "start.stream_time_seconds", "nan");
  ExpectBadField(check(std::numeric_limits<double>::infinity()), "start.stream_time_seconds",
                 "inf");
  EXPECT_FALSE(check(static_cast<double>(kMaxStreamFrame) / 24000).ok()) << "frame 2^54";
}

// --- Channel maps ---

TEST(SpecCheckTest, PlayMapCountsFromOneAndKeepsItsOrder) {
  const auto map = ResolvePlayMap(std::vector<int>{2, 1, 2}, 3, kShape, "channel_map");
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_THAT(*map, ElementsAre(1, 0, 1));
}

TEST(SpecCheckTest, WithoutAPlayMapChannelsGoStraightIfThereAreEnough) {
  EXPECT_THAT(*ResolvePlayMap(std::nullopt, 1, kShape, "channel_map"), ElementsAre(0));
  EXPECT_THAT(*ResolvePlayMap(std::nullopt, 2, kShape, "channel_map"), ElementsAre(0, 1));
  ExpectBadField(ResolvePlayMap(std::nullopt, 3, kShape, "channel_map").status(), "channel_map",
                 "absent");
}

TEST(SpecCheckTest, PlayMapHasAnEntryForEachChannelOfTheSound) {
  ExpectBadField(ResolvePlayMap(std::vector<int>{1}, 2, kShape, "map").status(), "map.channels",
                 "1 entries", "2, one for each channel of the sound");
  ExpectBadField(ResolvePlayMap(std::vector<int>{1, 2, 1}, 2, kShape, "map").status(),
                 "map.channels", "3 entries");
  ExpectBadField(ResolvePlayMap(std::vector<int>{}, 2, kShape, "map").status(), "map.channels",
                 "0 entries", "1 to 1024 entries");
  ExpectBadField(ResolvePlayMap(std::vector<int>(1025, 1), 1025, kShape, "map").status(),
                 "map.channels", "1025 entries");
}

TEST(SpecCheckTest, PlayMapNamesOutputsOfTheStream) {
  ExpectBadField(ResolvePlayMap(std::vector<int>{1, 3}, 2, kShape, "map").status(),
                 "map.channels[1]", "3", "1 to 2");
  ExpectBadField(ResolvePlayMap(std::vector<int>{0, 1}, 2, kShape, "map").status(),
                 "map.channels[0]", "0");
  ExpectBadField(ResolvePlayMap(std::vector<int>{1}, 1, kNoOutput, "map").status(), "map",
                 "a sound");
}

TEST(SpecCheckTest, RecordMapMayBeAnyChoiceOfInputs) {
  EXPECT_THAT(*ResolveRecordMap(std::nullopt, RecordSource::kInput, kShape, ""),
              ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(*ResolveRecordMap(std::vector<int>{4, 4, 1}, RecordSource::kInput, kShape, ""),
              ElementsAre(3, 3, 0));
  ExpectBadField(
      ResolveRecordMap(std::vector<int>{5}, RecordSource::kInput, kShape, "record.").status(),
      "record.channel_map.channels[0]", "5", "1 to 4");
}

TEST(SpecCheckTest, RecordMapOfTheOutputHasTheOutputsChannels) {
  EXPECT_THAT(*ResolveRecordMap(std::nullopt, RecordSource::kOutput, kShape, ""),
              ElementsAre(0, 1));
  ExpectBadField(ResolveRecordMap(std::vector<int>{3}, RecordSource::kOutput, kShape, "").status(),
                 "channel_map.channels[0]", "3", "1 to 2");
}

TEST(SpecCheckTest, SourceThatTheStreamDoesNotHaveIsNamed) {
  ExpectBadField(ResolveRecordMap(std::nullopt, RecordSource::kInput, kNoInput, "p.").status(),
                 "p.source", "input", "output: the stream has no inputs");
  ExpectBadField(ResolveRecordMap(std::nullopt, RecordSource::kOutput, kNoOutput, "p.").status(),
                 "p.source", "output", "input: the stream has no outputs");
}

// --- Batches ---

ActionSpec Play(const std::string& key = "") {
  ActionSpec action;
  action.key = key;
  PlaySpec play;
  play.inline_channels = 2;
  play.inline_format = SampleFormat::kInt16;
  play.inline_data = std::string(4 * 10, '\0');
  action.what = play;
  return action;
}
ActionSpec Record(const std::string& key = "") {
  ActionSpec action;
  action.key = key;
  RecordSpec record;
  record.frames = 100;
  action.what = record;
  return action;
}
ActionSpec Cancel(const std::string& own_key, const std::string& key,
                  const std::string& action_id = "") {
  ActionSpec action;
  action.key = own_key;
  action.what = CancelSpec{.target = {.key = key, .action_id = action_id}};
  return action;
}
BatchSpec Batch(std::vector<ActionSpec> actions) {
  BatchSpec batch;
  batch.actions = std::move(actions);
  return batch;
}
absl::Status Check(const BatchSpec& batch, const StreamShape& shape = kShape) {
  return CheckBatch(batch, shape, Limits());
}
PlaySpec& PlayOf(ActionSpec* action) { return std::get<PlaySpec>(action->what); }
RecordSpec& RecordOf(ActionSpec* action) { return std::get<RecordSpec>(action->what); }

TEST(SpecCheckTest, BatchIsNotEmpty) { ExpectBadField(Check(Batch({})), "actions", "empty"); }

TEST(SpecCheckTest, BatchOfEveryKindIsGood) {
  ActionSpec stats;
  stats.what = StatsSpec{};
  const absl::Status status = Check(
      Batch({Play("p"), Record("r"), Cancel("", "p"), Cancel("c", "", "a-17"), stats, Play()}));
  EXPECT_TRUE(status.ok()) << status;
}

TEST(SpecCheckTest, BatchHasALimit) {
  Limits limits;
  limits.max_batch_actions = 2;
  EXPECT_TRUE(CheckBatch(Batch({Play(), Play()}), kShape, limits).ok());
  ExpectLimit(CheckBatch(Batch({Play(), Play(), Play()}), kShape, limits), "max_batch_actions", "3",
              "2");
}

TEST(SpecCheckTest, OriginIsAFrameOrATimeOfTheStream) {
  BatchSpec batch = Batch({Play()});
  batch.origin = int64_t{0};
  EXPECT_TRUE(Check(batch).ok());
  batch.origin = int64_t{-1};
  ExpectBadField(Check(batch), "origin_frame", "-1");
  batch.origin = kMaxStreamFrame;
  ExpectBadField(Check(batch), "origin_frame", std::to_string(kMaxStreamFrame));
  batch.origin = 1.5;
  EXPECT_TRUE(Check(batch).ok());
  batch.origin = -1.5;
  ExpectBadField(Check(batch), "origin_stream_time_seconds", "-1.5");
}

TEST(SpecCheckTest, KeysAreUniqueButMayBeEmpty) {
  EXPECT_TRUE(Check(Batch({Play(), Play()})).ok());
  ExpectBadField(Check(Batch({Play("x"), Record("y"), Play("x")})), "actions[2].key", "x",
                 "unique in the batch");
  ExpectBadField(Check(Batch({Play(), Play(std::string(200, 'x'))})), "actions[1].key",
                 "200 bytes long");
}

TEST(SpecCheckTest, RefusalNamesTheMember) {
  ActionSpec late = Record();
  late.start = Start(StartSpec::Kind::kFrame, -5);
  ExpectBadField(Check(Batch({Play(), late})), "actions[1].start.frame", "-5");
}

TEST(SpecCheckTest, PlayOfABufferIsCheckedForItsGainOnly) {
  ActionSpec play = Play();
  PlayOf(&play) = PlaySpec();
  PlayOf(&play).buffer_id = "b-1";
  EXPECT_TRUE(Check(Batch({play})).ok());
  PlayOf(&play).gain = kInf;
  ExpectBadField(Check(Batch({play})), "actions[0].play.gain", "inf");
}

TEST(SpecCheckTest, InlineAudioIsWholeFrames) {
  ActionSpec play = Play();
  PlayOf(&play).inline_data.clear();
  EXPECT_TRUE(Check(Batch({play})).ok()) << "a sound of no frames is a timer";
  PlayOf(&play).inline_data = std::string(4 * 10 + 2, '\0');
  ExpectBadField(Check(Batch({play})), "actions[0].play.inline_audio.data", "42 bytes",
                 "whole frames of 4 bytes");
  PlayOf(&play).inline_channels = 0;
  ExpectBadField(Check(Batch({play})), "actions[0].play.inline_audio.channels", "0");
}

TEST(SpecCheckTest, InlineAudioHasAMap) {
  ActionSpec play = Play();
  PlayOf(&play).channel_map = std::vector<int>{1, 9};
  ExpectBadField(Check(Batch({play})), "actions[0].play.channel_map.channels[1]", "9");
  EXPECT_FALSE(Check(Batch({Play()}), kNoOutput).ok());
}

TEST(SpecCheckTest, RecordingsLengthAndLabelAreBounded) {
  ActionSpec record = Record();
  RecordOf(&record).frames = 0;
  RecordOf(&record).label = std::string(200, 'l');
  EXPECT_TRUE(Check(Batch({record})).ok());
  RecordOf(&record).frames.reset();
  EXPECT_TRUE(Check(Batch({record})).ok());
  RecordOf(&record).label += 'l';
  ExpectBadField(Check(Batch({record})), "actions[0].record.label", "201 bytes long");
  RecordOf(&record).label.clear();
  RecordOf(&record).frames = -1;
  ExpectBadField(Check(Batch({record})), "actions[0].record.frames", "-1");
  RecordOf(&record).frames = kMaxStreamFrame;
  ExpectBadField(Check(Batch({record})), "actions[0].record.frames",
                 std::to_string(kMaxStreamFrame));
  ExpectBadField(Check(Batch({Record()}), kNoInput), "actions[0].record.source", "input");
}

TEST(SpecCheckTest, CancelNamesAnotherMemberOrAnAction) {
  EXPECT_TRUE(Check(Batch({Cancel("", "late"), Play("late")})).ok()) << "one that comes after it";
  ExpectBadField(Check(Batch({Cancel("", "")})), "actions[0].cancel.target", "absent");
  ExpectBadField(Check(Batch({Play("p"), Cancel("", "q")})), "actions[1].cancel.key", "q",
                 "the key of another member of the batch");
  ExpectBadField(Check(Batch({Cancel("self", "self")})), "actions[0].cancel.key", "self");
}

// --- Streams ---

PlayStreamSpec GoodPlayStream() {
  PlayStreamSpec spec;
  spec.channels = 2;
  spec.sample_format = SampleFormat::kInt16;
  return spec;
}
absl::Status Check(const PlayStreamSpec& spec, const StreamShape& shape = kShape) {
  return CheckPlayStream(spec, shape, Limits(), "play.");
}

TEST(SpecCheckTest, PlayStreamNamesItsFields) {
  EXPECT_TRUE(Check(GoodPlayStream()).ok());
  PlayStreamSpec spec = GoodPlayStream();
  spec.channels = 0;
  ExpectBadField(Check(spec), "play.channels", "0");
  spec = GoodPlayStream();
  spec.gain = kInf;
  ExpectBadField(Check(spec), "play.gain", "inf");
  spec = GoodPlayStream();
  spec.channel_map = std::vector<int>{3, 1};
  ExpectBadField(Check(spec), "play.channel_map.channels[0]", "3");
  spec = GoodPlayStream();
  spec.ring_frames = -1;
  ExpectBadField(Check(spec), "play.ring_frames", "-1");
  ExpectBadField(Check(GoodPlayStream(), kNoOutput), "play.channel_map", "a sound");
}

TEST(SpecCheckTest, PlayStreamHasNoOriginToBeOffsetFrom) {
  PlayStreamSpec spec = GoodPlayStream();
  spec.start = Start(StartSpec::Kind::kOffset, 1);
  ExpectBadField(Check(spec), "play.start.offset_frames", "1", "0");
  spec.start = Start(StartSpec::Kind::kFrame, 1);
  EXPECT_TRUE(Check(spec).ok());
  spec.start = Start(StartSpec::Kind::kFrame, -1);
  ExpectBadField(Check(spec), "play.start.frame", "-1");
}

TEST(SpecCheckTest, RingHasALimit) {
  PlayStreamSpec spec = GoodPlayStream();
  spec.ring_frames = Limits().max_ring_frames;
  EXPECT_TRUE(Check(spec).ok());
  ++spec.ring_frames;
  ExpectLimit(Check(spec), "max_ring_frames", std::to_string(spec.ring_frames),
              std::to_string(spec.ring_frames - 1));
}

absl::Status Check(const RecordStreamSpec& spec, const StreamShape& shape = kShape) {
  return CheckRecordStream(spec, shape, Limits(), "record.");
}
RecordStreamSpec GoodRecordStream() {
  RecordStreamSpec spec;
  spec.sample_format = SampleFormat::kInt24;
  return spec;
}

TEST(SpecCheckTest, RecordStreamNamesItsFields) {
  EXPECT_TRUE(Check(GoodRecordStream()).ok());
  RecordStreamSpec spec = GoodRecordStream();
  spec.start = Start(StartSpec::Kind::kOffset, 7);
  ExpectBadField(Check(spec), "record.start.offset_frames", "7");
  spec = GoodRecordStream();
  spec.frames = -1;
  ExpectBadField(Check(spec), "record.frames", "-1");
  spec = GoodRecordStream();
  spec.channel_map = std::vector<int>{};
  ExpectBadField(Check(spec), "record.channel_map.channels", "0 entries");
  spec = GoodRecordStream();
  spec.granted_position = -1;
  ExpectBadField(Check(spec), "record.granted_position", "-1");
  ExpectBadField(Check(GoodRecordStream(), kNoInput), "record.source", "input");
}

TEST(SpecCheckTest, ChunksHoldWhatAMessageMay) {
  RecordStreamSpec spec = GoodRecordStream();
  spec.channel_map = std::vector<int>{1, 2, 3};
  // 9 bytes a frame.
  const int most = Limits().max_chunk_bytes / 9;
  spec.chunk_frames = most;
  EXPECT_TRUE(Check(spec).ok());
  spec.chunk_frames = most + 1;
  ExpectBadField(Check(spec), "record.chunk_frames", std::to_string(most + 1),
                 "0 to " + std::to_string(most));
  spec.chunk_frames = -1;
  ExpectBadField(Check(spec), "record.chunk_frames", "-1");
}

}  // namespace
}  // namespace rtmixd
