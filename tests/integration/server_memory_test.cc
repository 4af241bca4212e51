// --huge-pages and --lock-memory, as the kernel's books have them.

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client_cpp/audio.h"
#include "client_cpp/buffer.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/integration/server_process.h"

namespace rtmixd {
namespace {

constexpr int64_t kSoundFrames = 10 * int64_t{48000};
constexpr int64_t kSoundKib = kSoundFrames * 4 / 1024;
constexpr int kSounds = 8;

// The number of KiB in the line of a file of /proc that begins with `name`; -1: there is none.
int64_t KibOf(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    int64_t kib = 0;
    if (word == name && file >> kib) return kib;
  }
  return -1;
}

// By clients of their own, so that several threads of the server take memory.
void UploadSounds(const std::string& target,
                  std::vector<std::unique_ptr<client::Buffer>>* uploaded) {
  const client::Audio sound = {
      .channels = 1, .sample_rate_hz = 48000, .samples = std::vector<float>(kSoundFrames, 0.25F)};
  for (int i = 0; i < kSounds; ++i) {
    auto client = client::Client::Connect(target);
    ASSERT_TRUE(client.ok()) << client.status();
    auto session = client::Session::Create(*client, {.label = "memory"});
    ASSERT_TRUE(session.ok()) << session.status();
    auto buffer = client::Buffer::Upload(*session, sound, {});
    ASSERT_TRUE(buffer.ok()) << buffer.status();
    uploaded->push_back(*std::move(buffer));
  }
}

TEST(ServerMemoryTest, LiesOnHugePagesAndIsLocked) {
  auto server = ServerProcess::Start({"--device", "virtual", "--huge-pages", "--lock-memory"});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string proc = absl::StrCat("/proc/", (*server)->process().pid(), "/");
  const int64_t huge_before = KibOf(proc + "smaps_rollup", "AnonHugePages:");
  EXPECT_GT(huge_before, 0);
  std::vector<std::unique_ptr<client::Buffer>> uploaded;
  ASSERT_NO_FATAL_FAILURE(UploadSounds((*server)->target(), &uploaded));
  EXPECT_GT(KibOf(proc + "smaps_rollup", "AnonHugePages:") - huge_before,
            kSounds * kSoundKib * 8 / 10);
  EXPECT_GT(KibOf(proc + "status", "VmLck:"), kSounds * kSoundKib);
}

TEST(ServerMemoryTest, NothingOfThatUnlessAskedFor) {
  auto server = ServerProcess::Start({"--device", "virtual"});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string proc = absl::StrCat("/proc/", (*server)->process().pid(), "/");
  EXPECT_EQ(KibOf(proc + "status", "VmLck:"), 0);
}

}  // namespace
}  // namespace rtmixd
