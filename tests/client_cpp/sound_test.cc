// The path of a program that shapes what it plays: fades, loops, chains, pauses, gains, through the
// client library and a real server on its virtual device. What the server sends to its outputs is
// compared sample by sample with what the API promises, worked out by counting.
//
// Most of it is ordered while the stream stands still: its frames do not move then, so that every
// order comes in time however slow the machine is.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/audio.h"
#include "client_cpp/buffer.h"
#include "client_cpp/client.h"
#include "client_cpp/fade.h"
#include "client_cpp/play_rec.h"
#include "client_cpp/play_stream.h"
#include "client_cpp/played_frames.h"
#include "client_cpp/session.h"
#include "tests/client_cpp/score.h"
#include "tests/client_cpp/tool.h"
#include "tests/support/event_watch.h"

namespace rtmixd {
namespace {

using client::Action;
using client::Stubs;

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr v1::FadeShape kLinear = v1::FADE_SHAPE_LINEAR;
constexpr v1::FadeShape kEqualPower = v1::FADE_SHAPE_EQUAL_POWER;

std::vector<float> Noise(int64_t frames, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> distribution(-16000, 16000);
  std::vector<float> noise(static_cast<size_t>(frames));
  for (float& sample : noise) sample = static_cast<float>(distribution(generator)) / 32768.0F;
  return noise;
}

// The numbers from `begin` to before `end`.
std::vector<int64_t> Range(int64_t begin, int64_t end) {
  std::vector<int64_t> numbers;
  for (int64_t number = begin; number < end; ++number) numbers.push_back(number);
  return numbers;
}

// A batch of plays of one channel and a recording of the first outputs.
class Batch {
 public:
  explicit Batch(int64_t origin_frame) { request_.set_origin_frame(origin_frame); }

  v1::ActionSpec& Add(const std::string& key, int64_t offset_frames) {
    v1::ActionSpec& action = *request_.add_actions();
    action.set_key(key);
    action.mutable_start()->set_offset_frames(offset_frames);
    return action;
  }
  v1::PlaySpec& AddPlay(const std::string& key, int64_t offset_frames,
                        const std::vector<float>& sound, int output = 1) {
    v1::PlaySpec& play = *Add(key, offset_frames).mutable_play();
    play.mutable_inline_audio()->set_channels(1);
    play.mutable_inline_audio()->set_data(client::EncodeFloat32(sound));
    *play.mutable_channel_map() = client::ToChannelMap({output});
    return play;
  }
  // The start of the action that was added last is the end of that one.
  void Follow(const std::string& key) {
    request_.mutable_actions(request_.actions_size() - 1)
        ->mutable_start()
        ->mutable_after()
        ->set_key(key);
  }
  v1::ChangeSpec& AddChange(const std::string& key, int64_t offset_frames,
                            const std::string& target) {
    v1::ChangeSpec& change = *Add(key, offset_frames).mutable_change();
    change.set_key(target);
    return change;
  }
  void AddRecording(int64_t frames, int outputs = 1) {
    v1::RecordSpec& record = *Add("heard", 0).mutable_record();
    record.set_frames(frames);
    record.set_source(v1::RECORD_SOURCE_OUTPUT);
    for (int output = 1; output <= outputs; ++output) {
      record.mutable_channel_map()->add_channels(output);
    }
  }
  const v1::ScheduleActionsRequest& request() const { return request_; }

 private:
  v1::ScheduleActionsRequest request_;
};

class SoundTest : public testing::Test {
 protected:
  void SetUp() override {
    auto tool = Tool::Start({});
    ASSERT_TRUE(tool.ok()) << tool.status();
    tool_ = *std::move(tool);
    auto client = client::Client::Connect(tool_->target());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
    auto session = client::Session::Create(client_, {.label = "sound_test"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;
  }

  // Lets the frames stand still, and sets the origin before all that comes.
  void Stop() {
    const auto stopped = client_->Call(&Stubs::stream, &v1::StreamService::Stub::StopStream,
                                       v1::StopStreamRequest(), session_->call());
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    origin_ = stopped->stream().next_frame() + 4800;
  }
  void Start() {
    const auto started = client_->Call(&Stubs::stream, &v1::StreamService::Stub::StartStream,
                                       v1::StartStreamRequest(), session_->call());
    ASSERT_TRUE(started.ok()) << started.status();
  }
  void Schedule(const Batch& batch) {
    const auto scheduled = client::ScheduleActions(*session_, batch.request());
    ASSERT_TRUE(scheduled.ok()) << scheduled.status();
    for (const auto& action : scheduled->actions()) ids_[action.key()] = action.action_id();
  }
  Action ActionOf(const std::string& key) { return Action(session_, ids_.at(key)); }
  // The report once it is done.
  v1::ActionReport Report(const std::string& key) {
    const auto report = ActionOf(key).Wait(kPatience, client::WaitFor::kDone);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : v1::ActionReport();
  }
  // What the recording of the batch heard on an output, counted from 0.
  std::vector<float> Heard(int output = 0) {
    const v1::ActionReport report = Report("heard");
    EXPECT_EQ(report.gap_frames(), 0);
    auto buffer = client::Buffer::Open(session_, report.buffer_id());
    EXPECT_TRUE(buffer.ok()) << buffer.status();
    if (!buffer.ok()) return {};
    std::vector<float> samples;
    const absl::Status fetched =
        (*buffer)->Download({}, [&samples](int64_t, absl::Span<const float> interleaved) {
          samples.insert(samples.end(), interleaved.begin(), interleaved.end());
          return absl::OkStatus();
        });
    EXPECT_TRUE(fetched.ok()) << fetched;
    return client::Planar(samples, (*buffer)->channels()).at(static_cast<size_t>(output));
  }
  // Changes of the actions named, while the stream stands still.
  void Change(const std::vector<std::string>& keys, int64_t offset_frames,
              v1::ChangeActionsRequest request) {
    for (const std::string& key : keys) request.add_action_ids(ids_.at(key));
    request.set_all(keys.empty());
    request.set_frame(origin_ + offset_frames);
    const auto changed = client::ChangeActions(*session_, request);
    ASSERT_TRUE(changed.ok()) << changed.status();
    EXPECT_EQ(changed->frame(), origin_ + offset_frames);
  }

  std::unique_ptr<Tool> tool_;
  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
  int64_t origin_ = 0;
  std::map<std::string, std::string> ids_;
};

TEST_F(SoundTest, FadesFollowTheirFormula) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const std::vector<float> sound = Noise(6000, 1);
  Batch batch(origin_);
  batch.AddRecording(16000);
  v1::PlaySpec& a = batch.AddPlay("a", 100, sound);
  a.set_gain(0.75);
  *a.mutable_fade_in() = client::LinearFade(1000);
  *a.mutable_fade_out() = client::EqualPowerFade(2000);
  v1::PlaySpec& b = batch.AddPlay("b", 8000, sound);
  b.set_gain(-0.5);
  *b.mutable_fade_in() = client::EqualPowerFade(3000);
  b.set_max_frames(5000);
  *b.mutable_fade_out() = client::LinearFade(1500);
  ASSERT_NO_FATAL_FAILURE(Schedule(batch));
  ASSERT_NO_FATAL_FAILURE(Start());

  Score score(16000);
  for (int64_t i = 0; i < 6000; ++i) {
    double gain = FadeGain(0, 0.75, i, 1000, kLinear);
    if (i >= 4000) gain = FadeGain(0.75, 0, i - 4000, 2000, kEqualPower);
    score.Put(100 + i, sound[static_cast<size_t>(i)], gain);
  }
  for (int64_t i = 0; i < 5000; ++i) {
    double gain = FadeGain(0, -0.5, i, 3000, kEqualPower);
    if (i >= 3500) gain = FadeGain(-0.5, 0, i - 3500, 1500, kLinear);
    score.Put(8000 + i, sound[static_cast<size_t>(i)], gain);
  }
  EXPECT_EQ(score.Compare(Heard()), "");
  EXPECT_EQ(Report("b").total_frames(), 5000);
  EXPECT_EQ(Report("b").end_reason(), v1::END_REASON_COMPLETED);
}

TEST_F(SoundTest, PartOfASoundLoopsSoManyTimesWithoutAGap) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const std::vector<float> sound = Noise(4000, 2);
  Batch batch(origin_);
  batch.AddRecording(24000);
  const Part whole_pass{.offset = 500, .begin = 1000, .end = 1800, .passes = 3};
  v1::PlaySpec& a = batch.AddPlay("a", 0, sound);
  a.set_offset_frames(500);
  a.mutable_loop()->set_begin_frame(1000);
  a.mutable_loop()->set_end_frame(1800);
  a.mutable_loop()->set_passes(3);
  EXPECT_EQ(client::PlayedFrames(a, 4000), 5100);
  // It starts inside its region, which reaches to the end of the sound.
  const Part started_inside{.offset = 3500, .begin = 3000, .end = 4000, .passes = 2};
  v1::PlaySpec& b = batch.AddPlay("b", 6000, sound);
  b.set_offset_frames(3500);
  b.mutable_loop()->set_begin_frame(3000);
  b.mutable_loop()->set_passes(2);
  EXPECT_EQ(client::PlayedFrames(b, 4000), 1500);
  // Longer than any pass of the sound, and broken off.
  const Part limited{.max_frames = 12345, .end = 4000, .passes = 1000};
  v1::PlaySpec& c = batch.AddPlay("c", 8000, sound);
  c.mutable_loop();
  c.set_max_frames(12345);
  ASSERT_NO_FATAL_FAILURE(Schedule(batch));
  ASSERT_NO_FATAL_FAILURE(Start());

  Score score(24000);
  score.Put(0, sound, Numbers(4000, whole_pass));
  score.Put(6000, sound, Numbers(4000, started_inside));
  score.Put(8000, sound, Numbers(4000, limited));
  EXPECT_EQ(score.Compare(Heard()), "");
  EXPECT_EQ(Report("a").done_frames(), 5100);
  EXPECT_EQ(Report("b").done_frames(), 1500);
  EXPECT_EQ(Report("c").done_frames(), 12345);
  EXPECT_EQ(Report("c").position_frames(), 345);
}

TEST_F(SoundTest, EndlessLoopIsLeftAfterItsPassOrAtOnce) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const std::vector<float> sound = Noise(2000, 3);
  Batch batch(origin_);
  batch.AddRecording(16000);
  const auto add = [&](const std::string& key, int64_t offset_frames) {
    v1::PlaySpec& play = batch.AddPlay(key, offset_frames, sound);
    play.mutable_loop()->set_begin_frame(100);
    play.mutable_loop()->set_end_frame(1100);
  };
  add("a", 0);
  batch.AddChange("leave a", 2650, "a").mutable_leave_loop();
  add("b", 5000);
  batch.AddChange("leave b", 5000 + 2650, "b").mutable_leave_loop()->set_at_once(true);
  add("c", 10000);
  ASSERT_NO_FATAL_FAILURE(Schedule(batch));
  const auto left = ActionOf("c").LeaveLoop(/*at_once=*/true, origin_ + 10000 + 1234);
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(*left, origin_ + 11234);
  ASSERT_NO_FATAL_FAILURE(Start());

  Score score(16000);
  const Part endless{.begin = 100, .end = 1100, .passes = 1000};
  // 100 frames before the region, and three passes.
  score.Put(0, sound, Numbers(2000, {.begin = 100, .end = 1100, .passes = 3}));
  const auto at_once = [&](int64_t sounded) {
    std::vector<int64_t> numbers = Numbers(2000, endless);
    numbers.resize(static_cast<size_t>(sounded));
    const std::vector<int64_t> rest = Range(1100, 2000);
    numbers.insert(numbers.end(), rest.begin(), rest.end());
    return numbers;
  };
  score.Put(5000, sound, at_once(2650));
  score.Put(10000, sound, at_once(1234));
  EXPECT_EQ(score.Compare(Heard()), "");
  EXPECT_EQ(Report("a").done_frames(), 4000);
  EXPECT_EQ(Report("leave a").start_frame(), origin_ + 2650);
  EXPECT_EQ(Report("leave a").end_reason(), v1::END_REASON_COMPLETED);
  EXPECT_EQ(Report("leave b").target_action_id(), ids_.at("b"));
}

TEST_F(SoundTest, ChainIsGaplessWhateverEndsItsMembers) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const std::vector<float> sound = Noise(2000, 4);
  Batch batch(origin_);
  batch.AddRecording(12000);
  batch.AddPlay("a", 300, sound).set_max_frames(1001);
  batch.AddPlay("b", 0, sound);
  batch.Follow("a");
  batch.Add("cancel b", 1800).mutable_cancel()->set_key("b");
  batch.AddPlay("c", 0, sound).set_offset_frames(1500);
  batch.Follow("b");
  batch.Add("rest", 0).mutable_record()->set_frames(10);
  batch.Follow("c");
  ASSERT_NO_FATAL_FAILURE(Schedule(batch));
  // Another batch goes on with it.
  Batch second(origin_);
  second.AddPlay("d", 0, sound).set_gain(0.5);
  second.AddPlay("e", 0, sound);
  second.Follow("d");
  v1::ScheduleActionsRequest request = second.request();
  request.mutable_actions(0)->mutable_start()->mutable_after()->set_action_id(ids_.at("c"));
  const auto scheduled = client::ScheduleActions(*session_, request);
  ASSERT_TRUE(scheduled.ok()) << scheduled.status();
  ids_["d"] = scheduled->actions(0).action_id();
  ids_["e"] = scheduled->actions(1).action_id();
  ASSERT_NO_FATAL_FAILURE(Start());

  Score score(12000);
  score.Put(300, sound, Range(0, 1001));
  score.Put(1301, sound, Range(0, 499));
  score.Put(1800, sound, Range(1500, 2000));
  score.Put(2300, sound, Range(0, 2000), std::vector<double>(2000, 0.5));
  score.Put(4300, sound, Range(0, 2000));
  EXPECT_EQ(score.Compare(Heard()), "");
  EXPECT_EQ(Report("b").end_reason(), v1::END_REASON_CANCELLED);
  EXPECT_EQ(Report("b").after_action_id(), ids_.at("a"));
  EXPECT_EQ(Report("c").requested_start_frame(), origin_ + 1800);
  EXPECT_EQ(Report("rest").start_frame(), origin_ + 2300);
  EXPECT_EQ(Report("d").after_action_id(), ids_.at("c"));
  EXPECT_EQ(Report("e").start_frame(), origin_ + 4300);
}

TEST_F(SoundTest, PausedOnesStandStillAndGoOnWhereTheyWere) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const std::vector<float> sound = Noise(4000, 5);
  Batch batch(origin_);
  batch.AddRecording(12000, 3);
  // Its fade stands still with it.
  *batch.AddPlay("a", 0, sound, 1).mutable_fade_in() = client::LinearFade(2000);
  batch.AddChange("pause a", 1000, "a").mutable_pause();
  batch.AddChange("resume a", 1500, "a").mutable_resume();
  batch.AddPlay("b", 0, sound, 2);
  batch.AddPlay("c", 100, sound, 3);
  ASSERT_NO_FATAL_FAILURE(Schedule(batch));
  v1::ChangeActionsRequest pause;
  pause.mutable_pause();
  v1::ChangeActionsRequest resume;
  resume.mutable_resume();
  ASSERT_NO_FATAL_FAILURE(Change({"b", "c"}, 500, pause));
  ASSERT_NO_FATAL_FAILURE(Change({"c"}, 700, resume));
  ASSERT_NO_FATAL_FAILURE(Change({"b"}, 777, resume));
  ASSERT_NO_FATAL_FAILURE(Change({}, 3000, pause));
  ASSERT_NO_FATAL_FAILURE(Change({}, 3300, resume));
  ASSERT_NO_FATAL_FAILURE(Start());

  std::vector<double> fade;
  for (int64_t i = 0; i < 4000; ++i) fade.push_back(FadeGain(0, 1, i, 2000, kLinear));
  const auto slice = [&](int64_t begin, int64_t end) {
    return std::vector<double>(fade.begin() + begin, fade.begin() + end);
  };
  Score a(12000);
  a.Put(0, sound, Range(0, 1000), slice(0, 1000));
  a.Put(1500, sound, Range(1000, 2500), slice(1000, 2500));
  a.Put(3300, sound, Range(2500, 4000), slice(2500, 4000));
  EXPECT_EQ(a.Compare(Heard(0)), "");
  Score b(12000);
  b.Put(0, sound, Range(0, 500));
  b.Put(777, sound, Range(500, 2723));
  b.Put(3300, sound, Range(2723, 4000));
  EXPECT_EQ(b.Compare(Heard(1)), "");
  Score c(12000);
  c.Put(100, sound, Range(0, 400));
  c.Put(700, sound, Range(400, 2700));
  c.Put(3300, sound, Range(2700, 4000));
  EXPECT_EQ(c.Compare(Heard(2)), "");
  EXPECT_EQ(Report("b").done_frames(), 4000);
  EXPECT_EQ(Report("b").end_frame(), origin_ + 3300 + 1277);
}

TEST_F(SoundTest, StopFadesFirst) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const std::vector<float> sound = Noise(8000, 6);
  Batch batch(origin_);
  batch.AddRecording(10000, 2);
  batch.AddPlay("a", 0, sound, 1);
  v1::CancelSpec& cancel = *batch.Add("cancel a", 1500).mutable_cancel();
  cancel.set_key("a");
  *cancel.mutable_fade() = client::LinearFade(800);
  batch.AddPlay("b", 0, sound, 2);
  ASSERT_NO_FATAL_FAILURE(Schedule(batch));
  const auto cancelled = ActionOf("b").Cancel(origin_ + 2000, client::EqualPowerFade(600));
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  ASSERT_NO_FATAL_FAILURE(Start());

  Score a(10000);
  for (int64_t i = 0; i < 2300; ++i) {
    a.Put(i, sound[static_cast<size_t>(i)], i < 1500 ? 1 : FadeGain(1, 0, i - 1500, 800, kLinear));
  }
  EXPECT_EQ(a.Compare(Heard(0)), "");
  Score b(10000);
  for (int64_t i = 0; i < 2600; ++i) {
    b.Put(i, sound[static_cast<size_t>(i)],
          i < 2000 ? 1 : FadeGain(1, 0, i - 2000, 600, kEqualPower));
  }
  EXPECT_EQ(b.Compare(Heard(1)), "");
  const v1::ActionReport report = Report("a");
  EXPECT_EQ(report.end_reason(), v1::END_REASON_CANCELLED);
  EXPECT_EQ(report.end_frame(), origin_ + 2300);
  EXPECT_EQ(report.position_frames(), 2300);
}

TEST_F(SoundTest, GainChangesFromWhateverItIs) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const std::vector<float> sound = Noise(8000, 7);
  Batch batch(origin_);
  batch.AddRecording(9000);
  batch.AddPlay("a", 0, sound);
  v1::GainChange& down = *batch.AddChange("down", 1000, "a").mutable_gain();
  down.set_gain(0.25);
  *down.mutable_fade() = client::LinearFade(2000);
  v1::GainChange& up = *batch.AddChange("up", 2000, "a").mutable_gain();
  up.set_gain(2);
  *up.mutable_fade() = client::EqualPowerFade(500);
  ASSERT_NO_FATAL_FAILURE(Schedule(batch));
  const auto changed = ActionOf("a").SetGain(0.5, client::LinearFade(1000), origin_ + 4000);
  ASSERT_TRUE(changed.ok()) << changed.status();
  ASSERT_TRUE(ActionOf("a").SetGain(-1, {}, origin_ + 6000).ok());
  ASSERT_NO_FATAL_FAILURE(Start());

  Score score(9000);
  for (int64_t i = 0; i < 8000; ++i) {
    double gain = 1;
    if (i >= 1000) gain = FadeGain(1, 0.25, i - 1000, 2000, kLinear);
    // Half way down it was 0.625.
    if (i >= 2000) gain = FadeGain(0.625, 2, i - 2000, 500, kEqualPower);
    if (i >= 4000) gain = FadeGain(2, 0.5, i - 4000, 1000, kLinear);
    if (i >= 6000) gain = -1;
    score.Put(i, sound[static_cast<size_t>(i)], gain);
  }
  EXPECT_EQ(score.Compare(Heard()), "");
  EXPECT_EQ(Report("down").start_frame(), origin_ + 1000);
  EXPECT_EQ(Report("up").end_reason(), v1::END_REASON_COMPLETED);
}

TEST_F(SoundTest, ChangeOfWhatHasEndedTellsSo) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  Batch batch(origin_);
  batch.AddPlay("a", 0, Noise(100, 8));
  batch.AddChange("late", 100, "a").mutable_pause();
  ASSERT_NO_FATAL_FAILURE(Schedule(batch));
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_EQ(Report("late").end_reason(), v1::END_REASON_TARGET_ENDED);
  EXPECT_FALSE(Report("late").has_start_frame());
  EXPECT_EQ(Report("a").end_reason(), v1::END_REASON_COMPLETED);
}

TEST_F(SoundTest, GainOfTheSessionIsItsOwnAndTheMastersIsEverybodys) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const std::vector<float> sound = Noise(6000, 9);
  Batch batch(origin_);
  batch.AddRecording(9000, 2);
  batch.AddPlay("a", 0, sound, 1);
  // It begins while the gain of its session moves.
  batch.AddPlay("b", 1500, sound, 2);
  ASSERT_NO_FATAL_FAILURE(Schedule(batch));
  const auto set = session_->SetGain(0.5, client::LinearFade(1000), origin_ + 1000);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(*set, origin_ + 1000);
  const auto master = session_->SetMasterGain(0.25, v1::Fade(), origin_ + 4000);
  ASSERT_TRUE(master.ok()) << master.status();
  EXPECT_EQ(*master, origin_ + 4000);
  ASSERT_NO_FATAL_FAILURE(Start());

  const auto gain = [](int64_t frame) {
    const double session = frame < 1000 ? 1 : FadeGain(1, 0.5, frame - 1000, 1000, kLinear);
    return session * (frame < 4000 ? 1 : 0.25);
  };
  Score a(9000);
  Score b(9000);
  for (int64_t i = 0; i < 6000; ++i) {
    a.Put(i, sound[static_cast<size_t>(i)], gain(i));
    b.Put(1500 + i, sound[static_cast<size_t>(i)], gain(1500 + i));
  }
  EXPECT_EQ(a.Compare(Heard(0)), "");
  EXPECT_EQ(b.Compare(Heard(1)), "");
  const auto kept = client_->Call(&Stubs::sessions, &v1::SessionService::Stub::KeepSession,
                                  v1::KeepSessionRequest(), session_->call());
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->session().gain(), 0.5F);
  const auto stream = client_->Call(&Stubs::stream, &v1::StreamService::Stub::GetStream,
                                    v1::GetStreamRequest(), {});
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ(stream->stream().master_gain(), 0.25F);

  const auto play = [&sound](const std::shared_ptr<client::Session>& session, double expected) {
    client::PlayRecOptions options;
    options.inputs = {1};
    options.timeout = kPatience;
    const auto result = client::PlayRec(
        session, {.channels = 1, .sample_rate_hz = 48000, .samples = sound}, options);
    ASSERT_TRUE(result.ok()) << result.status();
    Score score(6000);
    score.Put(0, sound, Range(0, 6000), std::vector<double>(6000, expected));
    EXPECT_EQ(score.Compare(result->recording.samples), "");
  };
  play(session_, 0.125);
  auto other = client::Session::Create(client_, {.label = "another"});
  ASSERT_TRUE(other.ok()) << other.status();
  play(*other, 0.25);
}

// Without a frame: each order holds from some block on, which the event log tells.
TEST_F(SoundTest, OrdersWhileItSoundsHoldFromTheFrameThatIsTold) {
  const std::vector<float> sound = Noise(3000, 10);
  Batch batch(0);
  batch.AddPlay("a", 0, sound).mutable_loop()->set_end_frame(1999);
  batch.AddRecording(0);
  v1::ScheduleActionsRequest request = batch.request();
  request.clear_origin();
  request.mutable_actions(1)->mutable_record()->clear_frames();
  const auto scheduled = client::ScheduleActions(*session_, request);
  ASSERT_TRUE(scheduled.ok()) << scheduled.status();
  ids_["a"] = scheduled->actions(0).action_id();
  ids_["heard"] = scheduled->actions(1).action_id();
  const int64_t begin = scheduled->origin_frame();

  const auto frame_of_change = [this](size_t number) {
    const auto events = AwaitEvents(
        *client_, {v1::EVENT_KIND_ACTION_CHANGED},
        [number](const std::vector<v1::LogEntry>& entries) { return entries.size() >= number; },
        kPatience);
    EXPECT_TRUE(events.ok()) << events.status();
    if (!events.ok()) return int64_t{0};
    EXPECT_EQ(events->at(number - 1).action_id(), ids_.at("a"));
    return events->at(number - 1).frame();
  };
  const Action action = ActionOf("a");
  const auto told_paused = action.Pause();
  ASSERT_TRUE(told_paused.ok()) << told_paused.status();
  const int64_t paused = frame_of_change(1);
  EXPECT_GE(paused, *told_paused);
  // A loop from 0 on: the position is what has sounded, but for whole passes.
  const auto standing = action.Report();
  ASSERT_TRUE(standing.ok()) << standing.status();
  EXPECT_TRUE(standing->paused());
  EXPECT_EQ(standing->position_frames(), (paused - begin) % 1999);
  ASSERT_TRUE(action.Resume().ok());
  const int64_t resumed = frame_of_change(2);
  ASSERT_TRUE(action.SetGain(0.5).ok());
  const int64_t quieter = frame_of_change(3);
  ASSERT_TRUE(action.LeaveLoop().ok());
  const int64_t left = frame_of_change(4);
  const v1::ActionReport report = Report("a");
  ASSERT_TRUE(ActionOf("heard").Cancel(report.end_frame() + 1000).ok());

  const int64_t sounded_before_leave = paused - begin + (left - resumed);
  // The pass that sounds is the last one; the frame after a pass belongs to the next.
  const int64_t passes = sounded_before_leave / 1999 + 1;
  const std::vector<int64_t> numbers = Numbers(3000, {.begin = 0, .end = 1999, .passes = passes});
  // It ends there, or later if that had passed already.
  const std::vector<float> heard = Heard();
  ASSERT_GE(heard.size(), static_cast<size_t>(report.end_frame() + 1000 - begin));
  Score score(static_cast<int64_t>(heard.size()));
  for (size_t i = 0; i < numbers.size(); ++i) {
    int64_t frame = begin + static_cast<int64_t>(i);
    if (frame >= paused) frame += resumed - paused;
    score.Put(frame - begin, sound[static_cast<size_t>(numbers[i])], frame < quieter ? 1 : 0.5);
  }
  EXPECT_EQ(score.Compare(heard), "");
  EXPECT_EQ(report.end_reason(), v1::END_REASON_COMPLETED);
}

TEST_F(SoundTest, PlaylistOfBuffersAndStreamsIsGapless) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const std::vector<float> sound = Noise(6000, 11);
  Batch batch(origin_);
  batch.AddRecording(12000);
  batch.AddPlay("a", 0, sound).set_max_frames(1500);
  ASSERT_NO_FATAL_FAILURE(Schedule(batch));
  v1::PlayConfig config;
  config.set_channels(1);
  config.mutable_start()->mutable_after()->set_action_id(ids_.at("a"));
  config.set_max_frames(4000);
  *config.mutable_fade_in() = client::LinearFade(1000);
  *config.mutable_fade_out() = client::EqualPowerFade(500);
  auto stream = client::PlayStream::Open(session_, config);
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_EQ((*stream)->Write(sound, kPatience).value(), 6000);
  (*stream)->Finish();
  ASSERT_TRUE((*stream)->action().Pause(origin_ + 2000).ok());
  ASSERT_TRUE((*stream)->action().Resume(origin_ + 2345).ok());
  ids_["stream"] = (*stream)->action_id();
  Batch last(origin_);
  last.AddPlay("b", 0, sound);
  v1::ScheduleActionsRequest request = last.request();
  request.mutable_actions(0)->mutable_start()->mutable_after()->set_action_id(ids_.at("stream"));
  const auto scheduled = client::ScheduleActions(*session_, request);
  ASSERT_TRUE(scheduled.ok()) << scheduled.status();
  ids_["b"] = scheduled->actions(0).action_id();
  ASSERT_NO_FATAL_FAILURE(Start());

  Score score(12000);
  score.Put(0, sound, Range(0, 1500));
  for (int64_t i = 0; i < 4000; ++i) {
    const double gain =
        i < 3500 ? FadeGain(0, 1, i, 1000, kLinear) : FadeGain(1, 0, i - 3500, 500, kEqualPower);
    score.Put((i < 500 ? 1500 : 1845) + i, sound[static_cast<size_t>(i)], gain);
  }
  score.Put(5845, sound, Range(0, 6000));
  EXPECT_EQ(score.Compare(Heard()), "");
  EXPECT_EQ(Report("stream").done_frames(), 4000);
  EXPECT_EQ(Report("b").start_frame(), origin_ + 5845);
}

TEST_F(SoundTest, PlayRecBringsBackWhatWasPlayedOfTheSound) {
  const std::vector<float> sound = Noise(3000, 12);
  client::PlayRecOptions options;
  options.inputs = {1};
  options.tail_frames = 700;
  options.timeout = kPatience;
  options.offset_frames = 100;
  options.loop.emplace();
  options.loop->set_begin_frame(1000);
  options.loop->set_end_frame(2000);
  options.loop->set_passes(2);
  options.max_frames = 3500;
  options.fade_in = client::LinearFade(480);
  options.fade_out = client::EqualPowerFade(480);
  const auto result = client::PlayRec(
      session_, {.channels = 1, .sample_rate_hz = 48000, .samples = sound}, options);
  ASSERT_TRUE(result.ok()) << result.status();
  const std::vector<int64_t> numbers =
      Numbers(3000, {.offset = 100, .max_frames = 3500, .begin = 1000, .end = 2000, .passes = 2});
  ASSERT_EQ(numbers.size(), 3500U);
  std::vector<double> gains;
  for (int64_t i = 0; i < 3500; ++i) {
    gains.push_back(i < 3020 ? FadeGain(0, 1, i, 480, kLinear)
                             : FadeGain(1, 0, i - 3020, 480, kEqualPower));
  }
  Score score(4200);
  score.Put(0, sound, numbers, gains);
  EXPECT_EQ(score.Compare(result->recording.samples), "");
}

TEST_F(SoundTest, PlayRecRefusesALoopWithoutEnd) {
  client::PlayRecOptions options;
  options.loop.emplace();
  const auto result = client::PlayRec(
      session_, {.channels = 1, .sample_rate_hz = 48000, .samples = Noise(100, 13)}, options);
  EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << result.status();
}

}  // namespace
}  // namespace rtmixd
