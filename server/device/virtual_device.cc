#include "server/device/virtual_device.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/base/error_info.h"
#include "server/device/virtual_engine.h"
#include "server/device/virtual_stream.h"

namespace rtmixd {
namespace {

constexpr char kHostApiId[] = "virtual";
constexpr char kDeviceId[] = "virtual/loopback";
constexpr int kMaxChannels = 512;
constexpr int kMaxLatencyFrames = 1'000'000;
constexpr double kMaxClockErrorPpm = 10'000;
constexpr int kHighLatencyFactor = 4;

absl::Status CheckRange(const std::string& name, double value, double low, double high) {
  if (value >= low && value <= high) return absl::OkStatus();  // not so if NaN
  return absl::InvalidArgumentError(
      absl::StrFormat("%s is %g, must be %g to %g", name, value, low, high));
}

absl::Status CheckRoute(const std::string& name, const LoopbackRoute& route,
                        const VirtualDevice::Options& options) {
  absl::Status status = CheckRange(absl::StrCat(name, ".output_channel"), route.output_channel, 0,
                                   options.output_channels - 1);
  if (status.ok()) {
    status = CheckRange(absl::StrCat(name, ".input_channel"), route.input_channel, 0,
                        options.input_channels - 1);
  }
  if (status.ok()) {
    status = CheckRange(absl::StrCat(name, ".delay_frames"),
                        static_cast<double>(route.delay_frames), 0, kMaxLatencyFrames);
  }
  if (status.ok() && !std::isfinite(route.gain)) {
    status = absl::InvalidArgumentError(absl::StrCat(name, ".gain is not finite"));
  }
  return status;
}

absl::Status CheckOptions(const VirtualDevice::Options& options) {
  absl::Status status = CheckRange("input_channels", options.input_channels, 0, kMaxChannels);
  status.Update(CheckRange("output_channels", options.output_channels, 0, kMaxChannels));
  status.Update(CheckRange("block_frames", options.block_frames, 1, kMaxBlockFrames));
  status.Update(CheckRange("clock_error_ppm", options.clock_error_ppm, -kMaxClockErrorPpm,
                           kMaxClockErrorPpm));
  status.Update(CheckRange("input_latency_frames", options.input_latency_frames.value_or(0), 0,
                           kMaxLatencyFrames));
  status.Update(CheckRange("output_latency_frames", options.output_latency_frames.value_or(0), 0,
                           kMaxLatencyFrames));
  for (const double rate_hz : options.sample_rates_hz) {
    status.Update(CheckRange("sample_rates_hz", rate_hz, 1, 1e6));
  }
  if (std::find(options.sample_rates_hz.begin(), options.sample_rates_hz.end(),
                options.default_sample_rate_hz) == options.sample_rates_hz.end()) {
    status.Update(absl::InvalidArgumentError(absl::StrCat(
        "default_sample_rate_hz is ", options.default_sample_rate_hz, ", not in sample_rates_hz")));
  }
  if (options.routes.has_value()) {
    for (size_t i = 0; i < options.routes->size(); ++i) {
      status.Update(CheckRoute(absl::StrCat("routes[", i, "]"), (*options.routes)[i], options));
    }
  }
  return status;
}

DeviceList MakeList(const VirtualDevice::Options& options) {
  DeviceInfo device;
  device.id = kDeviceId;
  device.index = 0;
  device.name = "loopback";
  device.host_api_id = kHostApiId;
  device.max_input_channels = options.input_channels;
  device.max_output_channels = options.output_channels;
  device.default_sample_rate_hz = options.default_sample_rate_hz;
  const double low_input_frames =
      std::max(options.block_frames, options.input_latency_frames.value_or(0));
  const double low_output_frames = options.output_latency_frames.value_or(options.block_frames);
  const double rate_hz = options.default_sample_rate_hz;
  device.default_low_input_latency_seconds = low_input_frames / rate_hz;
  device.default_low_output_latency_seconds = low_output_frames / rate_hz;
  device.default_high_input_latency_seconds = kHighLatencyFactor * low_input_frames / rate_hz;
  device.default_high_output_latency_seconds = kHighLatencyFactor * low_output_frames / rate_hz;

  HostApiInfo api;
  api.id = kHostApiId;
  api.name = "Virtual";
  api.device_count = 1;
  DeviceList list;
  if (options.input_channels > 0) {
    api.default_input_device_id = kDeviceId;
    list.default_input_index = 0;
  }
  if (options.output_channels > 0) {
    api.default_output_device_id = kDeviceId;
    list.default_output_index = 0;
  }
  list.host_apis.push_back(api);
  list.devices.push_back(device);
  return list;
}

absl::Status RefuseHostSettings(const char* direction, const DirectionSettings& settings) {
  if (settings.host_settings.empty()) return absl::OkStatus();
  return BadField(absl::StrCat(direction, ".host_settings"), settings.host_settings.begin()->first,
                  "empty: the virtual device knows none");
}

absl::Status Closed() { return absl::FailedPreconditionError("no stream is open"); }

}  // namespace

absl::StatusOr<std::unique_ptr<VirtualDevice>> VirtualDevice::Create(Options options) {
  absl::Status status = CheckOptions(options);
  if (!status.ok()) return status;
  if (!options.routes.has_value()) {
    options.routes = IdentityRoutes(std::min(options.input_channels, options.output_channels));
  }
  return std::unique_ptr<VirtualDevice>(new VirtualDevice(std::move(options)));
}

VirtualDevice::VirtualDevice(Options options)
    : options_(std::move(options)), list_(MakeList(options_)) {}

VirtualDevice::~VirtualDevice() {
  const std::shared_ptr<VirtualStream> open = Detach(nullptr);
  if (open == nullptr) return;
  open->Abandon();
  open->AwaitEnd();
}

absl::StatusOr<std::vector<HostApiInfo>> VirtualDevice::ListHostApis() { return list_.host_apis; }

absl::StatusOr<std::vector<DeviceInfo>> VirtualDevice::ListDevices() { return list_.devices; }

int VirtualDevice::LatencyFrames(const LatencyRequest& request, std::optional<int> low_frames,
                                 int block_frames, double sample_rate_hz) const {
  const int low = low_frames.value_or(block_frames);
  switch (request.kind) {
    case LatencyRequest::Kind::kLow:
      return low;
    case LatencyRequest::Kind::kHigh:
      return kHighLatencyFactor * low;
    case LatencyRequest::Kind::kSeconds:
      break;
  }
  return static_cast<int>(std::ceil(request.seconds * sample_rate_hz));
}

absl::StatusOr<StreamInfo> VirtualDevice::Plan(const StreamSettings& settings) const {
  const absl::StatusOr<ResolvedSettings> resolved = ResolveSettings(list_, settings);
  if (!resolved.ok()) return resolved.status();
  absl::Status status = RefuseHostSettings("input", settings.input);
  status.Update(RefuseHostSettings("output", settings.output));
  if (!status.ok()) return status;
  const std::vector<double>& rates_hz = options_.sample_rates_hz;
  if (std::find(rates_hz.begin(), rates_hz.end(), resolved->sample_rate_hz) == rates_hz.end()) {
    const std::string text =
        absl::StrFormat("sample_rate_hz is %.10g, but the virtual device has only %s",
                        resolved->sample_rate_hz, absl::StrJoin(rates_hz, ", "));
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.reason = ErrorReason::kDeviceError,
                      .field = "sample_rate_hz",
                      .value = absl::StrCat(resolved->sample_rate_hz),
                      .host_error_text = text},
                     text);
  }
  StreamInfo info;
  info.sample_rate_hz = resolved->sample_rate_hz;
  info.block_frames = settings.block_frames > 0 ? settings.block_frames : options_.block_frames;
  info.max_block_frames = info.block_frames;
  if (resolved->input_channels > 0) {
    info.input_device = resolved->input_device;
    info.input_channels = resolved->input_channels;
    info.input_latency_frames = std::max(
        info.block_frames, LatencyFrames(settings.input.latency, options_.input_latency_frames,
                                         info.block_frames, info.sample_rate_hz));
  }
  if (resolved->output_channels > 0) {
    info.output_device = resolved->output_device;
    info.output_channels = resolved->output_channels;
    info.output_latency_frames =
        LatencyFrames(settings.output.latency, options_.output_latency_frames, info.block_frames,
                      info.sample_rate_hz);
  }
  return info;
}

absl::Status VirtualDevice::CheckSettings(const StreamSettings& settings) {
  return Plan(settings).status();
}

absl::StatusOr<StreamInfo> VirtualDevice::Open(const StreamSettings& settings,
                                               AudioBlockSink* sink) {
  absl::StatusOr<StreamInfo> info = Plan(settings);
  if (!info.ok()) return info;
  VirtualEngine::Config config;
  config.input_channels = info->input_channels;
  config.output_channels = info->output_channels;
  config.sample_rate_hz = info->sample_rate_hz;
  config.block_frames = info->block_frames;
  config.input_latency_frames = info->input_latency_frames;
  config.output_latency_frames = info->output_latency_frames;
  config.clock_error_ppm = options_.clock_error_ppm;
  config.routes = *options_.routes;
  const MutexLock lock(&mu_);
  if (stream_ != nullptr) return absl::FailedPreconditionError("a stream is open already");
  stream_ = std::make_shared<VirtualStream>(std::move(config), options_.free_running, sink);
  return info;
}

std::shared_ptr<VirtualStream> VirtualDevice::stream() const {
  const MutexLock lock(&mu_);
  return stream_;
}

std::shared_ptr<VirtualStream> VirtualDevice::Detach(const VirtualStream* expected) {
  const MutexLock lock(&mu_);
  if (stream_ == nullptr || (expected != nullptr && stream_.get() != expected)) return nullptr;
  for (DeviceIncident& incident : stream_->TakeIncidents()) {
    incidents_.push_back(std::move(incident));
  }
  return std::exchange(stream_, nullptr);
}

absl::Status VirtualDevice::Start() {
  const std::shared_ptr<VirtualStream> open = stream();
  return open == nullptr ? Closed() : open->Start();
}

absl::Status VirtualDevice::Stop() {
  const std::shared_ptr<VirtualStream> open = stream();
  return open == nullptr ? Closed() : open->Stop();
}

absl::Status VirtualDevice::Abort() { return Stop(); }

absl::Status VirtualDevice::Close() {
  const std::shared_ptr<VirtualStream> open = stream();
  if (open == nullptr) return Closed();
  if (open->health() != Health::kStopped) {
    absl::Status status = open->Stop();
    if (!status.ok()) return status;
  }
  // If it was given up while Stop hung, another stream may be open by now.
  Detach(open.get());
  return absl::OkStatus();
}

void VirtualDevice::Abandon() {
  const std::shared_ptr<VirtualStream> given_up = Detach(nullptr);
  if (given_up != nullptr) given_up->Abandon();
}

AudioDevice::Health VirtualDevice::health() const {
  const std::shared_ptr<VirtualStream> open = stream();
  return open == nullptr ? Health::kClosed : open->health();
}

double VirtualDevice::cpu_load() const {
  const std::shared_ptr<VirtualStream> open = stream();
  return open == nullptr ? 0 : open->cpu_load();
}

std::vector<DeviceIncident> VirtualDevice::TakeIncidents() {
  const MutexLock lock(&mu_);
  std::vector<DeviceIncident> incidents = std::exchange(incidents_, {});
  if (stream_ != nullptr) {
    for (DeviceIncident& incident : stream_->TakeIncidents()) {
      incidents.push_back(std::move(incident));
    }
  }
  return incidents;
}

absl::Status VirtualDevice::LoadScript(const std::vector<ScriptedFault>& faults) {
  const std::shared_ptr<VirtualStream> open = stream();
  return open == nullptr ? Closed() : open->LoadScript(faults);
}

}  // namespace rtmixd
