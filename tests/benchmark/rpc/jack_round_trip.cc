// The same as round_trip_load, of whatever is behind two ports of a JACK server. Tells as JSON the
// round trip in frames.
//
// Usage: jack_round_trip SERVER OUTPUT_PORT INPUT_PORT SECONDS, where OUTPUT_PORT is what comes
// back (JackTrip:receive_1) and INPUT_PORT where samples go (JackTrip:send_1).

#include <jack/jack.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/benchmark/rpc/counted_samples.h"
#include "tests/benchmark/rpc/raw_calls.h"

namespace rtmixd::load {
namespace {

struct Client {
  jack_port_t* out = nullptr;
  jack_port_t* in = nullptr;
  int64_t sent = 0;
  std::atomic<bool> watching{false};
  CountWatch watch;
};

int Process(jack_nframes_t frames, void* argument) {
  Client& client = *static_cast<Client*>(argument);
  const auto* const in = static_cast<const float*>(jack_port_get_buffer(client.in, frames));
  auto* const out = static_cast<float*>(jack_port_get_buffer(client.out, frames));
  if (client.watching) client.watch.See(client.sent, in, static_cast<int>(frames));
  for (jack_nframes_t i = 0; i < frames; ++i) out[i] = CountedSample(client.sent++);
  return 0;
}

void Run(const char* server, const char* comes, const char* goes, double seconds) {
  Client client;
  jack_client_t* const jack = jack_client_open(
      "counter", static_cast<jack_options_t>(JackNoStartServer | JackServerName), nullptr, server);
  if (jack == nullptr) Die("no JACK server of that name");
  client.in = jack_port_register(jack, "in", JACK_DEFAULT_AUDIO_TYPE, JackPortIsInput, 0);
  client.out = jack_port_register(jack, "out", JACK_DEFAULT_AUDIO_TYPE, JackPortIsOutput, 0);
  jack_set_process_callback(jack, Process, &client);
  if (client.in == nullptr || client.out == nullptr || jack_activate(jack) != 0 ||
      jack_connect(jack, "counter:out", goes) != 0 ||
      jack_connect(jack, comes, "counter:in") != 0) {
    Die("cannot connect");
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
  if (argc != 5) rtmixd::load::Die("usage: jack_round_trip SERVER COMES GOES SECONDS");
  rtmixd::load::Run(argv[1], argv[2], argv[3], rtmixd::load::Number(argv[4]));
  return EXIT_SUCCESS;
}
