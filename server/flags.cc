#include "server/flags.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "server/rpc/tls_files.h"
#include "server/rpc/version.h"

namespace rtmixd {
namespace {

constexpr int64_t kMiB = 1 << 20;

// "1>2", "1>2:delay=480", "1>2:delay=480,gain=0.5"; channels from 1.
std::optional<LoopbackRoute> ParseRoute(const std::string& text) {
  LoopbackRoute route;
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  const std::vector<std::string> channels = absl::StrSplit(parts[0], '>');
  if (channels.size() != 2 || !absl::SimpleAtoi(channels[0], &route.output_channel) ||
      !absl::SimpleAtoi(channels[1], &route.input_channel) || route.output_channel < 1 ||
      route.input_channel < 1) {
    return std::nullopt;
  }
  --route.output_channel;
  --route.input_channel;
  if (parts.size() == 1) return route;
  for (const absl::string_view setting : absl::StrSplit(parts[1], ',')) {
    const std::vector<std::string> pair = absl::StrSplit(setting, '=');
    const bool valid = pair.size() == 2 &&
                       ((pair[0] == "delay" && absl::SimpleAtoi(pair[1], &route.delay_frames)) ||
                        (pair[0] == "gain" && absl::SimpleAtof(pair[1], &route.gain)));
    if (!valid) return std::nullopt;
  }
  return route;
}

// "low", "high" or seconds.
std::optional<LatencyRequest> ParseLatency(const std::string& text) {
  LatencyRequest latency;
  if (text == "low") return latency;
  latency.kind = LatencyRequest::Kind::kHigh;
  if (text == "high") return latency;
  latency.kind = LatencyRequest::Kind::kSeconds;
  if (!absl::SimpleAtod(text, &latency.seconds) || !(latency.seconds >= 0) || latency.seconds > 10)
    return std::nullopt;
  return latency;
}

template <typename Value>
CLI::Validator Parsed(std::optional<Value> (*parse)(const std::string&), const std::string& what) {
  return CLI::Validator(
      [parse, what](const std::string& text) {
        return parse(text).has_value() ? std::string()
                                       : absl::StrCat("\"", text, "\" is not ", what);
      },
      "");
}

}  // namespace

std::optional<Flags> ParseFlags(int argc, char** argv, int* exit_code) {
  CLI::App app(
      "rtmixd plays and records on a sound device for clients on other hosts, exact to the frame.\n"
      "It has one device and one stream; without a sound card it brings a virtual device whose "
      "outputs\n"
      "come back at its inputs.",
      "rtmixd");
  app.set_version_flag("--version", std::string("rtmixd ") + kServerVersion);
  app.get_formatter()->column_width(36);
  app.footer(
      "Examples:\n"
      "  rtmixd                                          this host only, whatever device there is\n"
      "  rtmixd --listen 0.0.0.0:47110 --tls-cert server.pem --tls-key server.key --token-file "
      "tokens\n"
      "  rtmixd --device portaudio --output-device jack/system\n"
      "  rtmixd --device virtual --loopback '1>1:delay=480' --loopback '2>2:gain=0.5'\n"
      "SIGTERM and SIGINT stop it gracefully; a second one hurries it.");

  Flags flags;
  app.add_option("--listen", flags.server.listen_address,
                 "HOST:PORT to listen on, port 0 takes a free one; or unix:PATH")
      ->capture_default_str();
  double grace_seconds = absl::ToDoubleSeconds(flags.grace);
  app.add_option("--grace", grace_seconds,
                 "Seconds that running actions get to end when the server stops")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();

  const std::string security_group = "Security (docs/security.md)";
  TlsMaterial tls;
  auto* const certificate =
      app.add_option("--tls-cert", tls.certificate,
                     "The server's certificate and those up to its CA, in PEM; with it, TLS")
          ->type_name("FILE")
          ->group(security_group);
  auto* const key = app.add_option("--tls-key", tls.key, "The key of the certificate, in PEM")
                        ->type_name("FILE")
                        ->needs(certificate)
                        ->group(security_group);
  certificate->needs(key);
  app.add_option("--client-ca", tls.client_ca,
                 "Clients must have a certificate of one of these CAs, in PEM")
      ->type_name("FILE")
      ->needs(certificate)
      ->group(security_group);
  app.add_option("--token-file", flags.server.token_file,
                 "Clients must have one of these tokens: lines of ROLE NAME SECRET, where ROLE is "
                 "observe, play or administer and SECRET is the token or sha256:HEX")
      ->type_name("FILE")
      ->group(security_group);
  app.add_flag("--insecure", flags.server.insecure,
               "Listen without TLS where other hosts can reach it")
      ->excludes(certificate)
      ->group(security_group);

  const std::string stream_group = "Device and stream";
  const std::map<std::string, DeviceKind> kinds = {{"auto", DeviceKind::kAuto},
                                                   {"portaudio", DeviceKind::kPortAudio},
                                                   {"virtual", DeviceKind::kVirtual}};
  app.add_option("--device", flags.device,
                 "auto, portaudio or virtual; auto is virtual if no sound card is found")
      ->transform(CLI::CheckedTransformer(kinds).description(""))
      ->type_name("KIND")
      ->group(stream_group);
  StreamSettings stream;
  stream.input.channels = DirectionSettings::kAllChannels;
  stream.output.channels = DirectionSettings::kAllChannels;
  app.add_option("--input-device", stream.input.device,
                 "Id, index or unique part of the name; default: the default")
      ->group(stream_group);
  app.add_option("--output-device", stream.output.device, "The same for the output")
      ->group(stream_group);
  app.add_option("--input-channels", stream.input.channels, "Channels to record; 0: none, -1: all")
      ->check(CLI::Range(-1, 1024))
      ->capture_default_str()
      ->group(stream_group);
  app.add_option("--output-channels", stream.output.channels, "Channels to play; 0: none, -1: all")
      ->check(CLI::Range(-1, 1024))
      ->capture_default_str()
      ->group(stream_group);
  app.add_option("--sample-rate", stream.sample_rate_hz,
                 "Frames per second; 0: the device's default")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str()
      ->group(stream_group);
  app.add_option("--block-frames", stream.block_frames,
                 "Frames per callback; 0: the device's choice")
      ->check(CLI::Range(0, 8192))
      ->capture_default_str()
      ->group(stream_group);
  std::string latency = "low";
  app.add_option("--latency", latency, "low, high or seconds")
      ->check(Parsed(ParseLatency, "low, high or 0 to 10 seconds"))
      ->capture_default_str()
      ->group(stream_group);
  app.add_option("--calibration-file", flags.server.calibration_file,
                 "Keep measured latencies (rtmixctl latency --store) in this file; default: until "
                 "it stops")
      ->type_name("PATH")
      ->group(stream_group);
  app.add_flag("--closed", flags.closed, "Open no stream at the start; a client does")
      ->group(stream_group);

  const std::string virtual_group = "Virtual device";
  app.add_option("--virtual-inputs", flags.virtual_device.input_channels, "Input channels it has")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->group(virtual_group);
  app.add_option("--virtual-outputs", flags.virtual_device.output_channels,
                 "Output channels it has")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->group(virtual_group);
  std::vector<std::string> routes;
  app.add_option(
         "--loopback", routes,
         "OUTPUT>INPUT[:delay=FRAMES][,gain=FACTOR]; repeatable. Default: each output to its input")
      ->check(Parsed(ParseRoute, "OUTPUT>INPUT[:delay=FRAMES][,gain=FACTOR]"))
      ->group(virtual_group);
  app.add_option("--clock-error-ppm", flags.virtual_device.clock_error_ppm,
                 "How much too fast its clock is")
      ->check(CLI::Range(-1000.0, 1000.0))
      ->capture_default_str()
      ->group(virtual_group);
  app.add_flag("--enable-device-scripts", flags.server.engine.enable_device_scripts,
               "Let clients make it misbehave (VirtualDeviceService)")
      ->group(virtual_group);

  const std::string spool_group = "Spool";
  Spool::Options spool;
  app.add_option(
         "--spool", spool.folder,
         "Write every recording into a buffer to this folder too, as it comes: it survives a "
         "crash. Once its session has ended, every client may fetch and delete it")
      ->type_name("DIR")
      ->group(spool_group);
  int64_t spool_mib = spool.max_bytes / kMiB;
  app.add_option("--spool-max-mib", spool_mib,
                 "MiB of recordings to keep there; beyond, the oldest are deleted")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str()
      ->group(spool_group);
  double spool_hours = absl::ToDoubleHours(spool.max_age);
  app.add_option("--spool-max-age", spool_hours, "Hours to keep a recording there")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str()
      ->group(spool_group);

  const std::string memory_group = "Memory";
  app.add_flag("--lock-memory", flags.lock_memory, "Let none of it be swapped out")
      ->group(memory_group);
  app.add_flag("--huge-pages", flags.huge_pages,
               "Put it on pages of 2 MiB: long and many sounds are mixed faster, and take longer "
               "to arrive")
      ->group(memory_group);

  const std::string limit_group = "Limits";
  Limits& limits = flags.server.engine.limits;
  double history_seconds = absl::ToDoubleSeconds(limits.history);
  app.add_option("--history", history_seconds, "Seconds that a recording may start in the past")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str()
      ->group(limit_group);
  app.add_option("--max-sessions", limits.max_sessions, "Sessions at once")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str()
      ->group(limit_group);
  app.add_option("--max-actions", limits.max_actions, "Unfinished actions of all sessions")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str()
      ->group(limit_group);
  app.add_option("--max-actions-per-session", limits.max_actions_per_session,
                 "Unfinished actions of one session")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str()
      ->group(limit_group);
  int64_t buffer_mib = limits.max_buffer_bytes / kMiB;
  app.add_option("--max-buffer-mib", buffer_mib, "MiB of audio in buffers of all sessions")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->group(limit_group);
  int64_t session_buffer_mib = limits.max_buffer_bytes_per_session / kMiB;
  app.add_option("--max-buffer-mib-per-session", session_buffer_mib,
                 "MiB of audio in buffers of one session")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->group(limit_group);
  app.add_option("--max-audio-streams", limits.max_audio_streams,
                 "Play, Record and Duplex calls at once")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str()
      ->group(limit_group);
  app.add_option("--max-watch-streams", limits.max_watch_streams,
                 "Event, meter and clock calls at once")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str()
      ->group(limit_group);

  double exclusive_seconds = absl::ToDoubleSeconds(limits.max_exclusive);
  app.add_option("--max-exclusive", exclusive_seconds,
                 "Seconds that a session may have the server for itself")
      ->check(CLI::Range(1.0, 1e8))
      ->capture_default_str()
      ->group(limit_group);
  app.add_option("--max-calls-per-second", limits.max_calls_per_second,
                 "Calls per second of one token, or of all clients without --token-file")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str()
      ->group(limit_group);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    *exit_code = app.exit(error);
    if (*exit_code != 0) *exit_code = 2;
    return std::nullopt;
  }

  stream.input.latency = *ParseLatency(latency);
  stream.output.latency = stream.input.latency;
  if (!routes.empty()) {
    flags.virtual_device.routes.emplace();
    for (const std::string& route : routes)
      flags.virtual_device.routes->push_back(*ParseRoute(route));
  }
  if (!tls.certificate.empty()) flags.server.tls = tls;
  limits.max_exclusive = absl::Seconds(exclusive_seconds);
  limits.history = absl::Seconds(history_seconds);
  limits.max_buffer_bytes = buffer_mib * kMiB;
  limits.max_buffer_bytes_per_session = session_buffer_mib * kMiB;
  spool.max_bytes = spool_mib * kMiB;
  spool.max_age = absl::Hours(spool_hours);
  if (!spool.folder.empty()) flags.server.spool = spool;
  flags.grace = absl::Seconds(grace_seconds);
  if (!flags.closed) flags.server.engine.default_stream = stream;
  return flags;
}

}  // namespace rtmixd
