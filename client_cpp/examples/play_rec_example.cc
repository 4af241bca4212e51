// Plays a tone on output 1 and records four inputs: what README shows, as a whole program.
//
//   play_rec_example HOST[:PORT]

#include <cmath>
#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"

// README begins.
#include "client_cpp/client.h"
#include "client_cpp/play_rec.h"
#include "client_cpp/session.h"

namespace rt = rtmixd::client;

absl::StatusOr<rt::PlayRecResult> Measure(const std::string& target, const rt::Audio& sound) {
  auto client = rt::Client::Connect(target);  // absl::StatusOr, as everything here
  if (!client.ok()) return client.status();
  // Ends, and frees all, when it goes or its process dies.
  auto session = rt::Session::Create(*client, {.label = "CI job 812"});
  if (!session.ok()) return session.status();
  rt::PlayRecOptions options;
  options.outputs = {1};
  options.inputs = {1, 2, 3, 4};
  options.tail_frames = 24000;
  return rt::PlayRec(*session, sound, options);
}
// README ends.

namespace {

// Half a second of 1 kHz.
rt::Audio Tone() {
  rt::Audio sound;
  sound.channels = 1;
  sound.sample_rate_hz = 48000;
  constexpr double kRadiansPerFrame = 2 * M_PI * 1000 / 48000;
  for (int i = 0; i < 24000; ++i) {
    sound.samples.push_back(static_cast<float>(0.5 * std::sin(kRadiansPerFrame * i)));
  }
  return sound;
}

}  // namespace

int main(int argc, char** argv) {
  const auto result = Measure(argc > 1 ? argv[1] : "localhost", Tone());
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", result.status().ToString().c_str());
    return 1;
  }
  absl::PrintF("played from frame %d, recorded %d frames of %d inputs\n",
               result->play.start_frame(), result->recording.frames(), result->recording.channels);
  return 0;
}
