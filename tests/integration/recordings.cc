#include "tests/integration/recordings.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client_cpp/rtmixctl/audio_file.h"
#include "client_cpp/rtmixctl/resample.h"
#include "tests/support/child_process.h"

namespace rtmixd {
namespace {

constexpr double kSampleRateHz = 48000;
// Speech is below it only between words.
constexpr float kSilence = 1e-3F;
constexpr int64_t kMaxSilentFrames = 64;

// Leaves out what is silent beyond kMaxSilentFrames.
void AppendDense(absl::Span<const float> samples, std::vector<float>& dense) {
  int64_t silent_frames = 0;
  for (const float sample : samples) {
    silent_frames = std::abs(sample) < kSilence ? silent_frames + 1 : 0;
    if (silent_frames <= kMaxSilentFrames) dense.push_back(sample);
  }
}

}  // namespace

absl::StatusOr<client::Audio> AlsaRecording(const std::string& name) {
  return rtmixctl::ReadAudioFile(absl::StrCat("/usr/share/sounds/alsa/", name, ".wav"));
}

absl::StatusOr<client::Audio> Speech(const std::string& text, double sample_rate_hz) {
  const char* const folder = std::getenv("TEST_TMPDIR");
  const std::string path = absl::StrCat(folder == nullptr ? "/tmp" : folder, "/speech.wav");
  const auto spoken = RunCommand({"espeak-ng", "-w", path, text});
  if (!spoken.ok()) return spoken.status();
  auto audio = rtmixctl::ReadAudioFile(path);
  if (!audio.ok()) return audio;
  return rtmixctl::Resample(*std::move(audio), sample_rate_hz);
}

absl::StatusOr<std::vector<float>> LongSpeech(int64_t frames) {
  std::vector<float> once;
  for (const char* const name : {"Front_Center", "Rear_Left", "Side_Right"}) {
    const auto audio = AlsaRecording(name);
    if (!audio.ok()) return audio.status();
    AppendDense(audio->samples, once);
  }
  const auto speech =
      Speech("One server, many clients, and every frame in its place.", kSampleRateHz);
  if (!speech.ok()) return speech.status();
  AppendDense(speech->samples, once);

  std::vector<float> samples;
  samples.reserve(static_cast<size_t>(frames));
  // Each turn is a little softer, so that no two are the same.
  for (float gain = 0.5F; static_cast<int64_t>(samples.size()) < frames; gain *= 0.96875F) {
    for (const float sample : once) {
      if (static_cast<int64_t>(samples.size()) < frames) samples.push_back(gain * sample);
    }
  }
  return samples;
}

absl::Status WriteWav(const std::string& path, int channels, absl::Span<const float> interleaved) {
  auto writer = rtmixctl::AudioFileWriter::Create(path, channels, kSampleRateHz,
                                                  rtmixctl::FileEncoding::kFloat32);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = (*writer)->Write(interleaved); !status.ok()) return status;
  return (*writer)->Close();
}

absl::StatusOr<client::Audio> ReadWav(const std::string& path) {
  return rtmixctl::ReadAudioFile(path);
}

std::vector<float> Channel(absl::Span<const float> interleaved, int channels, int channel) {
  std::vector<float> samples;
  samples.reserve(interleaved.size() / static_cast<size_t>(channels));
  for (size_t i = static_cast<size_t>(channel); i < interleaved.size();
       i += static_cast<size_t>(channels)) {
    samples.push_back(interleaved[i]);
  }
  return samples;
}

int64_t FirstDifference(absl::Span<const float> a, absl::Span<const float> b) {
  const size_t both = std::min(a.size(), b.size());
  for (size_t i = 0; i < both; ++i) {
    if (a[i] != b[i]) return static_cast<int64_t>(i);
  }
  return a.size() == b.size() ? -1 : static_cast<int64_t>(both);
}

}  // namespace rtmixd
