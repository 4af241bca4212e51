// Clients are killed, stopped and cut off inside every RPC, many at once, while others stream:
// after its TTL and 1 s nothing of a dead client sounds, is held or is locked, the others get every
// frame, and the server takes no more memory than before.
//
//   --faults=N --seed=N   how many, and which; see tools/faults
//
// It needs root, for network namespaces.

#include <google/protobuf/descriptor.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/record_stream.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/fault/survivor.h"
#include "tests/fault/victim_host.h"
#include "tests/integration/server_process.h"
#include "tests/support/child_process.h"
#include "tests/support/dice.h"
#include "tests/support/network_namespace.h"
#include "tests/support/polling.h"

namespace rtmixd {
namespace {

// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): flags
int64_t faults_wanted = 60;
uint64_t seed = 1;
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

constexpr std::array kFaults = {Fault::kKill, Fault::kStop, Fault::kCut, Fault::kHalfOpen};
constexpr absl::Duration kGoneAfter = absl::Seconds(3);  // a victim's TTL and 1 s
constexpr absl::Duration kLongEnough = absl::Seconds(60);
// A victim is inside its RPC for so long at the most before something happens.
constexpr int64_t kMaxMillisBeforeFault = 600;
constexpr int kHosts = 12;
// Starting takes most of the work, and the server cuts off who has no time to answer its pings.
constexpr int kMaxStarting = 3;
// Output 1 and 2 are the survivors'.
constexpr int kFirstVictimChannel = 3;
constexpr int kRateHz = 16000;
// The survivors' and one of each victim, and a few.
constexpr int kMaxStreams = 20;
constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kBufferMib = 64;
// What a resident size may differ by: arenas of malloc, pages of pools of gRPC.
constexpr int64_t kNoiseBytes = 16 * kMiB;
// The log of events keeps 65536 of them, and grows until then.
constexpr int64_t kBytesPerEvent = 1024;

std::vector<std::string> AllMethods() {
  std::vector<std::string> methods;
  for (const char* file : {"action", "audio", "buffer", "calibration", "clock", "device", "event",
                           "server_info", "session", "spool", "stream", "virtual_device"}) {
    const auto* const descriptor =
        google::protobuf::DescriptorPool::generated_pool()->FindFileByName(
            absl::StrCat("rtmixd/v1/", file, ".proto"));
    if (descriptor == nullptr) {
      ADD_FAILURE() << file;
      continue;
    }
    for (int s = 0; s < descriptor->service_count(); ++s) {
      for (int m = 0; m < descriptor->service(s)->method_count(); ++m) {
        methods.emplace_back(descriptor->service(s)->method(m)->full_name());
      }
    }
  }
  return methods;
}

int64_t ResidentBytes(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  std::string word;
  while (file >> word) {
    int64_t kib = 0;
    if (word == "VmRSS:" && file >> kib) return kib * 1024;
  }
  return 0;
}

// One victim after the other lives and dies on a host.
struct Victim {
  enum class Phase {
    kNone,
    kStarting,   // until it is inside its RPC
    kInside,     // until something happens
    kStruck,     // until its TTL and 1 s are over
    kListening,  // until it is known whether it sounded then
    kMended,     // until it has found its session gone, if it lives
  };
  std::unique_ptr<VictimHost> host;
  Phase phase = Phase::kNone;
  absl::Time until;  // when that is over, or has taken too long
  std::string label;
  std::string method;
  Fault fault = Fault::kKill;
  absl::Duration delay;
  int64_t begin_frame = 0;   // when it was started
  int64_t silent_frame = 0;  // from where on it must be silent

  std::string Text() const { return absl::StrCat(label, ", ", NameOf(fault), " in ", method); }
  void Begin(Phase next, absl::Duration duration) {
    phase = next;
    until = absl::Now() + duration;
  }
  bool Over() const { return absl::Now() >= until; }
};

class FaultTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto server_host = NetworkNamespace::Create();
    ASSERT_TRUE(server_host.ok()) << server_host.status();
    server_host_ = server_host->release();
    auto host = NetworkNamespace::Create();
    ASSERT_TRUE(host.ok()) << host.status();
    host_ = host->release();
    // Before there are threads.
    ASSERT_TRUE(host_->Enter().ok());
  }

  void SetUp() override {
    auto cable = VethPair::Create(*host_, "10.80.0.2/24", *server_host_, "10.80.0.1/24");
    ASSERT_TRUE(cable.ok()) << cable.status();
    cable_ = *std::move(cable);
    const std::string channels = absl::StrCat(kFirstVictimChannel - 1 + kHosts);
    const std::string buffer_mib = absl::StrCat(kBufferMib);
    {
      const ScopedNetworkNamespace inside(*server_host_);
      auto server = ServerProcess::Start(
          {"--device", "virtual", "--virtual-inputs", channels, "--virtual-outputs", channels,
           "--sample-rate", absl::StrCat(kRateHz), "--max-audio-streams", absl::StrCat(kMaxStreams),
           "--grace", "0.5", "--max-buffer-mib", buffer_mib, "--max-buffer-mib-per-session",
           buffer_mib},
          "0.0.0.0");
      ASSERT_TRUE(server.ok()) << server.status();
      server_ = *std::move(server);
    }
    port_ = server_->target().substr(server_->target().rfind(':'));
    auto client = client::Client::Connect("10.80.0.1" + port_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
  }

  void MakeHosts(int count) {
    for (int i = 0; i < count; ++i) {
      auto host = VictimHost::Create(i + 1, *server_host_);
      ASSERT_TRUE(host.ok()) << host.status();
      victims_.emplace_back().host = *std::move(host);
    }
  }

  std::shared_ptr<client::Session> MakeSession(const std::string& label, bool exclusive = false) {
    auto session = client::Session::Create(client_, {.label = label, .exclusive = exclusive});
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? *session : nullptr;
  }

  // Its channel is that of its host.
  void Start(Victim& victim, const std::string& mode = "") {
    std::vector<std::string> arguments = {victim.label, victim.method,
                                          absl::StrCat(kFirstVictimChannel + IndexOf(victim))};
    if (!mode.empty()) arguments.push_back(mode);
    const absl::Status status = victim.host->Start(port_, arguments);
    ASSERT_TRUE(status.ok()) << status;
    victim.Begin(Victim::Phase::kStarting, kLongEnough);
  }
  int IndexOf(const Victim& victim) const { return static_cast<int>(&victim - victims_.data()); }

  // Whether it has said its next line, which must begin like this.
  static bool HasSaid(const Victim& victim, const std::string& expected) {
    const auto line = victim.host->ReadLine(absl::ZeroDuration());
    if (absl::IsDeadlineExceeded(line.status()) && !victim.Over()) return false;
    EXPECT_TRUE(absl::StartsWith(line.value_or(""), expected))
        << victim.Text() << ": " << (line.ok() ? *line : line.status().ToString());
    return true;
  }

  std::vector<v1::Session> ListSessions() {
    v1::ListSessionsRequest request;
    request.set_page_size(1000);
    const auto sessions = client_->Call(&client::Stubs::sessions,
                                        &v1::SessionService::Stub::ListSessions, request, {});
    EXPECT_TRUE(sessions.ok()) << sessions.status();
    if (!sessions.ok()) return {};
    return {sessions->sessions().begin(), sessions->sessions().end()};
  }

  int64_t NextFrame() {
    const auto stream = GetStream(*client_);
    EXPECT_TRUE(stream.ok()) << stream.status();
    return stream.ok() ? stream->next_frame() : 0;
  }

  int64_t EventCount() {
    const auto all = ReadEvents(*client_);
    EXPECT_TRUE(all.ok()) << all.status();
    return all.ok() && !all->empty() ? all->back().sequence() : 0;
  }

  // Takes it further as far as that can be without waiting.
  void Advance(Victim& victim, const Monitor& monitor, int64_t latency_frames) {
    const int index = IndexOf(victim);
    switch (victim.phase) {
      case Victim::Phase::kNone:
        break;
      case Victim::Phase::kStarting:
        if (HasSaid(victim, "in ")) victim.Begin(Victim::Phase::kInside, victim.delay);
        break;
      case Victim::Phase::kInside:
        if (!victim.Over()) break;
        ASSERT_TRUE(victim.host->Strike(victim.fault).ok());
        victim.Begin(Victim::Phase::kStruck, kGoneAfter);
        break;
      case Victim::Phase::kStruck:
        if (!victim.Over()) break;
        worst_lateness_ = std::max(worst_lateness_, absl::Now() - victim.until);
        victim.silent_frame = NextFrame() + latency_frames;
        for (const v1::Session& session : ListSessions()) {
          EXPECT_NE(session.label(), victim.label) << victim.Text();
        }
        victim.Begin(Victim::Phase::kListening, kLongEnough);
        break;
      case Victim::Phase::kListening:
        ASSERT_FALSE(victim.Over()) << "the monitor does not come to an end";
        if (monitor.seen_frame() < victim.silent_frame + kRateHz / 4) break;
        EXPECT_LT(monitor.LastSound(index), victim.silent_frame) << victim.Text();
        EXPECT_GT(monitor.LastSound(index), victim.begin_frame) << victim.Text();
        ASSERT_TRUE(victim.host->Mend().ok());
        victim.Begin(Victim::Phase::kMended, kLongEnough);
        break;
      case Victim::Phase::kMended:
        const bool lives = victim.fault == Fault::kStop || victim.fault == Fault::kCut;
        if (lives && !HasSaid(victim, "gone")) break;
        ASSERT_TRUE(victim.host->End().ok()) << victim.Text();
        victim.phase = Victim::Phase::kNone;
        break;
    }
  }

  // All that a server of these limits has besides what the survivors hold: memory for audio, but
  // for their rings, and calls.
  void ExpectAllLimitsCanBeHad(int streams_held) {
    v1::CreateBufferRequest create;
    create.set_channels(1);
    create.set_expected_frames((kBufferMib - 2) * kMiB / int64_t{sizeof(float)});
    const auto buffer = client_->Call(
        &client::Stubs::buffers, &v1::BufferService::Stub::CreateBuffer, create, session_->call());
    EXPECT_TRUE(buffer.ok()) << buffer.status();
    std::vector<std::unique_ptr<client::RecordStream>> streams;
    for (int i = streams_held; i < kMaxStreams; ++i) {
      auto record = client::RecordStream::Open(session_, v1::RecordConfig());
      ASSERT_TRUE(record.ok()) << i << ": " << record.status();
      streams.push_back(*std::move(record));
    }
  }

  static const NetworkNamespace* server_host_;
  static const NetworkNamespace* host_;
  std::unique_ptr<VethPair> cable_;
  std::vector<Victim> victims_;
  std::unique_ptr<ServerProcess> server_;
  std::string port_;
  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
  absl::Duration worst_lateness_;
};

// Never freed: gRPC's threads are in them to the end.
const NetworkNamespace* FaultTest::server_host_ = nullptr;
const NetworkNamespace* FaultTest::host_ = nullptr;

TEST_F(FaultTest, NothingOfADeadClientIsLeftAndTheOthersGetEveryFrame) {
  Dice dice(seed);
  const std::vector<std::string> methods = AllMethods();
  ASSERT_NO_FATAL_FAILURE(MakeHosts(kHosts));
  session_ = MakeSession("survivor");
  ASSERT_NE(session_, nullptr);
  const auto stream = GetStream(*client_);
  ASSERT_TRUE(stream.ok()) << stream.status();
  const int64_t latency_frames = stream->input_latency_frames() + stream->output_latency_frames();
  const int64_t start_frame = stream->next_frame() + kRateHz;
  Survivor one(session_, 1);
  Survivor two(session_, 2);
  Monitor monitor(session_, kFirstVictimChannel, kHosts);
  ASSERT_NO_FATAL_FAILURE(one.Start(start_frame, latency_frames));
  ASSERT_NO_FATAL_FAILURE(two.Start(start_frame, latency_frames));
  ASSERT_NO_FATAL_FAILURE(monitor.Start(start_frame));
  constexpr int kSurvivorsStreams = 5;

  // The first round warms up what the server allocates once.
  const int64_t warm_up = std::min<int64_t>(faults_wanted / 2, 8 * kHosts);
  int64_t started = 0;
  int64_t finished = 0;
  int64_t before_bytes = 0;
  int64_t before_events = 0;
  std::map<std::string, int> by_fault;
  std::map<std::string, int> by_method;
  const absl::Time began = absl::Now();
  while (finished < faults_wanted) {
    for (Victim& victim : victims_) {
      if (victim.phase != Victim::Phase::kNone) {
        ASSERT_NO_FATAL_FAILURE(Advance(victim, monitor, latency_frames));
        if (victim.phase != Victim::Phase::kNone) continue;
        ++by_fault[NameOf(victim.fault)];
        ++by_method[victim.method];
        ++finished;
      }
      if (finished == warm_up && before_bytes == 0) {
        absl::SleepFor(kGoneAfter);  // what came back to life has ended, too
        before_bytes = ResidentBytes(server_->process().pid());
        before_events = EventCount();
      }
      if (started == faults_wanted || (started == warm_up && finished < warm_up)) continue;
      const auto starts = [](const Victim& v) { return v.phase == Victim::Phase::kStarting; };
      if (std::count_if(victims_.begin(), victims_.end(), starts) >= kMaxStarting) continue;
      victim.label = absl::StrCat("victim ", started);
      // Every RPC in turn, every fault and moment at random.
      victim.method = methods[static_cast<size_t>(started) % methods.size()];
      victim.fault = kFaults[static_cast<size_t>(dice.Between(0, kFaults.size() - 1))];
      victim.delay = absl::Milliseconds(dice.Between(0, kMaxMillisBeforeFault));
      victim.begin_frame = monitor.seen_frame();
      ++started;
      ASSERT_NO_FATAL_FAILURE(Start(victim));
    }
    absl::SleepFor(absl::Milliseconds(5));
  }
  const absl::Duration took = absl::Now() - began;
  absl::SleepFor(kGoneAfter);

  // What is left is the survivors' alone.
  const auto stats = client_->Call(&client::Stubs::actions, &v1::ActionService::Stub::GetStats,
                                   v1::GetStatsRequest(), {});
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->stats().active_actions(), kSurvivorsStreams);
  EXPECT_EQ(stats->stats().pending_actions(), 0);
  EXPECT_EQ(ListSessions().size(), 1U);
  const int64_t after_bytes = ResidentBytes(server_->process().pid());
  const int64_t events = EventCount() - before_events;
  EXPECT_LE(after_bytes, before_bytes + kNoiseBytes + events * kBytesPerEvent);
  ExpectAllLimitsCanBeHad(kSurvivorsStreams);
  one.End();
  two.End();
  one.Finish();
  two.Finish();

  std::printf("%ld faults in %s, %zu RPCs", static_cast<long>(faults_wanted),
              absl::FormatDuration(absl::Trunc(took, absl::Seconds(1))).c_str(), by_method.size());
  for (const auto& [name, times] : by_fault) std::printf(", %s %d", name.c_str(), times);
  std::printf("\nsurvivors compared %ld frames each at least, %ld were reported as gaps\n",
              static_cast<long>(std::min(one.compared_frames(), two.compared_frames())),
              static_cast<long>(one.gap_frames() + two.gap_frames()));
  std::printf(
      "resident %.1f MiB before, %.1f MiB after, %ld events in between; looked at most %s late\n",
      static_cast<double>(before_bytes) / kMiB, static_cast<double>(after_bytes) / kMiB,
      static_cast<long>(events), absl::FormatDuration(worst_lateness_).c_str());
  if (faults_wanted >= static_cast<int64_t>(methods.size())) {
    EXPECT_EQ(by_method.size(), methods.size());
  }
}

TEST_F(FaultTest, WhatADeadClientHeldAloneIsHadAfterItsTtl) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1));
  Victim& victim = victims_[0];
  for (const Fault fault : kFaults) {
    victim.fault = fault;
    victim.label = absl::StrCat("holder, ", NameOf(fault));
    victim.method = "rtmixd.v1.AudioService.Play";
    ASSERT_NO_FATAL_FAILURE(Start(victim, "exclusive"));
    ASSERT_TRUE(PollUntil([&] { return HasSaid(victim, "in "); }, kLongEnough));
    const auto next = MakeSession("next", /*exclusive=*/true);
    ASSERT_NE(next, nullptr);
    const auto held = next->AwaitExclusive(absl::ZeroDuration());
    ASSERT_TRUE(held.ok()) << held.status();
    ASSERT_EQ(held->session().state(), v1::SESSION_STATE_QUEUED);
    ASSERT_TRUE(victim.host->Strike(fault).ok());
    const auto had = next->AwaitExclusive(kGoneAfter);
    ASSERT_TRUE(had.ok()) << had.status();
    EXPECT_EQ(had->session().state(), v1::SESSION_STATE_EXCLUSIVE) << victim.label;
    ASSERT_TRUE(victim.host->Mend().ok());
    ASSERT_TRUE(victim.host->End().ok());
  }
}

TEST_F(FaultTest, AServerThatStopsEndsEveryCallThatLastsWithAReason) {
  std::vector<std::string> methods;
  for (const std::string& name : AllMethods()) {
    const auto* const method =
        google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
    const bool lasts = method->client_streaming() || method->server_streaming() ||
                       absl::StrContains(name, ".Wait") || absl::StrContains(name, ".Await");
    if (lasts) methods.push_back(name);
  }
  ASSERT_GE(methods.size(), 12U);
  std::vector<std::unique_ptr<ChildProcess>> callers;
  for (const std::string& method : methods) {
    auto caller = ChildProcess::Start({"tests/fault/victim", client_->target(), "caller", method,
                                       absl::StrCat(kFirstVictimChannel), "until-told"});
    ASSERT_TRUE(caller.ok()) << caller.status();
    const auto line = (*caller)->ReadLine(kLongEnough);
    ASSERT_TRUE(line.ok()) << method << ": " << line.status();
    ASSERT_TRUE(absl::StartsWith(*line, "in ")) << method << ": " << *line;
    callers.push_back(*std::move(caller));
  }
  absl::SleepFor(absl::Milliseconds(500));  // so that what lasts is under way
  server_->process().Signal(SIGTERM);
  EXPECT_EQ(server_->process().Wait(kLongEnough).value_or(-1), 0);
  EXPECT_FALSE(server_->process().GroupIsAlive());
  for (size_t i = 0; i < methods.size(); ++i) {
    auto line = callers[i]->ReadLine(kLongEnough);
    if (line.value_or("") == "gone") line = callers[i]->ReadLine(kLongEnough);
    ASSERT_TRUE(line.ok()) << methods[i] << ": " << line.status();
    EXPECT_TRUE(absl::StartsWith(*line, "told")) << methods[i] << ": " << *line;
  }
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    absl::string_view text = argv[i];
    const bool known =
        (absl::ConsumePrefix(&text, "--faults=") &&
         absl::SimpleAtoi(text, &rtmixd::faults_wanted)) ||
        (absl::ConsumePrefix(&text, "--seed=") && absl::SimpleAtoi(text, &rtmixd::seed));
    if (!known) {
      std::fprintf(stderr, "unknown: %s\n", argv[i]);
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
