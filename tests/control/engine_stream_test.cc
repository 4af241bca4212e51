#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

PlayStreamSpec Mono(int64_t ring_frames = 512, int64_t prebuffer_frames = 0) {
  PlayStreamSpec spec;
  spec.channels = 1;
  spec.ring_frames = ring_frames;
  spec.prebuffer_frames = prebuffer_frames;
  return spec;
}

class EngineStreamTest : public testing::Test {
 protected:
  EngineStreamTest() : session_(rig_.Session()) {}

  std::unique_ptr<PlayStream> Open(const PlayStreamSpec& spec) {
    auto stream = rig_.engine().OpenPlay(session_, spec, [this] { ++changes_; });
    EXPECT_TRUE(stream.ok()) << stream.status();
    return stream.ok() ? *std::move(stream) : nullptr;
  }
  std::unique_ptr<RecordStream> Open(const RecordStreamSpec& spec) {
    auto stream = rig_.engine().OpenRecord(session_, spec, [this] { ++changes_; });
    EXPECT_TRUE(stream.ok()) << stream.status();
    return stream.ok() ? *std::move(stream) : nullptr;
  }
  static absl::Status Push(PlayStream* stream, int64_t position, int64_t frames) {
    return stream->Push(position, TestBytes(1, 1, position, frames));
  }
  float Sent(int64_t frame) { return rig_.device().sent(0)[frame]; }
  // Sound 1 from `position` on at frames [begin, end).
  void ExpectSent(int64_t begin, int64_t end, int64_t position) {
    const std::vector<float> sent = rig_.device().sent(0);
    ASSERT_GE(static_cast<int64_t>(sent.size()), end);
    for (int64_t f = begin; f < end; ++f) {
      ASSERT_EQ(sent[f], TestSample(1, 0, position + f - begin)) << f;
    }
  }
  void ExpectSilence(int64_t begin, int64_t end) {
    const std::vector<float> sent = rig_.device().sent(0);
    ASSERT_GE(static_cast<int64_t>(sent.size()), end);
    for (int64_t f = begin; f < end; ++f) ASSERT_EQ(sent[f], 0.0f) << f;
  }

  EngineRig rig_;
  std::string session_;
  int changes_ = 0;
};

TEST_F(EngineStreamTest, StartsWhenThePrebufferIsThere) {
  auto stream = Open(Mono(512, 200));
  ASSERT_TRUE(Push(stream.get(), 0, 199).ok());
  rig_.Run(2);
  EXPECT_EQ(stream->Progress().start_frame, std::nullopt);
  ASSERT_TRUE(Push(stream.get(), 199, 1).ok());
  rig_.Run(3);
  EXPECT_EQ(stream->Progress().start_frame, 128);
  EXPECT_EQ(stream->Progress().played_position, 192);
  EXPECT_EQ(stream->Progress().granted_position, 192 + 512);
  EXPECT_EQ(stream->Progress().received_position, 200);
  EXPECT_GT(changes_, 0);
  ASSERT_TRUE(stream->EndOfSound().ok());
  EXPECT_EQ(ReasonOf(Push(stream.get(), 200, 1)), ErrorReason::kOutOfOrder);
  rig_.Finish(session_);
  ExpectSilence(0, 128);
  ExpectSent(128, 328, 0);
  ExpectSilence(328, 500);
  const std::optional<ActionReport> report = stream->FinalReport();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->kind, ActionKind::kPlayStream);
  EXPECT_EQ(report->end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(report->done_frames, 200);
  EXPECT_EQ(report->end_frame, 328);
  EXPECT_EQ(report->gap_count, 0);
}

TEST_F(EngineStreamTest, WhatIsShorterThanThePrebufferSoundsAtItsEndOrIdle) {
  auto stream = Open(Mono(512, 200));
  ASSERT_TRUE(Push(stream.get(), 0, 50).ok());
  ASSERT_TRUE(stream->Idle().ok());
  rig_.Run(4);
  ExpectSent(0, 50, 0);
  ASSERT_TRUE(Push(stream.get(), 50, 30).ok());
  ASSERT_TRUE(stream->EndOfSound().ok());
  rig_.Finish(session_);
  ExpectSilence(50, 256);
  ExpectSent(256, 286, 50);
  EXPECT_EQ(stream->FinalReport()->underruns, 0);
}

TEST_F(EngineStreamTest, CreditIsKeptToTheFrame) {
  auto stream = Open(Mono(500, 500));
  EXPECT_EQ(stream->Progress().granted_position, 500);
  ASSERT_TRUE(Push(stream.get(), 0, 300).ok());
  absl::Status status = Push(stream.get(), 300, 201);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kCreditExceeded);
  EXPECT_EQ(LimitOf(status), "500");
  ASSERT_TRUE(Push(stream.get(), 300, 200).ok());
  rig_.Run(1);
  EXPECT_EQ(stream->Progress().granted_position, 564);
  EXPECT_EQ(ReasonOf(Push(stream.get(), 500, 65)), ErrorReason::kCreditExceeded);
  ASSERT_TRUE(Push(stream.get(), 500, 64).ok());
  ASSERT_TRUE(stream->EndOfSound().ok());
  rig_.Finish(session_);
  ExpectSent(0, 564, 0);
}

TEST_F(EngineStreamTest, BadChunksAreNamedAndChangeNothing) {
  auto stream = Open(Mono());
  EXPECT_EQ(ReasonOf(Push(stream.get(), 1, 10)), ErrorReason::kBadPosition);
  EXPECT_EQ(FieldOf(stream->Push(0, "123")), "data");
  EXPECT_EQ(FieldOf(stream->Push(0, std::string((1 << 20) + 4, '\0'))), "max_chunk_bytes");
  EXPECT_EQ(FieldOf(stream->Push(0, FloatBytes({1, std::numeric_limits<float>::infinity()}))),
            "data");
  ASSERT_TRUE(Push(stream.get(), 0, 10).ok());
  EXPECT_EQ(LimitOf(Push(stream.get(), 0, 10)), "10");
  ASSERT_TRUE(stream->EndOfSound().ok());
  rig_.Finish(session_);
  EXPECT_EQ(stream->FinalReport()->done_frames, 10);
}

TEST_F(EngineStreamTest, UnderrunPoliciesHold) {
  for (const UnderrunPolicy policy :
       {UnderrunPolicy::kEnd, UnderrunPolicy::kSilence, UnderrunPolicy::kKeepTimeline}) {
    const int64_t begin = rig_.next_frame();
    PlayStreamSpec spec = Mono();
    spec.underrun_policy = policy;
    auto stream = Open(spec);
    ASSERT_TRUE(Push(stream.get(), 0, 100).ok());
    rig_.Run(3);  // dry after 100 of 192 frames
    ASSERT_TRUE(Push(stream.get(), 100, 200).ok());
    ASSERT_TRUE(stream->EndOfSound().ok());
    rig_.Finish(session_);
    ExpectSent(begin, begin + 100, 0);
    ExpectSilence(begin + 100, begin + 192);
    const ActionReport report = *stream->FinalReport();
    if (policy == UnderrunPolicy::kEnd) {
      EXPECT_EQ(report.end_reason, ActionEnd::kUnderrun);
      EXPECT_EQ(report.end_frame, begin + 100);
      ExpectSilence(begin + 192, begin + 500);
      continue;
    }
    EXPECT_EQ(report.underruns, 1);
    ASSERT_EQ(report.gaps.size(), 1u);
    EXPECT_EQ(report.gaps[0].position, 100);
    EXPECT_EQ(report.gaps[0].frame, begin + 100);
    EXPECT_EQ(report.gaps[0].frames, 92);
    if (policy == UnderrunPolicy::kSilence) {
      ExpectSent(begin + 192, begin + 392, 100);
      EXPECT_EQ(report.done_frames, 300);
      EXPECT_EQ(report.dropped_frames, 0);
    } else {
      ExpectSent(begin + 192, begin + 300, 192);
      EXPECT_EQ(report.done_frames, 208);
      EXPECT_EQ(report.dropped_frames, 92);
    }
  }
  EXPECT_EQ(rig_.CountEvents(EventKind::kUnderrun), 2);
}

TEST_F(EngineStreamTest, FlushDropsWhatHasNotSounded) {
  auto stream = Open(Mono(512, 400));
  ASSERT_TRUE(Push(stream.get(), 0, 400).ok());
  rig_.Run(1);
  ASSERT_TRUE(stream->Flush().ok());
  ASSERT_TRUE(Push(stream.get(), 400, 100).ok());
  ASSERT_TRUE(stream->EndOfSound().ok());
  rig_.Finish(session_);
  ExpectSent(0, 64, 0);
  ExpectSent(64, 164, 400);
  EXPECT_EQ(stream->FinalReport()->dropped_frames, 336);
  EXPECT_EQ(stream->FinalReport()->done_frames, 164);
}

TEST_F(EngineStreamTest, AFlushedPrebufferDoesNotStarveItself) {
  auto stream = Open(Mono(100, 100));
  ASSERT_TRUE(Push(stream.get(), 0, 60).ok());
  ASSERT_TRUE(stream->Flush().ok());
  ASSERT_TRUE(Push(stream.get(), 60, 40).ok());  // all that was granted
  rig_.Run(1);
  ExpectSent(0, 40, 60);
}

TEST_F(EngineStreamTest, AStartAtAFrameIsExact) {
  PlayStreamSpec spec = Mono();
  spec.start = AtFrame(333);
  auto stream = Open(spec);
  ASSERT_TRUE(Push(stream.get(), 0, 300).ok());
  ASSERT_TRUE(stream->EndOfSound().ok());
  rig_.Finish(session_);
  ExpectSilence(0, 333);
  ExpectSent(333, 633, 0);
}

TEST_F(EngineStreamTest, ABrokenCallEndsItsAction) {
  auto stream = Open(Mono());
  const std::string id = stream->action_id();
  ASSERT_TRUE(Push(stream.get(), 0, 500).ok());
  rig_.Run(2);
  stream = nullptr;
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, id).end_reason, ActionEnd::kDisconnected);
  rig_.Run(5);
  ExpectSent(0, 128, 0);
  ExpectSilence(128, 300);
}

TEST_F(EngineStreamTest, ACompleteSoundPlaysOutWithoutItsCall) {
  auto stream = Open(Mono());
  const std::string id = stream->action_id();
  ASSERT_TRUE(Push(stream.get(), 0, 500).ok());
  ASSERT_TRUE(stream->EndOfSound().ok());
  stream = nullptr;
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, id).end_reason, ActionEnd::kCompleted);
  ExpectSent(0, 500, 0);
}

TEST_F(EngineStreamTest, ACancelledStreamTakesAndDropsWhatStillComes) {
  auto stream = Open(Mono());
  ASSERT_TRUE(Push(stream.get(), 0, 500).ok());
  rig_.Run(1);
  rig_.engine().CancelActions(session_, {stream->action_id()}, false, 100, {}).IgnoreError();
  rig_.Run(2);
  EXPECT_TRUE(Push(stream.get(), 500, 400).ok());
  EXPECT_TRUE(Push(stream.get(), 900, 400).ok());
  rig_.Finish(session_);
  EXPECT_EQ(stream->FinalReport()->end_reason, ActionEnd::kCancelled);
  EXPECT_EQ(stream->FinalReport()->done_frames, 100);
  ExpectSent(0, 100, 0);
  ExpectSilence(100, 200);
}

TEST_F(EngineStreamTest, AnotherCallTakesAPlayOver) {
  PlayStreamSpec spec = Mono();
  spec.reattachable = true;
  auto stream = Open(spec);
  const std::string id = stream->action_id();
  ASSERT_TRUE(Push(stream.get(), 0, 300).ok());
  rig_.Run(1);
  PlayStreamSpec again;
  again.reattach_action_id = id;
  EXPECT_EQ(ReasonOf(rig_.engine().OpenPlay(session_, again, [] {}).status()),
            ErrorReason::kWrongState);
  stream = nullptr;
  rig_.Run(1);
  EXPECT_EQ(rig_.CountEvents(EventKind::kCallDetached), 1);
  stream = Open(again);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(rig_.CountEvents(EventKind::kCallReattached), 1);
  EXPECT_EQ(stream->action_id(), id);
  EXPECT_EQ(stream->Progress().received_position, 300);
  ASSERT_TRUE(Push(stream.get(), 300, 200).ok());
  ASSERT_TRUE(stream->EndOfSound().ok());
  rig_.Finish(session_);
  ExpectSent(0, 500, 0);
  EXPECT_EQ(stream->FinalReport()->gap_count, 0);
}

TEST_F(EngineStreamTest, ARingIsItsSessionsMemoryUntilItsActionHasEnded) {
  const auto bytes = [&] { return rig_.engine().GetSession(session_)->buffer_bytes; };
  auto completed = Open(Mono(1000));
  const int64_t one = bytes();
  EXPECT_GE(one, 1024 * 4);
  EXPECT_LT(one, 2 * 1024 * 4);
  PlayStreamSpec wide = Mono(1000);
  wide.channels = 2;
  auto never_handed_over = Open(wide);
  EXPECT_EQ(bytes(), 3 * one);
  wide.start = AtFrame(100000);
  auto cancelled = Open(wide);
  EXPECT_EQ(bytes(), 5 * one);

  ASSERT_TRUE(Push(completed.get(), 0, 100).ok());
  ASSERT_TRUE(completed->EndOfSound().ok());
  rig_.Run(4);
  EXPECT_EQ(bytes(), 4 * one);
  EXPECT_EQ(completed->Progress().received_position, 100);
  EXPECT_EQ(completed->Progress().played_position, 100);
  rig_.engine()
      .CancelActions(session_, {never_handed_over->action_id(), cancelled->action_id()}, false,
                     std::nullopt, {})
      .IgnoreError();
  rig_.Run(1);
  EXPECT_EQ(bytes(), 0);
  EXPECT_TRUE(cancelled->Push(0, TestBytes(1, 2, 0, 10)).ok());
  EXPECT_TRUE(cancelled->Flush().ok());
  EXPECT_TRUE(cancelled->EndOfSound().ok());
}

TEST_F(EngineStreamTest, RingsAreLimitedByTheBytesOfASessionAndOfAll) {
  constexpr int64_t kRingBytes = 4096 * 4;
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.limits.max_buffer_bytes_per_session = 2 * kRingBytes;
  options.limits.max_buffer_bytes = 3 * kRingBytes;
  EngineRig rig(options);
  const std::string first = rig.Session();
  const std::string second = rig.Session();
  const auto open = [&](const std::string& session) {
    return rig.engine().OpenPlay(session, Mono(4000), [] {});
  };
  auto one = open(first);
  ASSERT_TRUE(one.ok()) << one.status();
  absl::Status refused = open(first).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), ErrorReason::kLimitExceeded);
  EXPECT_EQ(FieldOf(refused), "max_buffer_bytes_per_session");
  auto two = open(second);
  ASSERT_TRUE(two.ok()) << two.status();
  const std::string third = rig.Session();
  EXPECT_EQ(FieldOf(open(third).status()), "max_buffer_bytes");
  RecordStreamSpec record;
  EXPECT_EQ(FieldOf(rig.engine().OpenDuplex(third, Mono(4000), record, false, [] {}).status()),
            "max_buffer_bytes");
  EXPECT_EQ(rig.engine().ListActions(first, false)->size(), 1u);
  EXPECT_TRUE(rig.engine().ListActions(third, false)->empty());
  // The call goes, and with it the action and its ring.
  *one = nullptr;
  rig.Run(2);
  EXPECT_EQ(rig.engine().GetSession(first)->buffer_bytes, 0);
  EXPECT_TRUE(open(first).ok());
}

TEST_F(EngineStreamTest, BadPlaySpecsAreNamed) {
  const auto field = [&](const PlayStreamSpec& spec) {
    return FieldOf(rig_.engine().OpenPlay(session_, spec, [] {}).status());
  };
  PlayStreamSpec spec = Mono();
  spec.channels = 0;
  EXPECT_EQ(field(spec), "channels");
  spec.channels = 3;
  EXPECT_EQ(field(spec), "channel_map");
  spec = Mono();
  spec.start.frames = 1;
  EXPECT_EQ(field(spec), "start.offset_frames");
  spec = Mono();
  spec.gain = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(field(spec), "gain");
  EXPECT_EQ(field(Mono(-1)), "ring_frames");
  EXPECT_EQ(field(Mono(1 << 21)), "max_ring_frames");
  EXPECT_EQ(field(Mono(100, 101)), "prebuffer_frames");
  spec = Mono();
  spec.reattach_action_id = "a-99";
  EXPECT_EQ(field(spec), "reattach_action_id");
  EXPECT_TRUE(rig_.engine().ListActions(session_, false)->empty());
}

// --- Recordings ---

class EngineRecordStreamTest : public EngineStreamTest {
 protected:
  EngineRecordStreamTest() {
    rig_.device().SetInput([](int c, int64_t f) { return TestSample(2, c, f); });
  }

  static RecordStreamSpec Left(int64_t granted, int chunk_frames = 100) {
    RecordStreamSpec spec;
    spec.channel_map = std::vector<int>{1};
    spec.granted_position = granted;
    spec.chunk_frames = chunk_frames;
    return spec;
  }
  // Reads what is there; chunks have to be the input from `start` on.
  std::vector<RecordStream::Item> ReadAll(RecordStream* stream, int64_t start) {
    std::vector<RecordStream::Item> items;
    while (true) {
      RecordStream::Item item = stream->Read();
      if (std::holds_alternative<RecordStream::Nothing>(item)) return items;
      if (const auto* chunk = std::get_if<RecordStream::Chunk>(&item)) {
        EXPECT_EQ(chunk->position, position_);
        for (const float sample : Floats(chunk->bytes)) {
          EXPECT_EQ(sample, TestSample(2, 0, start + position_));
          ++position_;
        }
      } else if (const auto* gap = std::get_if<GapInfo>(&item)) {
        EXPECT_EQ(gap->position, position_);
        position_ += gap->frames;
      }
      items.push_back(item);
      if (std::holds_alternative<RecordStream::Ended>(item)) return items;
    }
  }

  int64_t position_ = 0;
};

TEST_F(EngineRecordStreamTest, NothingComesBeyondWhatWasGranted) {
  rig_.Run(1);
  auto stream = Open(Left(150));
  rig_.Run(10);
  EXPECT_EQ(ReadAll(stream.get(), 64).size(), 2u);
  EXPECT_EQ(position_, 150);
  EXPECT_EQ(stream->Progress().recorded_position, 640);
  EXPECT_EQ(stream->Progress().sent_position, 150);
  EXPECT_EQ(stream->Progress().start_frame, 64);
  EXPECT_EQ(ReasonOf(stream->Grant(149)), ErrorReason::kBadPosition);
  ASSERT_TRUE(stream->Grant(600).ok());
  EXPECT_EQ(ReadAll(stream.get(), 64).size(), 5u);  // four whole chunks and what was granted last
  EXPECT_EQ(position_, 600);
}

TEST_F(EngineRecordStreamTest, AWholeRecordingWaitsForItsReader) {
  RecordStreamSpec spec = Left(100);
  spec.frames = 500;
  auto stream = Open(spec);
  rig_.Run(20);
  ReadAll(stream.get(), 0);
  EXPECT_EQ(position_, 100);
  EXPECT_EQ(rig_.Report(session_, stream->action_id()).state, ActionState::kActive);
  ASSERT_TRUE(stream->Grant(1000).ok());
  ReadAll(stream.get(), 0);
  EXPECT_EQ(position_, 500);
  rig_.Finish(session_);
  const auto items = ReadAll(stream.get(), 0);
  ASSERT_EQ(items.size(), 1u);
  const ActionReport report = std::get<RecordStream::Ended>(items[0]).report;
  EXPECT_EQ(report.end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(report.done_frames, 500);
  EXPECT_EQ(report.end_frame, 500);
}

TEST_F(EngineRecordStreamTest, AStopAtAFrameIsExact) {
  auto stream = Open(Left(100000));
  ASSERT_TRUE(stream->Stop(333).ok());
  EXPECT_EQ(FieldOf(stream->Stop(-1)), "frame");
  for (int i = 0; i < 10; ++i) {
    rig_.Run(1);
    ReadAll(stream.get(), 0);
  }
  EXPECT_EQ(position_, 333);
  rig_.Finish(session_);
  EXPECT_TRUE(std::holds_alternative<RecordStream::Ended>(stream->Read()));
}

TEST_F(EngineRecordStreamTest, AStopAtAPastFrameEndsItNow) {
  auto stream = Open(Left(100000, 64));
  rig_.Run(10);
  ReadAll(stream.get(), 0);
  EXPECT_EQ(position_, 640);
  ASSERT_TRUE(stream->Stop(100).ok());
  rig_.Run(1);
  ReadAll(stream.get(), 0);
  EXPECT_EQ(position_, 640);
  rig_.Finish(session_);
  const auto last = stream->Read();
  ASSERT_TRUE(std::holds_alternative<RecordStream::Ended>(last));
  const ActionReport& report = std::get<RecordStream::Ended>(last).report;
  EXPECT_EQ(report.end_reason, ActionEnd::kCancelled);
  EXPECT_EQ(report.done_frames, 640);
}

TEST_F(EngineRecordStreamTest, AReaderThatIsOvertakenFindsAGap) {
  RecordStreamSpec spec = Left(0, 480);
  spec.grant_all = true;
  auto stream = Open(spec);
  rig_.Run(2);
  ReadAll(stream.get(), 0);
  rig_.Run(1500);
  const auto items = ReadAll(stream.get(), 0);
  int gaps = 0;
  for (const auto& item : items) gaps += std::holds_alternative<GapInfo>(item) ? 1 : 0;
  EXPECT_EQ(gaps, 1);
  EXPECT_GT(position_, 1500 * 64 - 480);
  EXPECT_EQ(rig_.Report(session_, stream->action_id()).gap_count, 1);
}

TEST_F(EngineRecordStreamTest, TheOldestFrameDoesNotWaitForAWholeChunk) {
  auto stream = Open(Left(1 << 20, 40000));
  rig_.Run(1);
  EXPECT_TRUE(ReadAll(stream.get(), 0).empty());
  const int changes = changes_;
  rig_.Run(400);  // 0.53 s
  EXPECT_GT(changes_, changes);
  EXPECT_EQ(ReadAll(stream.get(), 0).size(), 1u);
  EXPECT_GT(position_, 0);
}

TEST_F(EngineRecordStreamTest, AnotherCallHasEveryFrame) {
  RecordStreamSpec spec = Left(1 << 20);
  spec.reattachable = true;
  auto stream = Open(spec);
  rig_.Run(10);
  ReadAll(stream.get(), 0);
  EXPECT_EQ(position_, 600);
  const std::string id = stream->action_id();
  stream = nullptr;
  rig_.Run(50);
  EXPECT_EQ(rig_.Report(session_, id).state, ActionState::kActive);
  RecordStreamSpec again = Left(1 << 20);
  again.reattach_action_id = id;
  again.resume_position = 601;
  EXPECT_EQ(FieldOf(rig_.engine().OpenRecord(session_, again, [] {}).status()), "resume_position");
  again.resume_position = 437;  // what came after was lost on its way
  stream = Open(again);
  EXPECT_EQ(stream->next_position(), 437);
  position_ = 437;
  for (const auto& item : ReadAll(stream.get(), 0)) {
    EXPECT_TRUE(std::holds_alternative<RecordStream::Chunk>(item));
  }
  EXPECT_GT(position_, 3700);
}

TEST_F(EngineRecordStreamTest, WhatWasLostOnItsWayComesAgainAfterTheEnd) {
  RecordStreamSpec spec = Left(1 << 20);
  spec.frames = 500;
  spec.reattachable = true;
  auto stream = Open(spec);
  rig_.Run(20);
  ReadAll(stream.get(), 0);
  EXPECT_EQ(position_, 500);
  const std::string id = stream->action_id();
  stream = nullptr;
  rig_.Run(100);
  RecordStreamSpec again = Left(400);
  again.reattach_action_id = id;
  again.resume_position = 501;
  EXPECT_EQ(FieldOf(rig_.engine().OpenRecord(session_, again, [] {}).status()), "resume_position");
  again.resume_position = 300;
  stream = Open(again);
  ASSERT_NE(stream, nullptr);
  position_ = 300;
  const auto first = ReadAll(stream.get(), 0);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<RecordStream::Chunk>(first[0]));
  EXPECT_EQ(position_, 400);
  EXPECT_TRUE(std::holds_alternative<RecordStream::Nothing>(stream->Read()));
  const int changes = changes_;
  ASSERT_TRUE(stream->Grant(1000).ok());
  EXPECT_GT(changes_, changes);
  stream = nullptr;  // breaks off once more
  rig_.Run(3000);
  // By now the history has lost it.
  RecordStreamSpec late = Left(1000);
  late.reattach_action_id = id;
  late.resume_position = 400;
  stream = Open(late);
  ASSERT_NE(stream, nullptr);
  position_ = 400;
  const auto items = ReadAll(stream.get(), 0);
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(std::get<GapInfo>(items[0]).frames, 100);
  const ActionReport report = std::get<RecordStream::Ended>(items[1]).report;
  EXPECT_EQ(report.end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(report.done_frames, 500);
  EXPECT_EQ(report.gap_frames, 100);
  EXPECT_EQ(rig_.Report(session_, id).gap_frames, 100);
  EXPECT_EQ(rig_.CountEvents(EventKind::kOverrun), 1);
}

TEST_F(EngineRecordStreamTest, AStopWithoutACallLeavesWhatWasNotRead) {
  RecordStreamSpec spec = Left(600);
  spec.reattachable = true;
  auto stream = Open(spec);
  rig_.Run(10);
  ReadAll(stream.get(), 0);
  EXPECT_EQ(position_, 600);
  const std::string id = stream->action_id();
  stream = nullptr;
  ASSERT_TRUE(rig_.engine().CancelActions(session_, {id}, false, 1000, {}).ok());
  rig_.Run(20);
  RecordStreamSpec again = Left(1 << 20);
  again.reattach_action_id = id;
  again.resume_position = 437;
  stream = Open(again);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(ReasonOf(rig_.engine().OpenRecord(session_, again, [] {}).status()),
            ErrorReason::kWrongState);
  EXPECT_EQ(stream->Progress().end_position, 1000);
  position_ = 437;
  ReadAll(stream.get(), 0);
  EXPECT_EQ(position_, 1000);
  rig_.Run(3000);
  const auto items = ReadAll(stream.get(), 0);
  ASSERT_EQ(items.size(), 1u);
  const ActionReport report = std::get<RecordStream::Ended>(items[0]).report;
  EXPECT_EQ(report.end_reason, ActionEnd::kCancelled);
  EXPECT_EQ(report.end_frame, 1000);
  EXPECT_EQ(report.done_frames, 1000);
  EXPECT_EQ(report.gap_count, 0);
}

TEST_F(EngineRecordStreamTest, OnlyAReattachableRecordingOfTheOpenStreamIsKeptAfterItsEnd) {
  RecordStreamSpec spec = Left(1 << 20);
  spec.frames = 100;
  spec.reattachable = true;
  auto kept = Open(spec);
  spec.reattachable = false;
  auto forgotten = Open(spec);
  rig_.Run(10);
  ReadAll(kept.get(), 0);
  position_ = 0;
  ReadAll(forgotten.get(), 0);
  const std::string kept_id = kept->action_id();
  const std::string forgotten_id = forgotten->action_id();
  kept = nullptr;
  forgotten = nullptr;
  rig_.Finish(session_);
  rig_.Run(3000);
  const auto reason = [&](const std::string& id) {
    RecordStreamSpec again = Left(100);
    again.reattach_action_id = id;
    return ReasonOf(rig_.engine().OpenRecord(session_, again, [] {}).status());
  };
  EXPECT_EQ(reason(forgotten_id), ErrorReason::kWrongState);
  rig_.engine().CloseStream(session_, [](const absl::StatusOr<StreamStatus>&) {});
  EXPECT_EQ(rig_.engine().GetStream().state, StreamState::kClosed);
  EXPECT_EQ(reason(kept_id), ErrorReason::kWrongState);
  EXPECT_EQ(rig_.Report(session_, kept_id).end_reason, ActionEnd::kCompleted);
}

TEST_F(EngineStreamTest, AnotherCallGetsTheReportOfAPlayThatHasEnded) {
  PlayStreamSpec spec = Mono();
  spec.reattachable = true;
  auto stream = Open(spec);
  const std::string id = stream->action_id();
  ASSERT_TRUE(Push(stream.get(), 0, 300).ok());
  ASSERT_TRUE(stream->EndOfSound().ok());
  stream = nullptr;
  rig_.Finish(session_);
  rig_.Run(3000);
  PlayStreamSpec again;
  again.reattach_action_id = id;
  stream = Open(again);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->Progress().received_position, 300);
  EXPECT_EQ(stream->Progress().played_position, 300);
  ASSERT_TRUE(stream->FinalReport().has_value());
  EXPECT_EQ(stream->FinalReport()->end_reason, ActionEnd::kCompleted);
}

TEST_F(EngineRecordStreamTest, ADetachedRecordingEndsWithItsSession) {
  RecordStreamSpec spec = Left(1 << 20);
  spec.reattachable = true;
  auto stream = Open(spec);
  rig_.Run(10);
  stream = nullptr;
  ASSERT_TRUE(rig_.engine().EndSession(session_).ok());
  rig_.Run(2);
  const auto ended = rig_.Events(EventKind::kActionEnded);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].end_reason, ActionEnd::kDisconnected);
}

TEST_F(EngineRecordStreamTest, DuplexStartsBothTogether) {
  rig_.device().SetInput(nullptr);
  PlayStreamSpec play = Mono(512, 100);
  RecordStreamSpec record = Left(1 << 20);
  auto duplex = rig_.engine().OpenDuplex(session_, play, record, false, [this] { ++changes_; });
  ASSERT_TRUE(duplex.ok()) << duplex.status();
  rig_.Run(3);
  EXPECT_EQ(duplex->record->Progress().start_frame, std::nullopt);
  ASSERT_TRUE(Push(duplex->play.get(), 0, 300).ok());
  ASSERT_TRUE(duplex->play->EndOfSound().ok());
  rig_.Run(20);
  EXPECT_EQ(duplex->play->Progress().start_frame, 192);
  EXPECT_EQ(duplex->record->Progress().start_frame, 192);
  std::vector<float> recorded;
  while (true) {
    RecordStream::Item item = duplex->record->Read();
    const auto* chunk = std::get_if<RecordStream::Chunk>(&item);
    if (chunk == nullptr) break;
    const std::vector<float> samples = Floats(chunk->bytes);
    recorded.insert(recorded.end(), samples.begin(), samples.end());
  }
  ASSERT_GT(recorded.size(), 800u);
  for (int64_t f = 0; f < 800; ++f) {
    const int64_t p = f - EngineRig::kCableFrames;
    ASSERT_EQ(recorded[f], p >= 0 && p < 300 ? TestSample(1, 0, p) : 0.0f) << f;
  }
  ASSERT_TRUE(duplex->record->Stop(std::nullopt).ok());
}

TEST_F(EngineRecordStreamTest, DuplexAdmitsBothOrNone) {
  RecordStreamSpec record = Left(0);
  record.chunk_frames = -1;
  auto duplex = rig_.engine().OpenDuplex(session_, Mono(), record, false, [] {});
  EXPECT_EQ(FieldOf(duplex.status()), "record.chunk_frames");
  EXPECT_TRUE(rig_.engine().ListActions(session_, false)->empty());
}

TEST_F(EngineRecordStreamTest, StreamsAreLimited) {
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.limits.max_audio_streams = 1;
  EngineRig rig(options);
  const std::string session = rig.Session();
  auto first = rig.engine().OpenPlay(session, Mono(), [] {});
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(FieldOf(rig.engine().OpenRecord(session, Left(0), [] {}).status()),
            "max_audio_streams");
  *first = nullptr;
  EXPECT_TRUE(rig.engine().OpenRecord(session, Left(0), [] {}).ok());
}

// Before its call has anything of it.
TEST_F(EngineStreamTest, RecordStreamOfNoFramesEndsWhileItIsAdmitted) {
  rig_.Run(10);
  for (const bool reattachable : {false, true}) {
    RecordStreamSpec spec;
    spec.frames = 0;
    spec.reattachable = reattachable;
    auto stream = Open(spec);
    ASSERT_NE(stream, nullptr);
    const RecordStream::Item item = stream->Read();
    const auto* const ended = std::get_if<RecordStream::Ended>(&item);
    ASSERT_TRUE(ended != nullptr);
    EXPECT_EQ(ended->report.end_reason, ActionEnd::kCompleted);
    EXPECT_EQ(ended->report.done_frames, 0);
  }
}

}  // namespace
}  // namespace rtmixd
