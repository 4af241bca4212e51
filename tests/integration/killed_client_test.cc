// A client dies in the middle of a sound: its processes get SIGKILL, so that nothing is said to the
// server but what the kernel says by closing its sockets. Two rtmixctl work in the client's
// session, one plays a buffer and one plays from a stream, while another client plays and records
// through streams of its own. When the dead client's TTL is over its sound must be over, its buffer
// freed, its session gone, the log must tell so, and the other client must not have lost a bit.

#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/buffer.h"
#include "client_cpp/duration.h"
#include "client_cpp/play_stream.h"
#include "client_cpp/record_stream.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/integration/recordings.h"
#include "tests/integration/server_process.h"
#include "tests/support/event_watch.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr absl::Duration kTtl = absl::Seconds(4);
constexpr int64_t kSecondFrames = 48000;
constexpr char kVictimLabel[] = "CI job 812";

// Plays on output 1 and records input 1 meanwhile, each through a stream, on a thread of its own.
class Survivor {
 public:
  Survivor(std::shared_ptr<client::Session> session, std::vector<float> sound)
      : session_(std::move(session)), sound_(std::move(sound)) {}
  ~Survivor() { Join(); }

  void Start(int64_t start_frame, int64_t latency_frames) {
    v1::RecordConfig record;
    record.mutable_start()->set_frame(start_frame + latency_frames);
    record.set_frames(static_cast<int64_t>(sound_.size()));
    record.mutable_channel_map()->add_channels(1);
    auto record_stream = client::RecordStream::Open(session_, record);
    ASSERT_TRUE(record_stream.ok()) << record_stream.status();
    record_ = *std::move(record_stream);
    v1::PlayConfig play;
    play.set_channels(1);
    play.mutable_start()->set_frame(start_frame);
    play.set_ring_frames(2 * kSecondFrames);
    auto play_stream = client::PlayStream::Open(session_, play);
    ASSERT_TRUE(play_stream.ok()) << play_stream.status();
    play_ = *std::move(play_stream);
    writer_ = std::thread([this] {
      play_->Write(sound_, kLongEnough).IgnoreError();
      play_->Finish();
    });
    reader_ = std::thread([this] {
      while (true) {
        const auto audio = record_->Read(kSecondFrames, kLongEnough);
        if (!audio.ok() || audio->samples.empty()) return;
        lost_frames_ += audio->lost_frames;
        recorded_.insert(recorded_.end(), audio->samples.begin(), audio->samples.end());
      }
    });
  }

  void ExpectNothingWasLost() {
    Join();
    EXPECT_EQ(lost_frames_, 0);
    EXPECT_EQ(FirstDifference(recorded_, sound_), -1);
    const auto report = play_->Wait(kLongEnough);
    ASSERT_TRUE(report.ok() && report->has_value()) << report.status();
    EXPECT_EQ((*report)->end_reason(), v1::END_REASON_COMPLETED);
    EXPECT_EQ((*report)->underruns(), 0);
    EXPECT_EQ((*report)->touched(), v1::TOUCHED_NO);
  }

 private:
  void Join() {
    if (writer_.joinable()) writer_.join();
    if (reader_.joinable()) reader_.join();
  }

  const std::shared_ptr<client::Session> session_;
  const std::vector<float> sound_;
  std::unique_ptr<client::PlayStream> play_;
  std::unique_ptr<client::RecordStream> record_;
  int64_t lost_frames_ = 0;
  std::vector<float> recorded_;
  std::thread writer_;
  std::thread reader_;
};

class KilledClientTest : public testing::Test {
 protected:
  void SetUp() override {
    // All buffers together have room for one of the victim's size, but not for two.
    auto server =
        ServerProcess::Start({"--device", "virtual", "--history", "30", "--max-buffer-mib", "9",
                              "--max-buffer-mib-per-session", "9"});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    auto client = client::Client::Connect(server_->target());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
    auto session = client::Session::Create(client_, {.label = "survivor"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;

    // Kept alive by the victim's processes alone.
    v1::CreateSessionRequest request;
    request.set_label(kVictimLabel);
    *request.mutable_ttl() = client::ToProto(kTtl);
    const auto created = client_->Call(&client::Stubs::sessions,
                                       &v1::SessionService::Stub::CreateSession, request, {});
    ASSERT_TRUE(created.ok()) << created.status();
    victim_id_ = created->session().session_id();
    victim_token_ = created->token();

    auto speech = LongSpeech(30 * kSecondFrames);
    ASSERT_TRUE(speech.ok()) << speech.status();
    speech_ = *std::move(speech);
    path_ = absl::StrCat(testing::TempDir(), "/speech.wav");
    ASSERT_TRUE(WriteWav(path_, 1, speech_).ok());
  }

  void TearDown() override { std::remove(path_.c_str()); }

  std::unique_ptr<ChildProcess> StartVictim(std::vector<std::string> command,
                                            const std::string& stdin_path) {
    std::vector<std::string> argv = {kToolProgram, "--target", server_->target(), "--session-token",
                                     victim_token_};
    argv.insert(argv.end(), command.begin(), command.end());
    auto child = ChildProcess::Start(argv, {.stdin_path = stdin_path, .environment = {}});
    EXPECT_TRUE(child.ok()) << child.status();
    return child.ok() ? *std::move(child) : nullptr;
  }

  // Events of the victim's session of one kind.
  std::vector<v1::LogEntry> VictimEvents(v1::EventKind kind) {
    std::vector<v1::LogEntry> chosen;
    const auto events = ReadEvents(*client_);
    if (!events.ok()) return chosen;
    for (const v1::LogEntry& event : EventsOf(*events, kind, "")) {
      if (event.session_id() == victim_id_) chosen.push_back(event);
    }
    return chosen;
  }

  bool AwaitVictimEvents(v1::EventKind kind, int64_t count) {
    const auto enough = [&](const std::vector<v1::LogEntry>& events) {
      return std::count_if(events.begin(), events.end(), [&](const v1::LogEntry& event) {
               return event.session_id() == victim_id_;
             }) == count;
    };
    const auto events = AwaitEvents(*client_, {kind}, enough, kLongEnough);
    EXPECT_TRUE(events.ok()) << events.status();
    return events.ok();
  }

  // What the server sent to outputs 3 and 4, interleaved.
  std::vector<float> SentToDevice(int64_t first_frame, int64_t frames) {
    v1::RecordConfig config;
    config.set_source(v1::RECORD_SOURCE_OUTPUT);
    config.mutable_start()->set_frame(first_frame);
    config.set_frames(frames);
    config.mutable_channel_map()->add_channels(3);
    config.mutable_channel_map()->add_channels(4);
    auto stream = client::RecordStream::Open(session_, config);
    EXPECT_TRUE(stream.ok()) << stream.status();
    std::vector<float> samples;
    while (stream.ok()) {
      const auto audio = (*stream)->Read(frames, kLongEnough);
      if (!audio.ok() || audio->samples.empty()) break;
      EXPECT_EQ(audio->lost_frames, 0);
      samples.insert(samples.end(), audio->samples.begin(), audio->samples.end());
    }
    EXPECT_EQ(static_cast<int64_t>(samples.size()), 2 * frames);
    return samples;
  }

  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
  std::string victim_id_;
  std::string victim_token_;
  std::vector<float> speech_;
  std::string path_;
};

TEST_F(KilledClientTest, LeavesNothingBehindAndDisturbsNobody) {
  const auto player = StartVictim({"play", path_, "--outputs", "3"}, "");
  const auto streamer = StartVictim(
      {"stream", "--play", "--outputs", "4", "--underrun", "silence", "--prebuffer", "1"}, path_);
  ASSERT_TRUE(player != nullptr && streamer != nullptr);
  ASSERT_TRUE(AwaitVictimEvents(v1::EVENT_KIND_ACTION_STARTED, 2));

  const auto stream = GetStream(*client_);
  ASSERT_TRUE(stream.ok());
  Survivor survivor(session_, {speech_.begin(), speech_.begin() + 16 * kSecondFrames});
  ASSERT_NO_FATAL_FAILURE(
      survivor.Start(stream->next_frame() + kSecondFrames,
                     stream->input_latency_frames() + stream->output_latency_frames()));

  v1::GetBufferRequest get_buffer;
  {
    const auto buffers =
        client_->Call(&client::Stubs::buffers, &v1::BufferService::Stub::ListBuffers,
                      v1::ListBuffersRequest(), {.token = victim_token_});
    ASSERT_TRUE(buffers.ok()) << buffers.status();
    ASSERT_EQ(buffers->buffers_size(), 1);
    get_buffer.set_buffer_id(buffers->buffers(0).buffer_id());
  }
  const client::Audio same_size = {.channels = 1, .sample_rate_hz = 48000, .samples = speech_};
  EXPECT_TRUE(absl::IsResourceExhausted(client::Buffer::Upload(session_, same_size, {}).status()));

  // Both are in mid-stream, 3 s after they began.
  const int64_t middle_frame =
      VictimEvents(v1::EVENT_KIND_ACTION_STARTED)[1].frame() + 3 * kSecondFrames;
  ASSERT_TRUE(AwaitFrame(*client_, middle_frame, kLongEnough).ok());
  ASSERT_TRUE(VictimEvents(v1::EVENT_KIND_ACTION_ENDED).empty());
  const absl::Time killed = absl::Now();
  player->Signal(SIGKILL);
  streamer->Signal(SIGKILL);
  EXPECT_EQ(player->Wait(kLongEnough).value(), -SIGKILL);
  EXPECT_EQ(streamer->Wait(kLongEnough).value(), -SIGKILL);

  // The log says so.
  ASSERT_TRUE(AwaitVictimEvents(v1::EVENT_KIND_ACTION_ENDED, 2));
  EXPECT_EQ(VictimEvents(v1::EVENT_KIND_CALL_DETACHED).size(), 1);
  const auto expired = VictimEvents(v1::EVENT_KIND_SESSION_EXPIRED);
  ASSERT_EQ(expired.size(), 1);
  EXPECT_EQ(expired[0].session_label(), kVictimLabel);
  const absl::Duration expired_after = client::FromProto(expired[0].time()) - killed;
  EXPECT_LE(expired_after, kTtl + absl::Seconds(2));
  std::printf("expired %s after it was killed, with a TTL of %s\n",
              absl::FormatDuration(expired_after).c_str(), absl::FormatDuration(kTtl).c_str());

  // Its sound is over, cut at the frame that the log tells.
  const auto starts = VictimEvents(v1::EVENT_KIND_ACTION_STARTED);
  const auto ends = VictimEvents(v1::EVENT_KIND_ACTION_ENDED);
  for (const v1::LogEntry& start : starts) {
    const auto mine = EventsOf(ends, v1::EVENT_KIND_ACTION_ENDED, start.action_id());
    ASSERT_EQ(mine.size(), 1);
    const v1::LogEntry& end = mine[0];
    // Ended by its session; the stream had no call any more.
    EXPECT_TRUE(end.end_reason() == v1::END_REASON_SESSION_ENDED ||
                end.end_reason() == v1::END_REASON_DISCONNECTED);
    const int64_t sounded_frames = end.frame() - start.frame();
    ASSERT_GT(sounded_frames, 3 * kSecondFrames);
    const std::vector<float> sent = SentToDevice(start.frame(), sounded_frames + kSecondFrames);
    const bool was_player = end.end_reason() == v1::END_REASON_SESSION_ENDED;
    std::vector<float> sound = Channel(sent, 2, was_player ? 0 : 1);
    const std::vector<float> after(sound.begin() + sounded_frames, sound.end());
    EXPECT_EQ(FirstDifference(after, std::vector<float>(kSecondFrames, 0.0F)), -1);
    // The stream ran dry when nothing came any more; what sounded until 3 s is certain.
    sound.resize(static_cast<size_t>(was_player ? sounded_frames : 3 * kSecondFrames));
    EXPECT_EQ(FirstDifference(sound, absl::MakeSpan(speech_).subspan(0, sound.size())), -1);
  }

  // Its memory is freed, and has room for another's.
  EXPECT_TRUE(
      absl::IsNotFound(client_
                           ->Call(&client::Stubs::buffers, &v1::BufferService::Stub::GetBuffer,
                                  get_buffer, session_->call())
                           .status()));
  const auto uploaded = client::Buffer::Upload(session_, same_size, {});
  EXPECT_TRUE(uploaded.ok()) << uploaded.status();
  const auto sessions =
      client_->Call(&client::Stubs::sessions, &v1::SessionService::Stub::ListSessions,
                    v1::ListSessionsRequest(), {});
  ASSERT_TRUE(sessions.ok()) << sessions.status();
  ASSERT_EQ(sessions->sessions_size(), 1);
  EXPECT_EQ(sessions->sessions(0).session_id(), session_->id());
  EXPECT_TRUE(absl::IsUnauthenticated(client_
                                          ->Call(&client::Stubs::sessions,
                                                 &v1::SessionService::Stub::KeepSession,
                                                 v1::KeepSessionRequest(), {.token = victim_token_})
                                          .status()));
  survivor.ExpectNothingWasLost();
}

}  // namespace
}  // namespace rtmixd
