#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/rtmixctl/json.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {
namespace {

// As shells have it.
constexpr int kCannotRun = 127;

struct LeaseOptions {
  double wait_seconds = 0;
  double ttl_seconds = 15;
  std::optional<double> max_seconds;
  std::string label;
  bool shared = false;
  std::vector<std::string> command;
};

// Waits for the turn of `session`; an error tells who holds the server.
absl::Status AwaitTurn(client::Session& session, absl::Duration wait) {
  const absl::Time deadline = absl::Now() + wait;
  while (true) {
    const absl::Duration slice =
        std::clamp(deadline - absl::Now(), absl::ZeroDuration(), absl::Milliseconds(500));
    auto answer = session.AwaitExclusive(slice);
    if (!answer.ok()) return answer.status();
    if (answer->session().state() == v1::SESSION_STATE_EXCLUSIVE) return absl::OkStatus();
    if (Interrupt::Seen()) return absl::CancelledError("interrupted while waiting for the server");
    if (absl::Now() >= deadline) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the server is still busy after ", absl::FormatDuration(wait),
                       "; held by: ", absl::StrJoin(answer->holder_labels(), ", ")));
    }
  }
}

// Runs the command with the session in its environment; its exit code, 128 + signal if it was
// killed.
int RunCommand(const std::vector<std::string>& command) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // The command is to get its signals as usual, not blocked as here.
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  pid_t child = 0;
  // A signal may come while the command is being started: it waits for that, so that none is lost.
  absl::Notification started;
  Interrupt::Redirect([&child, &started](int signal) {
    started.WaitForNotification();
    // From a terminal, Ctrl-C reaches the whole group, the command too.
    if (child == 0 || (signal == SIGINT && isatty(STDIN_FILENO) == 1)) return;
    kill(child, signal);
  });
  const int error =
      posix_spawnp(&child, arguments[0], nullptr, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) child = 0;
  started.Notify();
  // Until it is waited for below, its number is that of no other process.
  siginfo_t ended;
  while (error == 0 && waitid(P_PID, child, &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  Interrupt::Redirect([](int) {});
  if (error != 0) {
    std::fprintf(stderr, "rtmixctl: cannot run %s: %s\n", arguments[0], std::strerror(error));
    return kCannotRun;
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

absl::StatusOr<ExitCode> Lease(Context& context, const LeaseOptions& options) {
  auto client = context.Connect();
  if (!client.ok()) return client.status();
  client::SessionOptions session_options{
      .label = options.label.empty()
                   ? Context::Label(absl::StrCat("lease ", options.command.front()))
                   : options.label,
      .ttl = absl::Seconds(options.ttl_seconds),
      .exclusive = !options.shared};
  if (options.max_seconds.has_value()) {
    session_options.max_lifetime = absl::Seconds(*options.max_seconds);
  }
  auto session = client::Session::Create(*client, session_options);
  if (!session.ok()) return session.status();
  if (!options.shared) {
    absl::Status granted = AwaitTurn(**session, absl::Seconds(options.wait_seconds));
    if (!granted.ok()) return granted;
  }
  // stdout belongs to the command.
  if (context.json()) std::fputs(ToJsonLine((*session)->info()).c_str(), stderr);
  setenv("RTMIXD_TARGET", (*client)->target().c_str(), 1);
  const client::Security& security = context.security();
  const std::pair<const char*, const std::string*> files[] = {
      {"RTMIXD_CA", &security.ca},
      {"RTMIXD_CERT", &security.cert},
      {"RTMIXD_KEY", &security.key},
      {"RTMIXD_TOKEN_FILE", &security.token_file}};
  for (const auto& [name, path] : files) {
    if (!path->empty()) setenv(name, std::filesystem::absolute(*path).c_str(), 1);
  }
  setenv("RTMIXD_SESSION_TOKEN", (*session)->token().c_str(), 1);
  const int code = RunCommand(options.command);
  if (!(*session)->status().ok()) {
    std::fprintf(stderr, "rtmixctl: the session was lost meanwhile: %s\n",
                 std::string((*session)->status().message()).c_str());
  }
  return static_cast<ExitCode>(code);
}

}  // namespace

void AddLeaseCommand(Context& context) {
  auto options = std::make_shared<LeaseOptions>();
  CLI::App* const lease = context.AddCommand(
      "lease", "Run a command that has the server for itself",
      "  rtmixctl lease --wait 60 -- pytest tests/audio\n"
      "  rtmixctl lease --shared -- bash    # a session to try things in\n"
      "The command finds RTMIXD_TARGET, RTMIXD_SESSION_TOKEN and what makes the connection "
      "safe in its environment. The server is free\n"
      "again when it ends, however it ends. Signals are passed on to it, its "
      "exit code is passed back;\n"
      "127: it cannot be run.\n",
      [options](Context& c) { return Lease(c, *options); });
  lease
      ->add_option("--wait", options->wait_seconds,
                   "Seconds to wait for others to be done: exit code 5 then")
      ->type_name("SECONDS")
      ->check(Seconds());
  lease
      ->add_option("--ttl", options->ttl_seconds,
                   "Seconds after which the server is free if this host dies")
      ->type_name("SECONDS")
      ->check(Seconds())
      ->capture_default_str();
  lease->add_option("--max", options->max_seconds, "End it after so many seconds in any case")
      ->type_name("SECONDS")
      ->check(Seconds());
  lease->add_option("--label", options->label, "Shown to whoever finds the server busy");
  lease->add_flag("--shared", options->shared, "A session beside others; need not wait");
  lease->add_option("COMMAND", options->command, "What to run, after --")->required();
}

}  // namespace rtmixd::rtmixctl
