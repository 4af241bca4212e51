// The other host is gone without a word: every packet is swallowed from one moment on, as when a
// machine loses power. What a client learns by itself is watched from its host (a stream, a call
// and rtmixctl), what the server learned is read from its log once packets pass again. By design
// both know within 3 s; the machine may stall, so 10 s are asserted and the figures printed.

#include <sys/wait.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/duration.h"
#include "client_cpp/play_stream.h"
#include "client_cpp/record_stream.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/integration/two_hosts.h"
#include "tests/support/event_watch.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(10);
constexpr absl::Duration kLongEnough = absl::Seconds(60);
// Of rtmixctl: the server cannot be reached, or left.
constexpr int kUnreachableExitCode = 3;

class VanishedPeerTest : public TwoHostsTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(ConnectByRelay({.one_way_delay = absl::Milliseconds(1)}));
    ASSERT_NO_FATAL_FAILURE(StartServer());
    auto client = client::Client::Connect(server().target());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
  }

  std::shared_ptr<client::Session> NewSession(absl::Duration ttl) {
    auto session = client::Session::Create(client_, {.label = "far away", .ttl = ttl});
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? *session : nullptr;
  }

  static void Print(const char* who, absl::Duration after) {
    std::printf("%s after %s\n", who, absl::FormatDuration(after).c_str());
  }

  std::shared_ptr<client::Client> client_;
};

TEST_F(VanishedPeerTest, StreamAndCallsOfTheClientLearnOfIt) {
  // With a TTL of less than the silence that is borne, the first notice is the end.
  const auto session = NewSession(absl::Seconds(2));
  ASSERT_NE(session, nullptr);
  auto record = client::RecordStream::Open(session, v1::RecordConfig());
  ASSERT_TRUE(record.ok()) << record.status();
  const auto watch = ChildProcess::Start(
      {kToolProgram, "--target", server().target(), "watch", "--json", "--from-sequence", "1"});
  ASSERT_TRUE(watch.ok()) << watch.status();
  // It watches once it has told of something.
  ASSERT_TRUE((*watch)->ReadLine(kLongEnough).ok());

  const absl::Time gone = absl::Now();
  relay().SetCut(true);
  absl::Status stream_status;
  while (stream_status.ok() && absl::Now() < gone + kLongEnough) {
    stream_status = (*record)->Read(1 << 16, absl::Milliseconds(50)).status();
  }
  const absl::Duration stream_after = absl::Now() - gone;
  EXPECT_TRUE(absl::IsUnavailable(stream_status)) << stream_status;
  EXPECT_LE(stream_after, kLimit);
  Print("the client's stream knew", stream_after);
  EXPECT_EQ((*watch)->Wait(kLongEnough).value_or(-1), kUnreachableExitCode);
  const absl::Duration watch_after = absl::Now() - gone;
  EXPECT_LE(watch_after, kLimit);
  Print("rtmixctl watch knew at the latest", watch_after);

  const absl::Time asked = absl::Now();
  EXPECT_TRUE(absl::IsUnavailable(GetStream(*client_).status()));
  EXPECT_LE(absl::Now() - asked, kLimit);
  Print("a call failed", absl::Now() - asked);
}

TEST_F(VanishedPeerTest, ServerDetachesTheCallsOfTheClient) {
  const auto session = NewSession(absl::Minutes(1));
  ASSERT_NE(session, nullptr);
  auto record = client::RecordStream::Open(session, v1::RecordConfig());
  ASSERT_TRUE(record.ok()) << record.status();
  v1::PlayConfig config;
  config.set_channels(1);
  auto play = client::PlayStream::Open(session, config);
  ASSERT_TRUE(play.ok()) << play.status();
  ASSERT_FALSE((*record)->Read(1, kLongEnough).value().samples.empty());

  const absl::Time gone = absl::Now();
  relay().SetCut(true);
  // The other host is away for longer than asserted, so that a server that notices only when it is
  // called again is found out.
  absl::SleepFor(kLimit + absl::Seconds(1));
  relay().SetCut(false);
  const auto events = AwaitEvents(
      *client_, {v1::EVENT_KIND_CALL_DETACHED, v1::EVENT_KIND_CALL_REATTACHED},
      [](const std::vector<v1::LogEntry>& log) {
        return EventsOf(log, v1::EVENT_KIND_CALL_REATTACHED, "").size() >= 2;
      },
      kLongEnough);
  ASSERT_TRUE(events.ok()) << events.status();
  for (const auto& [name, action_id] :
       {std::pair("recording", (*record)->action_id()), {"play", (*play)->action_id()}}) {
    const auto detached = EventsOf(*events, v1::EVENT_KIND_CALL_DETACHED, action_id);
    ASSERT_FALSE(detached.empty());
    const absl::Duration after = client::FromProto(detached[0].time()) - gone;
    EXPECT_GE(after, absl::ZeroDuration());
    EXPECT_LE(after, kLimit) << name;
    Print("the server detached a call", after);
  }
}

}  // namespace
}  // namespace rtmixd
