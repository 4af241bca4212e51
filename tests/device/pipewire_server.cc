#include "tests/device/pipewire_server.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/support/polling.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr char kInsideVariable[] = "RTMIXD_TEST_ON_PIPEWIRE";

constexpr char kConfiguration[] = R"(
context.properties = {
  default.clock.rate = 48000
  default.clock.quantum = 256
  default.clock.min-quantum = 256
  default.clock.max-quantum = 256
  support.dbus = false
}
context.objects = [
  { factory = adapter
    args = {
      factory.name = support.null-audio-sink
      node.name = loop
      node.description = loop
      media.class = Audio/Sink
      object.linger = true
      audio.position = [ FL FR ]
      audio.rate = 48000
      node.always-process = true
      adapter.auto-port-config = { mode = dsp monitor = true position = preserve }
      priority.driver = 50000
    } }
]
)";

// Whether somebody accepts connections there. A process that was killed leaves its socket behind,
// so that the file alone tells nothing.
bool SocketAccepts(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", path.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool accepted = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return accepted;
}

}  // namespace

void PipewireServer::RunOnItsJack(int argc, char** argv) {
  if (std::getenv(kInsideVariable) != nullptr) return;
  setenv(kInsideVariable, "1", 1);
  std::string program = "pw-jack";
  std::string self = std::filesystem::read_symlink("/proc/self/exe");
  std::vector<char*> arguments = {program.data(), self.data()};
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  arguments.push_back(nullptr);
  execvp(program.c_str(), arguments.data());
  std::perror(program.c_str());
  std::exit(1);
}

PipewireServer::PipewireServer() {
  char folder[] = "/tmp/rtmixd_pipewire_XXXXXX";  // short: it is part of a socket's name
  if (mkdtemp(folder) == nullptr) return;
  folder_ = folder;
  const std::string configuration = folder_ + "/pipewire/pipewire.conf.d";
  std::filesystem::create_directories(configuration);
  std::ofstream(configuration + "/loop.conf") << kConfiguration;
  setenv("XDG_CONFIG_HOME", folder, 1);
  setenv("XDG_RUNTIME_DIR", folder, 1);
  setenv("PIPEWIRE_QUANTUM", absl::StrCat(kQuantumFrames, "/48000").c_str(), 1);
}

PipewireServer::~PipewireServer() {
  Kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

bool PipewireServer::Start() {
  auto pipewire =
      ChildProcess::Start({"pipewire"}, {.stdin_path = {}, .environment = {}, .quiet = true});
  if (!pipewire.ok()) return false;
  process_ = *std::move(pipewire);
  return PollUntil([this] { return SocketAccepts(folder_ + "/pipewire-0"); }, kPatience);
}

}  // namespace rtmixd
