// PipeWire dies under a running server that reaches it through PortAudio and PipeWire's stand-in
// for JACK. What must be true of each death is DeviceDeathTest's.

#include "gtest/gtest.h"
#include "tests/device/pipewire_server.h"
#include "tests/integration/device_death.h"

namespace rtmixd {
namespace {

using LostPipewireTest = DeviceDeathTest;

TEST_F(LostPipewireTest, PipewireThatDiesAgainAndAgain) {
  PipewireServer pipewire;
  ASSERT_TRUE(pipewire.Start()) << "PipeWire does not start";
  ASSERT_NO_FATAL_FAILURE(StartServer(
      {"--device", "portaudio", "--input-device", "jack/loop", "--output-device", "jack/loop"}));
  ASSERT_NO_FATAL_FAILURE(ExpectSurvivals(pipewire, [](int) {}));
  PrintSummary();
  ExpectGracefulEnd();
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  rtmixd::PipewireServer::RunOnItsJack(argc, argv);
  return rtmixd::RunDeviceDeathTests(argc, argv, 4);
}
