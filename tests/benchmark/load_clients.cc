// Clients that keep a server busy. Usage: load_clients TARGET CLIENTS VOICES
//
// The first has VOICES sounds loop; then each of CLIENTS, by a connection and a thread of its own,
// plays a stereo stream in chunks of 20 ms and schedules a batch of four short sounds ten times a
// second. Prints "ready" when all do, and goes on until its input ends; then it prints how many
// batches were refused and how many underruns there were.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/audio.h"
#include "client_cpp/buffer.h"
#include "client_cpp/client.h"
#include "client_cpp/play_stream.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/action.pb.h"
#include "rtmixd/v1/audio.pb.h"

namespace rtmixd::client {
namespace {

constexpr int kChunkFrames = 960;
constexpr int kChunksPerBatch = 5;
constexpr int kBatchActions = 4;
constexpr int64_t kRingFrames = 9600;

Audio Noise(int64_t frames) {
  Audio audio;
  audio.channels = 2;
  audio.samples.resize(static_cast<size_t>(2 * frames));
  for (size_t i = 0; i < audio.samples.size(); ++i) {
    audio.samples[i] = (static_cast<float>(i * 7919 % 2001) - 1000) * 1e-6F;
  }
  return audio;
}

absl::StatusOr<std::shared_ptr<Session>> NewSession(const std::string& target) {
  auto client = Client::Connect(target);
  if (!client.ok()) return client.status();
  return Session::Create(*client, {.label = "load"});
}

v1::ActionSpec Sound(const std::string& buffer_id, int64_t offset_frames, bool loops) {
  v1::ActionSpec action;
  action.mutable_start()->set_offset_frames(offset_frames);
  action.mutable_play()->set_buffer_id(buffer_id);
  if (loops) action.mutable_play()->mutable_loop();
  return action;
}

class Load {
 public:
  explicit Load(std::string target) : target_(std::move(target)) {}

  absl::Status StartVoices(int voices) {
    auto session = NewSession(target_);
    if (!session.ok()) return session.status();
    voices_ = *session;
    // Each its own second of sound, so that it comes from main memory.
    v1::ScheduleActionsRequest request;
    for (int i = 0; i < voices; ++i) {
      auto buffer = Buffer::Upload(voices_, Noise(48000), {});
      if (!buffer.ok()) return buffer.status();
      *request.add_actions() = Sound((*buffer)->id(), i, true);
      buffers_.push_back(*std::move(buffer));
    }
    if (voices == 0) return absl::OkStatus();
    return ScheduleActions(*voices_, std::move(request)).status();
  }

  absl::Status RunClient() {
    auto session = NewSession(target_);
    if (!session.ok()) return session.status();
    auto sound = Buffer::Upload(*session, Noise(2400), {});
    if (!sound.ok()) return sound.status();
    v1::PlayConfig config;
    config.set_channels(2);
    config.set_ring_frames(kRingFrames);
    config.set_prebuffer_frames(kRingFrames / 2);
    auto stream = PlayStream::Open(*session, config);
    if (!stream.ok()) return stream.status();
    const Audio chunk = Noise(kChunkFrames);
    for (int64_t chunks = 0; !stops_; ++chunks) {
      // Waits for room, which comes in real time.
      const auto written = (*stream)->Write(chunk.samples, absl::Seconds(10));
      if (!written.ok()) return written.status();
      if (chunks == kChunksPerBatch) ++started_;
      if (chunks % kChunksPerBatch != 0) continue;
      v1::ScheduleActionsRequest request;
      for (int i = 0; i < kBatchActions; ++i) {
        *request.add_actions() = Sound((*sound)->id(), i * int64_t{777}, false);
      }
      refused_ += ScheduleActions(**session, std::move(request)).ok() ? 0 : 1;
    }
    underruns_ += (*stream)->progress().underruns();
    return absl::OkStatus();
  }

  int Run(int clients, int voices) {
    if (absl::Status status = StartVoices(voices); !status.ok()) {
      std::cerr << status << "\n";
      return EXIT_FAILURE;
    }
    std::atomic<bool> failed = false;
    std::vector<std::thread> threads;
    for (int i = 0; i < clients; ++i) {
      threads.emplace_back([this, &failed] {
        if (absl::Status status = RunClient(); !status.ok()) {
          std::cerr << status << "\n";
          failed = true;
          stops_ = true;
        }
      });
    }
    while (started_ < clients && !failed) absl::SleepFor(absl::Milliseconds(10));
    if (!failed) {
      std::cout << "ready\n" << std::flush;
      std::string line;
      std::getline(std::cin, line);
    }
    stops_ = true;
    for (std::thread& thread : threads) thread.join();
    std::cout << refused_ << ' ' << underruns_ << '\n';
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
  }

 private:
  const std::string target_;
  std::shared_ptr<Session> voices_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::atomic<bool> stops_ = false;
  std::atomic<int> started_ = 0;
  std::atomic<int64_t> refused_ = 0;
  std::atomic<int64_t> underruns_ = 0;
};

int Main(int argc, char** argv) {
  int clients = 0;
  int voices = 0;
  if (argc != 4 || !absl::SimpleAtoi(argv[2], &clients) || !absl::SimpleAtoi(argv[3], &voices)) {
    std::cerr << "usage: load_clients TARGET CLIENTS VOICES\n";
    return EXIT_FAILURE;
  }
  return Load(argv[1]).Run(clients, voices);
}

}  // namespace
}  // namespace rtmixd::client

int main(int argc, char** argv) { return rtmixd::client::Main(argc, argv); }
