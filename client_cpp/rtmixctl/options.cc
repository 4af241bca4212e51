#include "client_cpp/rtmixctl/options.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"
#include "client_cpp/rtmixctl/channel_list.h"
#include "client_cpp/rtmixctl/resample.h"

namespace rtmixd::rtmixctl {

void StartOptions::AddTo(CLI::App& command) {
  auto* const at =
      command
          .add_option("--start-frame", frame, "Start on this frame of the stream; now without it")
          ->type_name("FRAME")
          ->check(Frames());
  command.add_option("--in", in_seconds, "Start so many seconds from now")
      ->type_name("SECONDS")
      ->check(Seconds())
      ->excludes(at);
  command
      .add_option(
          "--late", late_policy,
          "If the start has passed: play (all of it, late), skip, or trim (drop what should "
          "have been over)")
      ->transform(OneOf<v1::LatePolicy>({{"play", v1::LATE_POLICY_PLAY},
                                         {"skip", v1::LATE_POLICY_SKIP},
                                         {"trim", v1::LATE_POLICY_TRIM}}))
      ->type_name("POLICY");
}

std::optional<int64_t> StartOptions::FrameOn(const v1::AudioStream& stream) const {
  if (frame.has_value()) return frame;
  if (!in_seconds.has_value()) return std::nullopt;
  return stream.next_frame() + std::llround(*in_seconds * stream.sample_rate_hz());
}

void AddWallTime(CLI::App& command, std::optional<absl::Time>& moment) {
  auto* const at = command.add_option(
      "--at",
      [&moment](const CLI::results_t& texts) {
        absl::Time parsed;
        std::string error;
        if (!absl::ParseTime(absl::RFC3339_full, texts.front(), &parsed, &error)) {
          throw CLI::ValidationError(
              "--at", absl::StrFormat("'%s' is not like 2030-01-31T12:00:00.25Z: %s", texts.front(),
                                      error));
        }
        moment = parsed;
        return true;
      },
      "Start at this moment of the clock of the server's host");
  at->type_name("TIME");
  for (const char* const other : {"--in", "--start-frame", "--after", "--ago"}) {
    if (auto* const option = command.get_option_no_throw(other)) at->excludes(option);
  }
}

void OutcomeOptions::AddTo(CLI::App& command) {
  command.add_option("--timeout", timeout_seconds, "Give up after so many seconds: exit code 8")
      ->type_name("SECONDS")
      ->check(Seconds());
  command.add_flag("--strict", strict,
                   "Exit code 7 also if it cannot be told whether an xrun touched it");
  command.add_option("--report", report_path, "Write the reports to this file, in JSON")
      ->type_name("FILE");
}

absl::Duration OutcomeOptions::timeout() const {
  return timeout_seconds.has_value() ? absl::Seconds(*timeout_seconds) : absl::InfiniteDuration();
}

void AddChannels(CLI::App& command, const std::string& flag, const std::string& description,
                 std::vector<int>& channels) {
  command
      .add_option(
          flag,
          [flag, &channels](const CLI::results_t& texts) {
            auto parsed = ParseChannelList(texts.front());
            if (!parsed.ok()) {
              throw CLI::ValidationError(flag, std::string(parsed.status().message()));
            }
            channels = *std::move(parsed);
            return true;
          },
          description)
      ->type_name("CHANNELS");
}

void AddGain(CLI::App& command, std::optional<float>& gain) {
  command.add_option("--gain", gain, "Linear factor: 1 changes nothing, 0 is silence")
      ->type_name("FACTOR")
      ->check(Number(-1e6, 1e6, "factor"));
}

void AddXrunPolicy(CLI::App& command, v1::XrunPolicy& policy) {
  command
      .add_option(
          "--xrun", policy,
          "After the device lost frames: continue (the rest sounds later), or keep-timeline "
          "(skip as much)")
      ->transform(OneOf<v1::XrunPolicy>({{"continue", v1::XRUN_POLICY_CONTINUE},
                                         {"keep-timeline", v1::XRUN_POLICY_KEEP_TIMELINE}}))
      ->type_name("POLICY");
}

void AddSource(CLI::App& command, v1::RecordSource& source) {
  command
      .add_option("--source", source,
                  "Record input (of the device), or output (what the server sends to the device)")
      ->transform(OneOf<v1::RecordSource>(
          {{"input", v1::RECORD_SOURCE_INPUT}, {"output", v1::RECORD_SOURCE_OUTPUT}}))
      ->type_name("SOURCE");
}

void AddEncoding(CLI::App& command, FileEncoding& encoding) {
  command
      .add_option("--format", encoding,
                  "Samples of the file: float32 (the default for WAV), int16, int24, int32")
      ->transform(OneOf<FileEncoding>({{"float32", FileEncoding::kFloat32},
                                       {"int16", FileEncoding::kInt16},
                                       {"int24", FileEncoding::kInt24},
                                       {"int32", FileEncoding::kInt32}}))
      ->type_name("FORMAT");
}

absl::StatusOr<client::Audio> LoadSound(const std::string& path, double sample_rate_hz,
                                        bool resample) {
  auto audio = ReadAudioFile(path);
  if (!audio.ok() || audio->sample_rate_hz == sample_rate_hz) return audio;
  if (resample) return Resample(*std::move(audio), sample_rate_hz);
  return absl::FailedPreconditionError(absl::StrFormat(
      "%s has %g Hz, the stream %g Hz: use --resample, or open the stream with --rate %g", path,
      audio->sample_rate_hz, sample_rate_hz, audio->sample_rate_hz));
}

}  // namespace rtmixd::rtmixctl
