// Who gets in, and what is said to who does not: the real server and rtmixctl, with certificates
// that tools/make_test_ca makes, on loopback. Then what is replaced while they run: certificates
// and tokens, while audio goes on.

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/client.h"
#include "client_cpp/session.h"
#include "tests/integration/server_process.h"
#include "tests/support/child_process.h"

namespace rtmixd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kUnreachable = 3;
constexpr int kRefused = 4;
constexpr int kBusy = 5;

constexpr char kObserver[] = "token-of-an-observer";
constexpr char kPlayer[] = "token-of-a-player-01";
constexpr char kAdministrator[] = "token-of-an-administrator";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Into place complete, as whoever replaces such files should.
void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path + ".new") << text;
  chmod((path + ".new").c_str(), 0600);
  fs::rename(path + ".new", path);
}

class SecurityTest : public testing::Test {
 protected:
  struct Outcome {
    int exit_code = -1;
    std::string out;
    std::string err;
  };

  void SetUp() override {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    MakeCa("ca");
  }
  void TearDown() override {
    if (server_ == nullptr) return;
    server_->Signal(SIGTERM);
    const auto code = server_->Wait(kPatience);
    EXPECT_TRUE(code.ok() && *code == 0) << code.status();
    // Whatever happened, no secret was logged.
    for (const char* const token : {kObserver, kPlayer, kAdministrator}) {
      EXPECT_THAT(Log(), Not(HasSubstr(token)));
    }
  }

  std::string Path(const std::string& name) const { return absl::StrCat(dir_, "/", name); }
  void MakeCa(const std::string& name, const std::vector<std::string>& hosts = {},
              const std::string& days = "30") {
    std::vector<std::string> argv = {"env", "DAYS=" + days, "tools/make_test_ca", Path(name)};
    argv.insert(argv.end(), hosts.begin(), hosts.end());
    const auto made = RunCommand(argv);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  // The same CA, with which other certificates can be made.
  void CopyCa(const std::string& from, const std::string& to) { fs::copy(Path(from), Path(to)); }
  std::string Tokens() {
    WriteFile(Path("tokens"), absl::StrCat("observe watcher ", kObserver, "\nplay ci ", kPlayer,
                                           "\nadminister alice ", kAdministrator, "\n"));
    return Path("tokens");
  }
  std::vector<std::string> Tls(const std::string& ca = "ca") const {
    return {"--tls-cert", Path(ca + "/server.pem"), "--tls-key", Path(ca + "/server.key")};
  }

  // A program whose errors are kept.
  static std::unique_ptr<ChildProcess> Begin(const std::string& err,
                                             const std::vector<std::string>& command,
                                             const std::vector<std::string>& environment = {}) {
    std::vector<std::string> argv = {"sh", "-c", "exec \"$@\" 2>\"$ERRORS\"", "sh"};
    argv.insert(argv.end(), command.begin(), command.end());
    ChildProcess::Options options;
    options.environment = environment;
    options.environment.push_back("ERRORS=" + err);
    auto process = ChildProcess::Start(argv, options);
    EXPECT_TRUE(process.ok()) << process.status();
    return process.ok() ? *std::move(process) : nullptr;
  }
  Outcome Run(const std::vector<std::string>& command,
              const std::vector<std::string>& environment = {}) {
    const auto process = Begin(Path("err"), command, environment);
    const auto code = process->Wait(kPatience);
    EXPECT_TRUE(code.ok()) << code.status();
    return {code.value_or(-1), process->output(), ReadFile(Path("err"))};
  }

  void StartServer(std::vector<std::string> flags, const std::string& host = "127.0.0.1") {
    std::vector<std::string> command = {kServerProgram, "--device", "virtual", "--listen",
                                        host + ":0"};
    command.insert(command.end(), flags.begin(), flags.end());
    server_ = Begin(Path("log"), command);
    const auto line = server_->ReadLine(kPatience);
    ASSERT_TRUE(line.ok()) << line.status() << Log();
    absl::string_view target = *line;
    ASSERT_TRUE(absl::ConsumePrefix(&target, "listening on ")) << *line;
    target_ = std::string(target);
  }
  std::string Log() const { return ReadFile(Path("log")); }

  Outcome Ctl(std::vector<std::string> arguments,
              const std::vector<std::string>& environment = {}) {
    arguments.insert(arguments.begin(), {kToolProgram, "--target", target_});
    return Run(arguments, environment);
  }
  // What rtmixctl says when it is to speak TLS with this CA, and what else is given.
  Outcome Status(const std::string& ca, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"status"};
    if (!ca.empty()) arguments.insert(arguments.end(), {"--ca", Path(ca + "/ca.pem")});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Ctl(arguments);
  }
  std::string TokenFile(const std::string& token) {
    const std::string path = Path("token." + std::to_string(++token_files_));
    WriteFile(path, token + "\n");
    return path;
  }
  // Calls until `wanted` is what comes of it: what was replaced counts a second later at the
  // latest.
  template <typename Try>
  void Until(int wanted, const Try& attempt) {
    const absl::Time deadline = absl::Now() + kPatience;
    Outcome outcome;
    do {
      outcome = attempt();
    } while (outcome.exit_code != wanted && absl::Now() < deadline);
    EXPECT_EQ(outcome.exit_code, wanted) << outcome.err;
  }

  const std::string dir_ = testing::TempDir() + "/security";
  std::unique_ptr<ChildProcess> server_;
  std::string target_;
  int token_files_ = 0;
};

TEST_F(SecurityTest, TlsWorks) {
  StartServer(Tls());
  const Outcome status = Status("ca");
  EXPECT_EQ(status.exit_code, 0) << status.err;
  EXPECT_THAT(status.out, HasSubstr("server 127.0.0.1:"));
}

TEST_F(SecurityTest, TlsIsOfVersionOneTwoOrNewer) {
  StartServer(Tls());
  const auto shake = [this](const std::string& version) {
    return Run({"openssl", "s_client", "-connect", target_, "-brief", "-alpn", "h2", version,
                "-cipher", "DEFAULT@SECLEVEL=0"})
        .exit_code;
  };
  EXPECT_EQ(shake("-tls1_2"), 0);
  EXPECT_NE(shake("-tls1_1"), 0);
  EXPECT_NE(shake("-tls1"), 0);
}

TEST_F(SecurityTest, MutualTlsWorksAndTheEnvironmentSaysTheSame) {
  std::vector<std::string> flags = Tls();
  flags.insert(flags.end(), {"--client-ca", Path("ca/ca.pem")});
  StartServer(flags);
  EXPECT_EQ(
      Status("ca", {"--cert", Path("ca/client.pem"), "--key", Path("ca/client.key")}).exit_code, 0);
  const std::vector<std::string> environment = {"RTMIXD_CA=" + Path("ca/ca.pem"),
                                                "RTMIXD_CERT=" + Path("ca/client.pem"),
                                                "RTMIXD_KEY=" + Path("ca/client.key")};
  EXPECT_EQ(Ctl({"status"}, environment).exit_code, 0);
  // What a lease runs finds its way, too.
  const Outcome leased = Ctl({"--ca", Path("ca/ca.pem"), "--cert", Path("ca/client.pem"), "--key",
                              Path("ca/client.key"), "lease", "--", kToolProgram, "status"});
  EXPECT_EQ(leased.exit_code, 0) << leased.err;
}

TEST_F(SecurityTest, SaysThatTheServerSpeaksPlainText) {
  StartServer({});
  const Outcome status = Status("ca");
  EXPECT_EQ(status.exit_code, kUnreachable);
  EXPECT_THAT(status.err, AllOf(HasSubstr(target_), HasSubstr("speaks plain text")));
}

TEST_F(SecurityTest, SaysThatTheServerWantsTls) {
  StartServer(Tls());
  const Outcome status = Status("");
  EXPECT_EQ(status.exit_code, kUnreachable);
  EXPECT_THAT(status.err, HasSubstr("the server speaks TLS: give the CA"));
}

TEST_F(SecurityTest, SaysThatTheCaIsAnother) {
  MakeCa("other");
  StartServer(Tls());
  const Outcome status = Status("other");
  EXPECT_EQ(status.exit_code, kUnreachable);
  EXPECT_THAT(status.err, HasSubstr("not of a CA in " + Path("other/ca.pem")));
}

TEST_F(SecurityTest, SaysThatTheCertificateIsForAnotherHost) {
  MakeCa("ca", {"rig7.example"});
  StartServer(Tls());
  const Outcome status = Status("ca");
  EXPECT_EQ(status.exit_code, kUnreachable);
  EXPECT_THAT(status.err, HasSubstr("the server's certificate is not for 127.0.0.1"));
}

TEST_F(SecurityTest, SaysThatTheCertificateHasExpired) {
  // rtmixd does not start with one; only a server that outlives its certificate has it.
  MakeCa("ca", {}, "-1");
  const auto other =
      Begin(Path("err"), {"openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-alpn", "h2",
                          "-cert", Path("ca/server.pem"), "-key", Path("ca/server.key")});
  absl::StatusOr<std::string> line;
  do {
    line = other->ReadLine(kPatience);
    ASSERT_TRUE(line.ok()) << line.status();
  } while (!absl::StartsWith(*line, "ACCEPT "));
  target_ = line->substr(7);
  // It serves one connection after the other, and may still be at the first when it is asked why.
  const absl::Time deadline = absl::Now() + kPatience;
  Outcome status;
  do {
    status = Status("ca");
    ASSERT_EQ(status.exit_code, kUnreachable);
  } while (!absl::StrContains(status.err, "has expired") && absl::Now() < deadline);
  EXPECT_THAT(status.err, HasSubstr("the server's certificate has expired"));
}

TEST_F(SecurityTest, SaysWhatIsWrongWithTheClientsCertificate) {
  std::vector<std::string> flags = Tls();
  flags.insert(flags.end(), {"--client-ca", Path("ca/ca.pem")});
  StartServer(flags);
  const Outcome missing = Status("ca");
  EXPECT_EQ(missing.exit_code, kUnreachable);
  EXPECT_THAT(missing.err, HasSubstr("the server wants a certificate of its clients"));
  MakeCa("other");
  const auto with = [this](const std::string& dir) {
    return Status("ca", {"--cert", Path(dir + "/client.pem"), "--key", Path(dir + "/client.key")});
  };
  const Outcome refused = with("other");
  EXPECT_EQ(refused.exit_code, kUnreachable);
  EXPECT_THAT(refused.err, HasSubstr("does not accept the client's certificate"));
  CopyCa("ca", "old");
  MakeCa("old", {}, "-1");
  const Outcome expired = with("old");
  EXPECT_EQ(expired.exit_code, kUnreachable);
  EXPECT_THAT(expired.err,
              HasSubstr("old/client.pem: it is not of a CA that it trusts, or has expired"));
}

TEST_F(SecurityTest, SaysWhatIsWrongWithFilesOfTheClient) {
  StartServer({});
  EXPECT_THAT(Status("missing").err, HasSubstr("cannot read the certificates of the CA in"));
  EXPECT_THAT(Status("ca", {"--cert", Path("ca/client.pem")}).err, HasSubstr("give both"));
  EXPECT_THAT(Status("", {"--token-file", TokenFile("two words")}).err, HasSubstr("no token"));
  EXPECT_EQ(Status("", {"--token-file", Path("none")}).exit_code, kRefused);
}

TEST_F(SecurityTest, SaysWhatIsWrongWithTheToken) {
  StartServer({"--token-file", Tokens()});
  const Outcome missing = Status("");
  EXPECT_EQ(missing.exit_code, kRefused);
  EXPECT_THAT(missing.err, AllOf(HasSubstr("role observe"), HasSubstr("none was sent")));
  const Outcome wrong = Status("", {"--token-file", TokenFile("a-token-of-nobody")});
  EXPECT_EQ(wrong.exit_code, kRefused);
  EXPECT_THAT(wrong.err, AllOf(HasSubstr("does not know"), Not(HasSubstr("a-token-of-nobody"))));
  const Outcome low = Ctl({"close", "--token-file", TokenFile(kPlayer)});
  EXPECT_EQ(low.exit_code, kRefused);
  EXPECT_THAT(low.err, HasSubstr("CloseStream needs the role administer; the token of ci has the "
                                 "role play"));
  EXPECT_EQ(Ctl({"close"}, {"RTMIXD_TOKEN_FILE=" + TokenFile(kAdministrator)}).exit_code, 0);
}

TEST_F(SecurityTest, HealthAndReflectionNeedAToken) {
  StartServer({"--token-file", Tokens()});
  const auto channel = grpc::CreateChannel(target_, grpc::InsecureChannelCredentials());
  grpc::GenericStub stub(channel);
  for (const char* const method :
       {"/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}) {
    for (const bool with_token : {false, true}) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
      if (with_token) context.AddMetadata("authorization", std::string("Bearer ") + kObserver);
      grpc::CompletionQueue queue;
      const grpc::Slice empty("");
      const auto call =
          stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(&empty, 1), &queue);
      call->StartCall();
      grpc::ByteBuffer answer;
      grpc::Status status;
      call->Finish(&answer, &status, nullptr);
      void* tag = nullptr;
      bool ok = false;
      queue.Next(&tag, &ok);
      queue.Shutdown();
      EXPECT_EQ(status.error_code() != grpc::StatusCode::UNAUTHENTICATED, with_token)
          << method << " " << status.error_message();
    }
  }
}

TEST_F(SecurityTest, AnAdministratorBreaksALeaseAndTheHolderIsTold) {
  StartServer({"--token-file", Tokens()});
  const std::string administrator = TokenFile(kAdministrator);
  const auto holder =
      Begin(Path("holder"),
            {kToolProgram, "--target", target_, "--token-file", TokenFile(kPlayer), "lease",
             "--ttl", "1", "--label", "forgotten", "--", "sh", "-c", "echo leased; sleep 600"});
  ASSERT_TRUE(holder->ReadLine(kPatience).ok());
  const Outcome sessions = Ctl({"sessions", "--token-file", administrator});
  EXPECT_THAT(sessions.out, HasSubstr("forgotten (exclusive)"));
  const std::string id = sessions.out.substr(0, sessions.out.find(' '));
  const Outcome waiting = Ctl({"lease", "--token-file", TokenFile(kPlayer), "--", "true"});
  EXPECT_EQ(waiting.exit_code, kBusy);
  EXPECT_THAT(waiting.err, HasSubstr("held by: forgotten"));
  const Outcome broken =
      Ctl({"break-session", id, "--reason", "needed elsewhere", "--token-file", administrator});
  EXPECT_EQ(broken.exit_code, 0) << broken.err;
  EXPECT_EQ(Ctl({"lease", "--token-file", TokenFile(kPlayer), "--", "true"}).exit_code, 0);
  EXPECT_EQ(Ctl({"break-session", id, "--token-file", administrator}).exit_code, kRefused);
}

TEST_F(SecurityTest, TheLimitOfCallsIsNamed) {
  StartServer({"--max-calls-per-second", "1"});
  Until(kBusy, [this] { return Status(""); });
  EXPECT_THAT(ReadFile(Path("err")), HasSubstr("max_calls_per_second is 1"));
}

TEST_F(SecurityTest, OtherHostsAreNotListenedToWithoutTls) {
  for (const char* const address : {"0.0.0.0:0", "[::]:0"}) {
    const Outcome refused = Run({kServerProgram, "--device", "virtual", "--listen", address});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err,
                AllOf(HasSubstr(address), HasSubstr("--tls-cert"), HasSubstr("--insecure")));
    EXPECT_EQ(refused.out, "");
  }
}

TEST_F(SecurityTest, WithoutTlsOnPurposeItWarns) {
  StartServer({"--insecure"}, "0.0.0.0");
  EXPECT_THAT(Log(), AllOf(HasSubstr("warning: 0.0.0.0:0 is open to other hosts without TLS"),
                           HasSubstr("neither --token-file nor --client-ca")));
}

TEST_F(SecurityTest, WithTlsAndTokensItDoesNotWarn) {
  std::vector<std::string> flags = Tls();
  flags.insert(flags.end(), {"--token-file", Tokens()});
  StartServer(flags, "0.0.0.0");
  EXPECT_EQ(Log(), "");
}

TEST_F(SecurityTest, LoopbackNeedsNothingAndSocketsNeither) {
  StartServer({"--insecure"});
  EXPECT_EQ(Log(), "");
}

TEST_F(SecurityTest, WrongFlagsAreRefused) {
  const auto refusal = [this](std::vector<std::string> flags, int code) {
    flags.insert(flags.begin(), {kServerProgram, "--device", "virtual", "--listen", "127.0.0.1:0"});
    const Outcome outcome = Run(flags);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    return outcome.err + outcome.out;
  };
  EXPECT_THAT(refusal({"--tls-cert", Path("ca/server.pem")}, 2), HasSubstr("--tls-key"));
  EXPECT_THAT(refusal({"--client-ca", Path("ca/ca.pem")}, 2), HasSubstr("--tls-cert"));
  EXPECT_THAT(refusal({"--insecure", "--tls-cert", Path("ca/server.pem"), "--tls-key",
                       Path("ca/server.key")},
                      2),
              HasSubstr("--insecure"));
  EXPECT_THAT(refusal({"--max-exclusive", "0"}, 2), HasSubstr("--max-exclusive"));
  EXPECT_THAT(refusal({"--max-calls-per-second", "0"}, 2), HasSubstr("--max-calls-per-second"));
  EXPECT_THAT(refusal({"--token-file", Path("none")}, 1), HasSubstr(Path("none")));
  EXPECT_THAT(refusal({"--tls-cert", Path("ca/server.pem"), "--tls-key", Path("ca/client.key")}, 1),
              HasSubstr("is not the key of"));
}

// Reads what the server records, so that it would be seen if it stopped.
class Listener {
 public:
  Listener(const std::string& target, const client::Security& security) {
    auto client = client::Client::Connect(target, security, kPatience);
    EXPECT_TRUE(client.ok()) << client.status();
    if (!client.ok()) return;
    client_ = *std::move(client);
    auto session =
        client::Session::Create(client_, {.label = "listener", .ttl = absl::Minutes(30)});
    EXPECT_TRUE(session.ok()) << session.status();
    if (!session.ok()) return;
    session_ = *std::move(session);
    client::Client::Prepare(session_->token(), absl::InfiniteDuration(), context_);
    v1::StreamRecordingRequest request;
    request.mutable_config();
    stubs_ = client_->stubs();
    // Read all the while: gRPC answers the server's pings only while somebody waits for something.
    reading_ = std::thread([this, request] { ReadAll(request); });
  }
  ~Listener() {
    context_.TryCancel();
    if (reading_.joinable()) reading_.join();
  }

  // Whether audio that is recorded from now on comes.
  bool HearsOn() {
    absl::MutexLock lock(&mu_);
    const int64_t enough = bytes_ + kBytes;
    const auto done = [this, enough]()
                          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return bytes_ >= enough || ended_; };
    mu_.AwaitWithTimeout(absl::Condition(&done), kPatience);
    return bytes_ >= enough;
  }

 private:
  // More than what can be on its way.
  static constexpr int64_t kBytes = 800'000;

  void ReadAll(const v1::StreamRecordingRequest& request) {
    const auto reader = stubs_->audio->StreamRecording(&context_, request);
    v1::StreamRecordingResponse response;
    while (reader->Read(&response)) {
      absl::MutexLock lock(&mu_);
      if (response.has_audio()) bytes_ += static_cast<int64_t>(response.audio().data().size());
    }
    reader->Finish();
    absl::MutexLock lock(&mu_);
    ended_ = true;
  }

  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
  std::shared_ptr<const client::Stubs> stubs_;
  grpc::ClientContext context_;
  absl::Mutex mu_;
  int64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::thread reading_;
};

TEST_F(SecurityTest, CertificatesAreReplacedWhileAudioGoesOn) {
  MakeCa("other");
  StartServer(Tls());
  Listener listener(target_, {.ca = Path("ca/ca.pem")});
  ASSERT_TRUE(listener.HearsOn());
  ASSERT_EQ(Status("other").exit_code, kUnreachable);
  // A key without its certificate is no use: the old pair stays, and the log says why.
  WriteFile(Path("ca/server.key"), ReadFile(Path("other/server.key")));
  EXPECT_EQ(Status("ca").exit_code, 0);
  EXPECT_THAT(Log(), AllOf(HasSubstr("certificates stay as they were"),
                           HasSubstr("ca/server.key is not the key of")));
  WriteFile(Path("ca/server.pem"), ReadFile(Path("other/server.pem")));
  EXPECT_EQ(Status("other").exit_code, 0);
  EXPECT_EQ(Status("ca").exit_code, kUnreachable);
  EXPECT_THAT(Log(), HasSubstr("certificates read again"));
  EXPECT_TRUE(listener.HearsOn());
}

TEST_F(SecurityTest, TokensAreReplacedWhileAudioGoesOn) {
  StartServer({"--token-file", Tokens()});
  const std::string old_token = TokenFile(kPlayer);
  Listener listener(target_, {.token_file = old_token});
  ASSERT_TRUE(listener.HearsOn());
  WriteFile(Path("tokens"), "nonsense\n");
  Until(0, [&] {
    Outcome outcome = Status("", {"--token-file", old_token});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    if (Log().find("tokens stay as they were") == std::string::npos) outcome.exit_code = -1;
    return outcome;
  });
  WriteFile(Path("tokens"), "play ci the-new-token-of-ci\n");
  Until(kRefused, [&] { return Status("", {"--token-file", old_token}); });
  EXPECT_EQ(Status("", {"--token-file", TokenFile("the-new-token-of-ci")}).exit_code, 0);
  EXPECT_TRUE(listener.HearsOn());
}

}  // namespace
}  // namespace rtmixd
