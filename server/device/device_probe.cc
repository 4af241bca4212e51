#include "server/device/device_probe.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/device/monotonic_clock.h"
#include "server/device/portaudio_host.h"
#include "server/device/portaudio_library.h"
#include "server/device/probe_text.h"

namespace rtmixd {
namespace {

constexpr char kListFlag[] = "--rtmixd_device_probe=list";
constexpr char kCheckFlag[] = "--rtmixd_device_probe=check";
// A probe whose parent is gone must not hang for ever.
constexpr unsigned kProbeAlarmSeconds = 30;
// For taking leave of the hosts once all is said.
constexpr int64_t kGraceNanos = kNanosPerSecond;

// --- In the probe ---

// `library`: set once it is initialised.
std::string Answer(bool check, const std::string& question, PortAudioLibrary** library) {
  StreamSettings settings;
  if (check) {
    const absl::StatusOr<StreamSettings> asked = SettingsFromText(question);
    if (!asked.ok()) return StatusToText(asked.status());
    settings = *asked;
  }
  absl::StatusOr<std::unique_ptr<PortAudioLibrary>> loaded = PortAudioLibrary::Load();
  if (!loaded.ok()) return StatusToText(loaded.status());
  const PaError error = (*loaded)->Initialize();
  if (error != paNoError) {
    return StatusToText((*loaded)->ToStatus(error, "PortAudio cannot be initialised"));
  }
  *library = loaded->release();
  if (!check) return DeviceListToText(ReadDeviceList(**library));
  const absl::StatusOr<PortAudioPlan> plan = MakePlan(**library, settings);
  return StatusToText(plan.ok() ? CheckPlan(**library, *plan) : plan.status());
}

// --- In the parent ---

struct Child {
  pid_t pid = -1;
  int output = -1;
};

absl::StatusOr<Child> Spawn(const std::string& program, std::vector<std::string> arguments) {
  std::array<int, 2> ends = {};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return absl::InternalError(
        absl::StrCat("no pipe for the device probe: ", std::strerror(errno)));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  // Signals as in a fresh process, whatever the parent blocks and ignores.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  Child child;
  const int error =
      posix_spawn(&child.pid, program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return absl::InternalError(
        absl::StrCat("cannot start the device probe ", program, ": ", std::strerror(error)));
  }
  child.output = ends[0];
  return child;
}

// Reads until the text is complete, the child has closed its end, or time is up. False: the latter.
bool ReadText(int fd, int64_t deadline_nanos, std::string* text) {
  while (!IsCompleteText(*text)) {
    const int64_t left_nanos = deadline_nanos - MonotonicNanos();
    if (left_nanos <= 0) return false;
    pollfd ready = {.fd = fd, .events = POLLIN, .revents = 0};
    const int count = poll(&ready, 1, static_cast<int>(left_nanos / 1'000'000) + 1);
    if (count <= 0) continue;
    std::array<char, 4096> buffer = {};
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    if (size == 0) return true;
    if (size > 0) text->append(buffer.data(), size);
  }
  return true;
}

// Ends the child if it does not end by itself until the deadline; its exit status in words.
std::string Reap(pid_t pid, int64_t deadline_nanos) {
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (MonotonicNanos() >= deadline_nanos) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      break;
    }
    constexpr timespec kPause = {.tv_sec = 0, .tv_nsec = 2'000'000};
    nanosleep(&kPause, nullptr);
  }
  if (WIFSIGNALED(status)) return absl::StrCat("ended by signal ", WTERMSIG(status));
  return absl::StrCat("exit status ", WEXITSTATUS(status));
}

absl::StatusOr<std::string> Ask(const DeviceProbe& probe,
                                const std::vector<std::string>& arguments) {
  const absl::StatusOr<Child> child = Spawn(probe.program, arguments);
  if (!child.ok()) return child.status();
  const int64_t deadline_nanos = MonotonicNanos() + absl::ToInt64Nanoseconds(probe.timeout);
  std::string text;
  const bool in_time = ReadText(child->output, deadline_nanos, &text);
  close(child->output);
  const std::string outcome = Reap(child->pid, in_time ? MonotonicNanos() + kGraceNanos : 0);
  if (!in_time) {
    return absl::DeadlineExceededError(absl::StrCat("PortAudio did not tell its devices within ",
                                                    absl::FormatDuration(probe.timeout)));
  }
  if (!IsCompleteText(text)) {
    return absl::InternalError(
        absl::StrCat("PortAudio ended while telling its devices (", outcome, ")"));
  }
  return text;
}

}  // namespace

void RunDeviceProbeIfAsked(int argc, char** argv) {
  const bool list = argc == 2 && std::strcmp(argv[1], kListFlag) == 0;
  const bool check = argc == 3 && std::strcmp(argv[1], kCheckFlag) == 0;
  if (!list && !check) return;
  alarm(kProbeAlarmSeconds);
  // Some host libraries talk on stdout.
  const int output = dup(STDOUT_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  PortAudioLibrary* library = nullptr;
  const std::string answer = Answer(check, check ? argv[2] : "", &library);
  for (size_t sent = 0; sent < answer.size();) {
    const ssize_t size = write(output, answer.data() + sent, answer.size() - sent);
    if (size <= 0) _exit(1);
    sent += size;
  }
  // A client that vanished without a word would be a disturbance to the others of its sound server.
  if (library != nullptr) library->Terminate();
  _exit(0);
}

absl::StatusOr<DeviceList> DeviceProbe::List() const {
  const absl::StatusOr<std::string> text = Ask(*this, {"rtmixd_device_probe", kListFlag});
  if (!text.ok()) return text.status();
  absl::Status status;
  if (StatusFromText(*text, &status)) return status;
  return DeviceListFromText(*text);
}

absl::Status DeviceProbe::Check(const StreamSettings& settings) const {
  const absl::StatusOr<std::string> text =
      Ask(*this, {"rtmixd_device_probe", kCheckFlag, SettingsToText(settings)});
  if (!text.ok()) return text.status();
  absl::Status status;
  if (StatusFromText(*text, &status)) return status;
  return absl::InternalError("the device probe answered another question");
}

}  // namespace rtmixd
