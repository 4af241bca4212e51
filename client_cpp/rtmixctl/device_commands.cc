#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/report_text.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {
namespace {

using client::Stubs;

// Devices take their time, more so when they are in trouble.
constexpr absl::Duration kDeviceTimeout = absl::Seconds(30);

struct OpenOptions {
  std::string device;
  std::string input_device;
  std::string output_device;
  std::optional<int> input_channels;
  std::optional<int> output_channels;
  double sample_rate_hz = 0;
  int block_frames = 0;
  std::string latency;
  std::map<std::string, std::string> host_settings;
  bool start = false;
  bool check = false;
};

void SetDirection(const OpenOptions& options, const std::string& device, int channels,
                  v1::DirectionSettings& direction) {
  direction.set_device(device.empty() ? options.device : device);
  direction.set_channels(channels);
  double seconds = 0;
  if (options.latency == "high") {
    direction.set_latency_class(v1::LATENCY_CLASS_HIGH);
  } else if (options.latency == "low") {
    direction.set_latency_class(v1::LATENCY_CLASS_LOW);
  } else if (absl::SimpleAtod(options.latency, &seconds)) {
    direction.set_latency_seconds(seconds);
  }
  for (const auto& [key, value] : options.host_settings) {
    (*direction.mutable_host_settings())[key] = value;
  }
}

v1::StreamSettings Settings(const OpenOptions& options) {
  v1::StreamSettings settings;
  // 0 channels on the command line means none; in the API, all.
  constexpr int kAll = 0;
  if (options.input_channels != 0) {
    SetDirection(options, options.input_device, options.input_channels.value_or(kAll),
                 *settings.mutable_input());
  }
  if (options.output_channels != 0) {
    SetDirection(options, options.output_device, options.output_channels.value_or(kAll),
                 *settings.mutable_output());
  }
  settings.set_sample_rate_hz(options.sample_rate_hz);
  settings.set_block_frames(options.block_frames);
  return settings;
}

absl::StatusOr<ExitCode> Open(Context& context, const OpenOptions& options) {
  auto client = context.Connect();
  if (!client.ok()) return client.status();
  const v1::StreamSettings settings = Settings(options);
  if (options.check) {
    v1::CheckSettingsRequest request;
    *request.mutable_settings() = settings;
    auto response = (*client)->Call(&Stubs::devices, &v1::DeviceService::Stub::CheckSettings,
                                    request, {.timeout = kDeviceTimeout});
    if (!response.ok()) return response.status();
    context.Answer(*response, "a stream could be opened like this\n");
    return ExitCode::kOk;
  }
  auto session = context.OpenSession("open");
  if (!session.ok()) return session.status();
  v1::OpenStreamRequest request;
  *request.mutable_settings() = settings;
  auto opened = (*client)->Call(&Stubs::stream, &v1::StreamService::Stub::OpenStream, request,
                                (*session)->call(kDeviceTimeout));
  if (!opened.ok()) return opened.status();
  if (options.start) {
    auto started = (*client)->Call(&Stubs::stream, &v1::StreamService::Stub::StartStream,
                                   v1::StartStreamRequest(), (*session)->call(kDeviceTimeout));
    if (!started.ok()) return started.status();
    *opened->mutable_stream() = started->stream();
  }
  context.Answer(*opened, DescribeStream(opened->stream()));
  return ExitCode::kOk;
}

// The four calls that only differ in their names.
template <typename Request, typename Response>
absl::StatusOr<ExitCode> Change(Context& context, const std::string& purpose,
                                grpc::Status (v1::StreamService::Stub::*method)(
                                    grpc::ClientContext*, const Request&, Response*),
                                const Request& request) {
  auto session = context.OpenSession(purpose);
  if (!session.ok()) return session.status();
  auto response =
      (*session)->client().Call(&Stubs::stream, method, request, (*session)->call(kDeviceTimeout));
  if (!response.ok()) return response.status();
  auto stream = context.Stream();
  if (!stream.ok()) return stream.status();
  context.Answer(*response, DescribeStream(*stream));
  return ExitCode::kOk;
}

}  // namespace

void AddDeviceCommands(Context& context) {
  auto options = std::make_shared<OpenOptions>();
  CLI::App* const open = context.AddCommand(
      "open", "Open the stream of the server",
      "  rtmixctl open --device jack/system --input-channels 4 --output-channels 2 --start\n"
      "  rtmixctl open --rate 96000 --block 128 --latency 0.01 --check\n",
      [options](Context& c) { return Open(c, *options); });
  open->add_option("--device", options->device,
                   "Device of both directions: its id, its index, or a part of its name that only "
                   "it has; the default device without it");
  open->add_option("--input-device", options->input_device, "Device to record from, if another");
  open->add_option("--output-device", options->output_device, "Device to play on, if another");
  open->add_option("--input-channels", options->input_channels,
                   "Channels to record; all without it, 0: do not record")
      ->check(WholeNumber(0, 1024, "number of channels"));
  open->add_option("--output-channels", options->output_channels,
                   "Channels to play; all without it, 0: do not play")
      ->check(WholeNumber(0, 1024, "number of channels"));
  open->add_option("--rate", options->sample_rate_hz,
                   "Frames per second; the device's own without it")
      ->type_name("HZ")
      ->check(Number(1, 1e7, "number of Hz"));
  open->add_option("--block", options->block_frames,
                   "Frames per block; the host decides without it")
      ->type_name("FRAMES")
      ->check(WholeNumber(0, std::numeric_limits<int>::max(), "number of frames"));
  open->add_option("--latency", options->latency, "low, high, or seconds")
      ->check([](const std::string& text) {
        if (text == "low" || text == "high") return std::string();
        std::string why = Seconds()(text);
        return why.empty() ? why : absl::StrCat(why, ", nor low, nor high");
      });
  open->add_option("--host-setting", options->host_settings,
                   "What one host API knows, such as wasapi.exclusive 1")
      ->type_name("KEY VALUE");
  open->add_flag("--start", options->start, "Start it as well");
  open->add_flag("--check", options->check, "Only ask whether it could be opened");

  context.AddCommand("start", "Start the stream", "  rtmixctl start\n", [](Context& c) {
    return Change(c, "start", &v1::StreamService::Stub::StartStream, v1::StartStreamRequest());
  });
  auto abort = std::make_shared<bool>(false);
  context
      .AddCommand("stop", "Stop the stream; what is scheduled waits", "  rtmixctl stop --abort\n",
                  [abort](Context& c) {
                    v1::StopStreamRequest request;
                    request.set_abort(*abort);
                    return Change(c, "stop", &v1::StreamService::Stub::StopStream, request);
                  })
      ->add_flag("--abort", *abort, "Drop what the host has not played yet");
  context.AddCommand(
      "close", "Close the stream; every action on it ends", "  rtmixctl close\n", [](Context& c) {
        return Change(c, "close", &v1::StreamService::Stub::CloseStream, v1::CloseStreamRequest());
      });
  context.AddCommand("restore", "Put the stream back to how the server was started",
                     "  rtmixctl restore\n", [](Context& c) {
                       return Change(c, "restore", &v1::StreamService::Stub::RestoreStream,
                                     v1::RestoreStreamRequest());
                     });
}

}  // namespace rtmixd::rtmixctl
