// Ten thousand plays and records, asked for at random through the control layer on a stepped device
// whose stamps are off: by frame, by stream time and from an origin, in time and too late, cut by
// cancels of all kinds. What is sent must be the mix that another algorithm computes from what was
// asked for (reference_mix.h), bit by bit; each recording must be what was sent, or what came in,
// on the frames that its report tells; and each report must tell what had to become of its action.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"
#include "tests/control/reference_recording.h"
#include "tests/device/stepped_device.h"
#include "tests/mixer/reference_mix.h"
#include "tests/support/dice.h"

namespace rtmixd {
namespace {

constexpr int kInputs = 3;
constexpr int kOutputs = 4;
constexpr int kCabled = 2;  // outputs that come back at the inputs of their numbers
constexpr double kRateHz = 48000;
constexpr int64_t kHistoryFrames = 4800;
// A record that is to start longer ago may find the history overwritten before it is copied.
constexpr int64_t kSafeHistoryFrames = kHistoryFrames - 300;
constexpr int64_t kInputLatency = EngineRig::kInputLatencyFrames;
constexpr int64_t kOutputLatency = EngineRig::kOutputLatencyFrames;
constexpr int64_t kBufferFrames = 1500;
constexpr int kBufferSound = 20000;  // the sound in the buffer of n channels is this + n

float InputSample(int channel, int64_t frame) { return TestSample(9999, channel, frame); }

void ExpectSame(const std::vector<float>& actual, const std::vector<float>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(actual[i]), std::bit_cast<uint32_t>(expected[i]))
        << "sample " << i << ": " << actual[i] << " is not " << expected[i];
  }
}

struct Record {
  RecordSource source = RecordSource::kInput;
  std::vector<int> channels;  // from 0
  std::optional<int64_t> total_frames;
  LatePolicy late_policy = LatePolicy::kPlay;
  bool beyond_history = false;  // perhaps
  std::optional<ReferenceRecording> reference;
};

struct Cancel {
  size_t target = 0;  // index of an item
  bool skipped = false;
};

// An action. Plays are followed by the reference mix.
struct Item {
  std::string id;  // once it is known
  int64_t asked_frame = 0;
  ActionSpec spec;
  std::variant<SoundScript, Record, Cancel> what;

  SoundScript* script() { return std::get_if<SoundScript>(&what); }
  Record* record() { return std::get_if<Record>(&what); }
  Cancel* cancel() { return std::get_if<Cancel>(&what); }
};

// How many plays and records there were, and that they were not all the same.
struct Tally {
  int plays = 0;
  int records = 0;
  int late = 0;
  int skipped = 0;
  int cut = 0;
  int never_begun = 0;
  int64_t clipped_samples = 0;
};

class RandomRun {
 public:
  RandomRun(uint64_t seed, Tally* tally) : dice_(seed), rig_(Options()), tally_(*tally) {
    session_ = rig_.Session();
    StreamSettings settings = EngineRig::Settings();
    settings.input.channels = kInputs;
    settings.output.channels = kOutputs;
    absl::Status status;
    const auto note = [&status](const absl::StatusOr<StreamStatus>& answer) {
      status.Update(answer.status());
    };
    rig_.engine().OpenStream(session_, settings, note);
    rig_.engine().StartStream(session_, note);
    EXPECT_TRUE(status.ok()) << status;
    rig_.device().SetInput(InputSample);
    for (int channels = 1; channels <= kOutputs; ++channels) Upload(channels);
  }

  void Run(size_t actions) {
    while (items_.size() < actions && !testing::Test::HasFailure()) {
      if (dice_.OneIn(3)) Schedule();
      if (dice_.OneIn(8)) CancelOne();
      Step();
    }
    for (Item& item : items_) {
      if (item.record() == nullptr || item.record()->total_frames.has_value()) continue;
      Cancel(&item, std::nullopt);  // it would go on for ever
    }
    for (int i = 0; i < 1000 && !AllDone(); ++i) Step();
    EXPECT_TRUE(AllDone());
  }

  void Check() {
    std::vector<SoundScript> scripts;
    for (Item& item : items_) {
      if (item.script() != nullptr) scripts.push_back(*item.script());
    }
    const std::vector<PredictedSound> predicted = PredictSounds(scripts, blocks_);
    const ReferenceOutput output = SumSounds(scripts, predicted, {}, blocks_, kOutputs);
    const StreamStatsInfo stats = *rig_.engine().GetStats("", /*reset_baseline=*/false);
    for (int c = 0; c < kOutputs; ++c) {
      ExpectSame(rig_.device().sent(c), output.channels[c]);
      EXPECT_EQ(stats.clipped_samples[c], static_cast<int64_t>(output.clipped_samples[c]));
      tally_.clipped_samples += stats.clipped_samples[c];
    }
    size_t plays = 0;
    for (Item& item : items_) {
      SCOPED_TRACE(item.id);
      const ActionReport report = rig_.Report(session_, item.id);
      EXPECT_EQ(report.requested_start_frame, item.asked_frame);
      if (item.script() != nullptr) CheckPlay(report, predicted[plays++]);
      if (item.record() != nullptr) CheckRecord(report, item.asked_frame, *item.record(), output);
      if (item.cancel() != nullptr) {
        EXPECT_EQ(report.end_reason,
                  item.cancel()->skipped ? ActionEnd::kSkipped : ActionEnd::kCompleted);
      }
    }
  }

 private:
  static EngineRig::Options Options() {
    EngineRig::Options options = EngineRig::DefaultOptions();
    options.open = false;
    options.limits.history = absl::Seconds(static_cast<double>(kHistoryFrames) / kRateHz);
    options.device.max_input_channels = kInputs;
    options.device.max_output_channels = kOutputs;
    options.device.max_block_frames = 256;
    options.device.routes.resize(kCabled);
    return options;
  }

  void Upload(int channels) {
    const auto buffer = rig_.engine().CreateBuffer(
        session_, {.channels = channels, .sample_rate_hz = kRateHz, .label = {}, .request_id = {}});
    ASSERT_TRUE(buffer.ok()) << buffer.status();
    const auto upload = rig_.engine().OpenUpload(session_, buffer->buffer_id);
    ASSERT_TRUE(upload.ok()) << upload.status();
    const std::string bytes = TestBytes(kBufferSound + channels, channels, 0, kBufferFrames);
    ASSERT_TRUE((*upload)->Append(0, SampleFormat::kFloat32, bytes).ok());
    ASSERT_TRUE((*upload)->Complete().ok());
    buffer_ids_.push_back(buffer->buffer_id);
  }

  // --- What is asked for ---

  std::vector<int> RandomMap(int64_t channels, int device_channels) {
    std::vector<int> map;
    for (int64_t c = 0; c < channels; ++c) {
      map.push_back(static_cast<int>(dice_.Between(1, device_channels)));
    }
    return map;
  }

  // A map, or none, and what it means from 0.
  std::vector<int> SetMap(int64_t channels, int device_channels, ChannelMapSpec* map) {
    std::vector<int> from_zero;
    if (channels > device_channels || !dice_.OneIn(3)) *map = RandomMap(channels, device_channels);
    for (int c = 0; c < channels; ++c) from_zero.push_back(map->has_value() ? (**map)[c] - 1 : c);
    return from_zero;
  }

  float RandomGain() {
    switch (dice_.Between(0, 5)) {
      case 0:
        return dice_.OneOf({0.0f, -0.0f, 1.0f, -1.0f, 1e-41f});
      case 1:
        return dice_.Uniform(-20.0f, 20.0f);
      default:
        return dice_.Uniform(-2.0f, 2.0f);
    }
  }

  void MakePlay(Item* item) {
    SoundScript script;
    PlaySpec play;
    const int channels = static_cast<int>(dice_.Between(1, kOutputs));
    int sound = kBufferSound + channels;
    if (dice_.OneIn(3)) {
      play.buffer_id = buffer_ids_[channels - 1];
      script.view_frames = kBufferFrames;
    } else {
      sound = static_cast<int>(items_.size());
      script.view_frames =
          dice_.OneOf<int64_t>({0, 1, dice_.Between(2, 100), dice_.Between(2, 1500)});
      play.inline_channels = channels;
      play.inline_data = TestBytes(sound, channels, 0, script.view_frames);
    }
    script.sample = [sound](int channel, int64_t frame) {
      return TestSample(sound, channel, frame);
    };
    script.channel_map = SetMap(channels, kOutputs, &play.channel_map);
    script.gain = play.gain = RandomGain();
    script.late_policy = item->spec.late_policy;
    item->spec.what = std::move(play);
    item->what = std::move(script);
  }

  void MakeRecord(Item* item) {
    Record record;
    RecordSpec spec;
    record.source = spec.source = dice_.OneIn(3) ? RecordSource::kOutput : RecordSource::kInput;
    const int device_channels = record.source == RecordSource::kInput ? kInputs : kOutputs;
    const int64_t channels = dice_.Between(1, 5);
    spec.channel_map = RandomMap(channels, device_channels);
    for (const int channel : *spec.channel_map) record.channels.push_back(channel - 1);
    if (dice_.OneIn(4)) {
      spec.channel_map = std::nullopt;
      record.channels.clear();
      for (int c = 0; c < device_channels; ++c) record.channels.push_back(c);
    }
    if (!dice_.OneIn(6)) spec.frames = dice_.OneIn(10) ? 0 : dice_.Between(1, 2000);
    record.total_frames = spec.frames;
    record.late_policy = item->spec.late_policy;
    item->spec.what = std::move(spec);
    item->what = std::move(record);
  }

  // Of a member of the batch that begins with item `first`, by its key, or of an earlier one.
  bool MakeCancel(size_t first, Item* item) {
    if (items_.empty()) return false;
    const auto last = static_cast<int64_t>(items_.size()) - 1;
    const size_t target = dice_.Between(std::max<int64_t>(0, last - 20), last);
    if (!MayBeCut(&items_[target])) return false;
    CancelSpec cancel;
    if (target >= first) {
      cancel.target.key = items_[target].spec.key;
    } else {
      cancel.target.action_id = items_[target].id;
    }
    item->spec.what = std::move(cancel);
    item->what = rtmixd::Cancel{.target = target};
    return true;
  }

  static bool MayBeCut(Item* item) {
    return item->cancel() == nullptr &&
           (item->record() == nullptr || !item->record()->beyond_history);
  }

  // The frame of a time T is round(T * rate) less the output latency for what is played, and with
  // the input latency for what comes in; of a cancel as of its target.
  bool OnInputClock(Item* item) {
    if (item->cancel() != nullptr) return OnInputClock(&items_[item->cancel()->target]);
    return item->record() != nullptr && item->record()->source == RecordSource::kInput;
  }
  double OutputSeconds(int64_t frame) {
    return (static_cast<double>(frame + kOutputLatency) + dice_.Uniform(-0.4f, 0.4f)) / kRateHz;
  }

  int64_t FrameNearby() {
    const int64_t ago = dice_.OneIn(12) ? 9000 : 0;
    return std::max<int64_t>(0, frame_ - ago + dice_.Between(-500, 1500));
  }

  void SetStart(int64_t origin_frame, int64_t record_shift_frames, Item* item) {
    StartSpec& start = item->spec.start;
    switch (dice_.Between(0, 3)) {
      case 0:
        item->asked_frame = FrameNearby();
        start = AtFrame(item->asked_frame);
        return;
      case 1: {
        const int64_t frame = FrameNearby();
        start.kind = StartSpec::Kind::kStreamTime;
        start.seconds = OutputSeconds(frame);
        item->asked_frame = frame + (OnInputClock(item) ? kOutputLatency + kInputLatency : 0);
        return;
      }
      default:
        start.frames = dice_.Between(0, 1500);
        item->asked_frame = origin_frame + start.frames;
        if (OnInputClock(item)) item->asked_frame += record_shift_frames;
    }
  }

  BatchSpec MakeBatch(size_t first) {
    BatchSpec batch;
    int64_t origin_frame = frame_;
    batch.align_at_converters = dice_.OneIn(4);
    bool align = batch.align_at_converters;
    if (dice_.OneIn(3)) {
      batch.origin = origin_frame = FrameNearby();
    } else if (dice_.OneIn(2)) {
      origin_frame = FrameNearby();
      batch.origin = OutputSeconds(origin_frame);
      align = true;
    }
    const int64_t members = dice_.Between(1, 10);
    for (int64_t i = 0; i < members; ++i) {
      Item item;
      item.spec.key = std::to_string(items_.size());
      item.spec.late_policy =
          dice_.OneOf({LatePolicy::kPlay, LatePolicy::kSkip, LatePolicy::kTrim});
      if (!dice_.OneIn(6) || !MakeCancel(first, &item)) {
        if (dice_.OneIn(3)) {
          MakeRecord(&item);
        } else {
          MakePlay(&item);
        }
      }
      SetStart(origin_frame, align ? kInputLatency + kOutputLatency : 0, &item);
      if (Record* const record = item.record()) {
        record->beyond_history = item.asked_frame < frame_ - kSafeHistoryFrames;
        record->reference.emplace(item.asked_frame, record->total_frames);
      }
      batch.actions.push_back(item.spec);
      items_.push_back(std::move(item));
    }
    return batch;
  }

  // --- What is done ---

  void Schedule() {
    const size_t first = items_.size();
    const BatchSpec batch = MakeBatch(first);
    // Where a play hangs on an origin that the audio thread chooses, all that hangs on it waits.
    const auto by_offset = [](const Item& item) {
      return item.spec.start.kind == StartSpec::Kind::kOffset;
    };
    const bool floating = std::holds_alternative<std::monostate>(batch.origin) &&
                          std::any_of(items_.begin() + first, items_.end(), [&](Item& item) {
                            return item.script() != nullptr && by_offset(item);
                          });
    bool answered = false;
    rig_.engine().Schedule(session_, batch, [&](const absl::StatusOr<BatchAdmitted>& admitted) {
      ASSERT_TRUE(admitted.ok()) << admitted.status();
      answered = true;
      for (size_t i = first; i < items_.size(); ++i) {
        items_[i].id = admitted->actions[i - first].action_id;
        EXPECT_EQ(admitted->actions[i - first].start_frame, items_[i].asked_frame);
      }
    });
    ASSERT_EQ(answered, !floating);

    for (size_t i = first; i < items_.size(); ++i) {
      if (SoundScript* const script = items_[i].script()) {
        script->submit_block = static_cast<int>(blocks_.size());
        script->submit_order = next_order_++;
        script->origin_frame = items_[i].asked_frame;
        script->sequence = static_cast<int64_t>(i);
      }
    }
    std::vector<Item*> waiting;  // for the origin
    for (size_t i = first; i < items_.size(); ++i) {
      if (items_[i].cancel() == nullptr) continue;
      Item& target = items_[items_[i].cancel()->target];
      const bool goes_with_voice =
          items_[i].cancel()->target >= first && target.script() != nullptr && by_offset(target);
      if (floating && by_offset(items_[i])) {
        if (goes_with_voice) {
          HandOn(&items_[i], /*can_be_late=*/false);
        } else {
          waiting.push_back(&items_[i]);
        }
      } else {
        HandOn(&items_[i], /*can_be_late=*/true);
      }
    }
    for (size_t i = first; i < items_.size(); ++i) {
      Record* const record = items_[i].record();
      if (record != nullptr && !(floating && by_offset(items_[i]))) {
        record->reference->Admitted(frame_);
      }
    }
    if (!floating) return;
    MakeBlock();
    for (Item* const item : waiting) HandOn(item, /*can_be_late=*/false);
    Looked();
    ASSERT_TRUE(answered);
  }

  // A cancel comes to its target.
  void HandOn(Item* item, bool can_be_late) {
    Item& target = items_[item->cancel()->target];
    const int64_t frame = item->asked_frame;
    if (can_be_late && frame < frame_ && item->spec.late_policy == LatePolicy::kSkip) {
      item->cancel()->skipped = true;
    } else if (SoundScript* const script = target.script()) {
      NoteCut(script, frame);
    } else {
      target.record()->reference->CutAt(frame);
    }
  }

  void NoteCut(SoundScript* script, int64_t frame) {
    script->actions.push_back({.block = static_cast<int>(blocks_.size()),
                               .kind = SoundScript::Kind::kCancel,
                               .number = frame,
                               .order = next_order_++});
  }

  void CancelOne() {
    if (items_.empty()) return;
    const auto last = static_cast<int64_t>(items_.size()) - 1;
    Item& item = items_[dice_.Between(std::max<int64_t>(0, last - 30), last)];
    if (!MayBeCut(&item)) return;
    std::optional<int64_t> frame;
    if (dice_.OneIn(2)) frame = FrameNearby();
    Cancel(&item, frame);
  }

  void Cancel(Item* item, std::optional<int64_t> frame) {
    const auto reports =
        rig_.engine().CancelActions(session_, {item->id}, /*all=*/false, frame, /*fade=*/{});
    ASSERT_TRUE(reports.ok()) << reports.status();
    if (SoundScript* const script = item->script()) {
      NoteCut(script, std::max(frame.value_or(frame_), frame_));
    } else {
      item->record()->reference->Cancel(frame, frame_);
    }
  }

  void Step() {
    MakeBlock();
    Looked();
  }
  void MakeBlock() {
    const int frames = static_cast<int>(dice_.OneIn(3) ? dice_.Between(1, 128) : 64);
    const int64_t stamp_nanos = rig_.device().now_nanos() + dice_.Between(-200000, 200000);
    rig_.device().Step({.frames = frames, .callback_nanos = stamp_nanos});
    rig_.engine().PumpOnce();
    blocks_.push_back({frame_, frames});
    frame_ += frames;
  }
  void Looked() {
    for (Item& item : items_) {
      if (item.record() != nullptr) item.record()->reference->Looked(frame_);
    }
  }

  bool AllDone() {
    const auto reports = rig_.engine().ListActions(session_, /*active_only=*/false);
    return std::all_of(reports->begin(), reports->end(), [](const ActionReport& report) {
      return report.state == ActionState::kDone || report.state == ActionState::kEnded;
    });
  }

  // --- What has become of it ---

  void CheckPlay(const ActionReport& report, const PredictedSound& predicted) {
    ASSERT_TRUE(predicted.ended);
    const std::optional<int64_t> start =
        predicted.started ? std::optional(predicted.start_frame) : std::nullopt;
    EXPECT_EQ(report.start_frame, start);
    EXPECT_EQ(report.end_frame, predicted.end_frame);
    EXPECT_EQ(report.done_frames, static_cast<int64_t>(predicted.heard.size()));
    EXPECT_EQ(report.late_frames, predicted.late_frames);
    EXPECT_EQ(report.dropped_frames, predicted.trimmed_frames);
    const bool cancelled = predicted.end_reason == EndReason::kCancelled;
    const bool skipped = predicted.end_reason == EndReason::kSkipped;
    EXPECT_EQ(report.end_reason, cancelled ? ActionEnd::kCancelled
                                 : skipped ? ActionEnd::kSkipped
                                           : ActionEnd::kCompleted);
    EXPECT_EQ(report.gap_count, 0);
    ++tally_.plays;
    tally_.late += predicted.started && predicted.late_frames > 0;
    tally_.skipped += skipped;
    tally_.cut += predicted.started && cancelled;
    tally_.never_begun += !predicted.started && cancelled;
  }

  void CheckRecord(const ActionReport& report, int64_t asked_frame, const Record& record,
                   const ReferenceOutput& output) {
    ++tally_.records;
    int64_t end_frame = record.reference->end_frame();
    if (!record.beyond_history) {
      EXPECT_EQ(report.late_frames, 0);
      EXPECT_EQ(report.gap_count, 0);
    }
    if (report.late_frames > 0) {
      // As late as the history makes it, and no more.
      EXPECT_LT(asked_frame, report.start_frame.value_or(frame_) + kHistoryFrames);
      tally_.late += record.late_policy != LatePolicy::kSkip;
      tally_.skipped += record.late_policy == LatePolicy::kSkip;
      EXPECT_EQ(report.end_reason == ActionEnd::kSkipped, record.late_policy == LatePolicy::kSkip);
    }
    if (!record.reference->begins() || report.end_reason == ActionEnd::kSkipped) {
      EXPECT_EQ(report.start_frame, std::nullopt);
      EXPECT_EQ(report.end_frame, asked_frame);
      EXPECT_EQ(report.done_frames, 0);
      if (record.reference->begins()) return;
      EXPECT_EQ(report.end_reason, ActionEnd::kCancelled);
      ++tally_.never_begun;
      return;
    }
    ASSERT_TRUE(report.start_frame.has_value());
    const bool shifted = report.late_frames > 0 && record.late_policy == LatePolicy::kPlay;
    const int64_t start_frame = asked_frame + (shifted ? report.late_frames : 0);
    if (shifted && record.total_frames.has_value()) end_frame += report.late_frames;
    EXPECT_EQ(report.start_frame, start_frame);
    EXPECT_EQ(report.end_frame, end_frame);
    EXPECT_EQ(report.end_reason,
              record.reference->complete() ? ActionEnd::kCompleted : ActionEnd::kCancelled);
    tally_.cut += !record.reference->complete();
    CheckRecorded(report, start_frame, end_frame, record, output);
  }

  void CheckRecorded(const ActionReport& report, int64_t start_frame, int64_t end_frame,
                     const Record& record, const ReferenceOutput& output) {
    const auto recorded = rig_.Download(session_, report.buffer_id);
    ASSERT_EQ(recorded.size(), record.channels.size());
    for (size_t i = 0; i < record.channels.size(); ++i) {
      const int c = record.channels[i];
      std::vector<float> expected;
      for (int64_t f = start_frame; f < end_frame; ++f) {
        if (record.source == RecordSource::kOutput) {
          expected.push_back(output.channels[c][f]);
          continue;
        }
        const int64_t sent = f - EngineRig::kCableFrames;
        const float cable = c < kCabled && sent >= 0 ? output.channels[c][sent] : 0.0f;
        expected.push_back(cable + InputSample(c, f));
      }
      for (const GapInfo& gap : report.gaps) {
        EXPECT_EQ(gap.frame, start_frame + gap.position);
        std::fill_n(expected.begin() + gap.position, gap.frames, 0.0f);
      }
      ExpectSame(recorded[i], expected);
    }
    EXPECT_EQ(report.done_frames, end_frame - start_frame);
  }

  Dice dice_;
  EngineRig rig_;
  Tally& tally_;
  std::string session_;
  std::vector<std::string> buffer_ids_;
  int64_t frame_ = 0;
  int64_t next_order_ = 0;
  std::vector<ScriptBlock> blocks_;
  std::vector<Item> items_;
};

TEST(EngineRandomTest, TenThousandPlaysAndRecordsLandWhereTheirReportsSay) {
  Tally tally;
  for (uint64_t seed = 1; tally.plays + tally.records < 10000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomRun run(seed, &tally);
    run.Run(300);
    run.Check();
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(tally.plays, 3000);
  EXPECT_GT(tally.records, 1500);
  EXPECT_GT(tally.late, 200);
  EXPECT_GT(tally.skipped, 200);
  EXPECT_GT(tally.cut, 200);
  EXPECT_GT(tally.never_begun, 200);
  EXPECT_GT(tally.clipped_samples, 1000);
}

}  // namespace
}  // namespace rtmixd
