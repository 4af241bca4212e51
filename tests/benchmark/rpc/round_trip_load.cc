// How long a sample is under way from a client to the server's device and back, in a duplex stream
// of the client library: whatever comes is answered at once by as many frames, which count up.
// What is recorded is what the server sends to its device, so that no converter is in the way.
// Tells as JSON the round trip in frames, and how often the count was not what it should be. With
// "stamps" the samples say when they were written, for somebody else at the device: see
// jack_one_way.
//
// Usage: round_trip_load TARGET PERIOD_FRAMES PERIODS_AHEAD SECONDS [stamps]

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "client_cpp/client.h"
#include "client_cpp/duplex_stream.h"
#include "client_cpp/session.h"
#include "tests/benchmark/rpc/counted_samples.h"
#include "tests/benchmark/rpc/raw_calls.h"

namespace rtmixd::load {
namespace {

constexpr double kRate = 48000;
constexpr absl::Duration kPatience = absl::Seconds(5);

void Run(const std::string& target, int period, int ahead, double seconds, bool stamps) {
  const auto client = client::Client::Connect(target);
  if (!client.ok()) Die(std::string(client.status().message()));
  const auto session = client::Session::Create(*client, {.label = "round trip"});
  if (!session.ok()) Die(std::string(session.status().message()));
  v1::DuplexConfig config;
  v1::PlayConfig& play = *config.mutable_play();
  play.set_channels(1);
  play.set_underrun_policy(v1::UNDERRUN_POLICY_KEEP_TIMELINE);
  play.set_ring_frames((ahead + 8) * period);
  play.set_prebuffer_frames(ahead * period);
  play.mutable_channel_map()->add_channels(1);
  v1::RecordConfig& record = *config.mutable_record();
  record.set_source(v1::RECORD_SOURCE_OUTPUT);
  record.set_chunk_frames(period);
  record.mutable_channel_map()->add_channels(1);
  const auto stream = client::DuplexStream::Open(*session, config);
  if (!stream.ok()) Die(std::string(stream.status().message()));

  int64_t sent = 0;
  std::vector<float> samples;
  const auto send = [&](int64_t frames) {
    samples.resize(static_cast<size_t>(frames));
    const int64_t stamp = StampNow();
    for (float& sample : samples) {
      sample = CountedSample(stamps ? stamp : sent);
      ++sent;
    }
    const auto written = (*stream)->Write(samples, kPatience);
    if (!written.ok()) Die(std::string(written.status().message()));
  };
  send(int64_t{ahead} * period);

  CountWatch watch;
  const auto frames = static_cast<int64_t>(seconds * kRate);
  for (int64_t received = 0; received < frames;) {
    const auto audio = (*stream)->Read(period, kPatience);
    if (!audio.ok()) Die(std::string(audio.status().message()));
    if (audio->samples.empty()) Die("nothing came");
    // This block and the one that answers it are of one time.
    if (!stamps) watch.See(sent, audio->samples.data(), static_cast<int>(audio->samples.size()));
    send(static_cast<int64_t>(audio->samples.size()));
    received += static_cast<int64_t>(audio->samples.size());
  }
  if (!stamps) watch.Print();
}

}  // namespace
}  // namespace rtmixd::load

int main(int argc, char** argv) {
  const bool stamps = argc == 6 && std::string(argv[5]) == "stamps";
  if (argc != 5 && !stamps) {
    rtmixd::load::Die("usage: round_trip_load TARGET PERIOD AHEAD SECONDS [stamps]");
  }
  using rtmixd::load::Number;
  rtmixd::load::Run(argv[1], static_cast<int>(Number(argv[2])), static_cast<int>(Number(argv[3])),
                    Number(argv[4]), stamps);
  return EXIT_SUCCESS;
}
