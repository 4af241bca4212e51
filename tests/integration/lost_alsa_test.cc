// A card with a real ALSA driver is unplugged from a running server and plugged in again: the
// loopback card of snd-aloop, whose driver is unbound from it and bound to it. What must be true of
// each time is DeviceDeathTest's. Run by tools/alsa-vm, in a virtual machine that has such a card,
// in which everything takes longer and frames are lost now and then.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/client.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/integration/device_death.h"
#include "tests/support/child_process.h"
#include "tests/support/polling.h"

namespace rtmixd {
namespace {

using LostAlsaTest = DeviceDeathTest;

// Writes the name of the card's device to a file of its driver, "bind" or "unbind".
std::unique_ptr<ChildProcess> TellDriver(const std::string& file) {
  auto shell = ChildProcess::Start(
      {"sh", "-c", absl::StrCat("echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/", file)});
  EXPECT_TRUE(shell.ok()) << shell.status();
  return shell.ok() ? *std::move(shell) : nullptr;
}

TEST_F(LostAlsaTest, CardThatIsUnpluggedAgainAndAgain) {
  margin_ = absl::Seconds(3);
  max_counter_error_ = absl::Seconds(2);
  ASSERT_NO_FATAL_FAILURE(
      StartServer({"--device", "portaudio", "--input-device", "(hw:0,0)", "--output-device",
                   "(hw:0,1)", "--input-channels", "2", "--output-channels", "2", "--sample-rate",
                   "48000", "--block-frames", "256", "--latency", "0.1"}));
  // The first time, when nothing is in memory yet, opening may outlast the server's patience.
  ASSERT_TRUE(PollUntil(
      [this] {
        return client_
            ->Call(&client::Stubs::stream, &v1::StreamService::Stub::RestoreStream,
                   v1::RestoreStreamRequest(), session_->call())
            .ok();
      },
      kLongEnough));
  for (int death = 1; death <= DeathsWanted(); ++death) {
    SCOPED_TRACE(death);
    absl::SleepFor(absl::Microseconds(dice_.Between(0, 300'000)));
    std::unique_ptr<ChildProcess> unbind;
    const auto unplug = [&] { unbind = TellDriver("unbind"); };
    const auto plug_in = [&] {
      // The kernel takes the card away at once, and waits until nobody has it open.
      ASSERT_EQ(unbind->Wait(kLongEnough).value_or(-1), 0) << "the server does not let go of it";
      ASSERT_EQ(TellDriver("bind")->Wait(kLongEnough).value_or(-1), 0);
    };
    ASSERT_NO_FATAL_FAILURE(ExpectSurvival(unplug, plug_in));
  }
  PrintSummary();
  ExpectGracefulEnd();
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) { return rtmixd::RunDeviceDeathTests(argc, argv, 5); }
