// How long sound is under way from a client to the device at the other end. Who sends writes the
// time into each sample; who receives, a client of the JACK server at the other end, looks at the
// clock of the same host when a block comes in that this server plays in the same period.
//
// Usage: jack_one_way send SERVER PORT             until it is ended
//        jack_one_way receive SERVER PORT SECONDS  tells the age of what came as JSON

#include <jack/jack.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/benchmark/rpc/counted_samples.h"
#include "tests/benchmark/rpc/raw_calls.h"

namespace rtmixd::load {
namespace {

// Threading: See by JACK's thread; Print when that has ended. Allocates only when made.
class StampWatch {
 public:
  void See(int64_t micros, float sample) {
    const int64_t stamp = CountOf(sample);
    if (stamp < 0 && last_ < 0) return;  // not there yet
    // What is not newer than the last was repeated, or is silence.
    const int64_t newer = (stamp - last_ + kCountModulus) % kCountModulus;
    const bool fresh = stamp >= 0 && (last_ < 0 || (newer > 0 && newer < kCountModulus / 2));
    if (!fresh) ++glitches_;
    if (stamp >= 0) last_ = stamp;
    const int64_t age = (micros - stamp % kCountModulus + kCountModulus) % kCountModulus;
    if (fresh && seen_ < kMaxBlocks) ages_[seen_++] = static_cast<int32_t>(age);
  }

  void Print() {
    std::sort(ages_.begin(), ages_.begin() + seen_);
    const auto at = [this](double part) {
      return seen_ == 0 ? -1 : ages_[static_cast<int>(part * (seen_ - 1))];
    };
    std::printf(
        "{\"blocks\": %d, \"age_us\": %d, \"low_us\": %d, \"high_us\": %d, \"glitches\": %d}\n",
        seen_, at(0.5), at(0.1), at(0.9), glitches_);
  }

 private:
  static constexpr int kMaxBlocks = 1 << 20;

  int64_t last_ = -1;  // -1: nothing has come yet
  int glitches_ = 0;
  int seen_ = 0;
  std::vector<int32_t> ages_ = std::vector<int32_t>(kMaxBlocks);
};

struct Client {
  jack_port_t* port = nullptr;
  bool sends = false;
  std::atomic<bool> watching{false};
  StampWatch watch;
};

int Process(jack_nframes_t frames, void* argument) {
  Client& client = *static_cast<Client*>(argument);
  const int64_t micros = StampNow();
  auto* const samples = static_cast<float*>(jack_port_get_buffer(client.port, frames));
  if (client.sends) {
    std::fill(samples, samples + frames, CountedSample(micros));
  } else if (client.watching) {
    client.watch.See(micros % kCountModulus, samples[0]);
  }
  return 0;
}

void Run(bool sends, const char* server, const char* port, double seconds) {
  Client client;
  client.sends = sends;
  const char* const name = sends ? "stamps_out" : "stamps_in";
  jack_client_t* const jack = jack_client_open(
      name, static_cast<jack_options_t>(JackNoStartServer | JackServerName), nullptr, server);
  if (jack == nullptr) Die("no JACK server of that name");
  client.port = jack_port_register(jack, "port", JACK_DEFAULT_AUDIO_TYPE,
                                   sends ? JackPortIsOutput : JackPortIsInput, 0);
  jack_set_process_callback(jack, Process, &client);
  const std::string own = std::string(name) + ":port";
  if (client.port == nullptr || jack_activate(jack) != 0 ||
      jack_connect(jack, sends ? own.c_str() : port, sends ? port : own.c_str()) != 0) {
    Die("cannot connect");
  }
  if (sends) {
    while (true) pause();
  }
  // Until what was under way before has gone by.
  std::this_thread::sleep_for(std::chrono::seconds(1));
  client.watching = true;
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  client.watching = false;
  jack_client_close(jack);
  client.watch.Print();
}

}  // namespace
}  // namespace rtmixd::load

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "send" && argc == 4) {
    rtmixd::load::Run(true, argv[2], argv[3], 0);
  } else if (what == "receive" && argc == 5) {
    rtmixd::load::Run(false, argv[2], argv[3], rtmixd::load::Number(argv[4]));
  } else {
    rtmixd::load::Die("usage: jack_one_way send SERVER PORT | receive SERVER PORT SECONDS");
  }
  return EXIT_SUCCESS;
}
