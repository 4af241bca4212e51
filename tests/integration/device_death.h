#ifndef RTMIXD_TESTS_INTEGRATION_DEVICE_DEATH_H_
#define RTMIXD_TESTS_INTEGRATION_DEVICE_DEATH_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client_cpp/audio.h"
#include "client_cpp/buffer.h"
#include "client_cpp/client.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "rtmixd/v1/event.pb.h"
#include "tests/device/sound_server.h"
#include "tests/integration/server_process.h"
#include "tests/support/dice.h"

namespace rtmixd {

// A running server whose device dies again and again, and what must be true of each death, whatever
// the device: the loss is noticed within 2 s and reported as a gap with its length, the device is
// taken again once it is back, what was to start meanwhile is handled by its late policy, and
// sessions, buffers and what runs are kept. No call of a client waits for the dead device.
class DeviceDeathTest : public testing::Test {
 protected:
  static constexpr int64_t kSecondFrames = 48000;
  static constexpr absl::Duration kLongEnough = absl::Seconds(120);

  // The server with these flags, and a client with a session and a sound.
  void StartServer(const std::vector<std::string>& flags);
  // Records from now on; gaps are counted from here.
  void StartRecording();
  // Ends that, and frees what it recorded.
  void DropRecording();

  // One death of a real device under a recording, and its return. `come_back` is called once the
  // death was noticed, clients were answered, and what was to start meanwhile is late.
  void ExpectSurvival(const std::function<void()>& die, const std::function<void()>& come_back);

  // The same of a sound server, killed, frozen, or both, as often as DeathsWanted() says. `after`
  // is called with the number of each death.
  void ExpectSurvivals(SoundServer& sound_server, const std::function<void(int death)>& after);
  // Of those, how many began with a freeze.
  int frozen_deaths() const { return frozen_deaths_; }

  // The parts of that, for devices that die when they said they would:
  // the buffer from a frame on, once by each policy,
  std::vector<std::string> ScheduleLate(int64_t frame);
  // the events of a kind once there are so many,
  std::vector<v1::LogEntry> Await(v1::EventKind kind, int64_t count);
  // that clients are served while the device is away,
  void ExpectClientsAreAnswered();
  // and what is true when it is back. It died at `died_at`, was there again at `back_at`, and
  // `late` should have started meanwhile.
  void ExpectRecovery(absl::Time died_at, absl::Time back_at, const std::vector<std::string>& late);

  int64_t NextFrame();
  // What was measured.
  void PrintSummary() const;
  // SIGTERM ends the server as it should.
  void ExpectGracefulEnd();

  // From the moment at which something is scheduled to the frame where it is to start, which must
  // pass while the device is away: longer than a machine stalls.
  absl::Duration margin_ = absl::Milliseconds(500);
  // How far the frame counter may be from the time that has passed over a death: what the device
  // takes to start is not in the gap, nor what it loses in a stall of the machine around it.
  absl::Duration max_counter_error_ = absl::Milliseconds(500);
  int64_t deaths_ = 0;
  Dice dice_{6};

  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
  client::Audio sound_;
  std::unique_ptr<client::Buffer> buffer_;
  std::string recording_;

 private:
  // Relates the frame counter to time.
  v1::ClockReading ReadClock();

  struct Range {
    void Add(absl::Duration value);

    absl::Duration least = absl::InfiniteDuration();
    absl::Duration most = -absl::InfiniteDuration();
  };

  int frozen_deaths_ = 0;
  int64_t gap_count_ = 0;
  int64_t gap_frames_ = 0;
  v1::ClockReading clock_before_;  // this death
  Range noticed_after_;
  Range gaps_;
  Range counter_errors_;
  Range reopened_after_;
};

// What main does: runs the tests, which let a device die `--deaths=N` times, or `deaths` times.
int RunDeviceDeathTests(int argc, char** argv, int deaths);
// That number.
int DeathsWanted();

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_INTEGRATION_DEVICE_DEATH_H_
