#include "server/device/portaudio_host.h"

#include <map>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

constexpr char kAlsaPeriods[] = "alsa.periods";
constexpr char kAlsaRealtime[] = "alsa.realtime";
constexpr char kJackClientName[] = "jack.client_name";
constexpr int kMinAlsaPeriods = 2;
constexpr int kMaxAlsaPeriods = 64;
constexpr size_t kMaxJackClientNameLetters = 32;

std::string HostApiId(PaHostApiTypeId type) {
  switch (type) {
    case paDirectSound:
      return "directsound";
    case paMME:
      return "mme";
    case paASIO:
      return "asio";
    case paSoundManager:
      return "soundmanager";
    case paCoreAudio:
      return "coreaudio";
    case paOSS:
      return "oss";
    case paALSA:
      return "alsa";
    case paAL:
      return "al";
    case paBeOS:
      return "beos";
    case paWDMKS:
      return "wdmks";
    case paJACK:
      return kJackHostApiId;
    case paWASAPI:
      return "wasapi";
    case paAudioScienceHPI:
      return "asihpi";
    case paInDevelopment:
      break;
  }
  return absl::StrCat("api", static_cast<int>(type));  // younger than this list
}

std::string DeviceIdOrNone(const DeviceList& list, PaDeviceIndex index) {
  return index >= 0 && index < static_cast<int>(list.devices.size()) ? list.devices[index].id : "";
}

PaStreamParameters Parameters(const DirectionSettings& settings, const DeviceInfo& device,
                              int channels, double low_seconds, double high_seconds) {
  PaStreamParameters parameters = {};
  parameters.device = device.index;
  parameters.channelCount = channels;
  parameters.sampleFormat = paFloat32 | paNonInterleaved;
  switch (settings.latency.kind) {
    case LatencyRequest::Kind::kLow:
      parameters.suggestedLatency = low_seconds;
      break;
    case LatencyRequest::Kind::kHigh:
      parameters.suggestedLatency = high_seconds;
      break;
    case LatencyRequest::Kind::kSeconds:
      parameters.suggestedLatency = settings.latency.seconds;
      break;
  }
  return parameters;
}

// Puts the host settings of one direction into `plan`.
absl::Status TakeHostSettings(const char* direction, const DirectionSettings& settings,
                              const DeviceInfo& device, PortAudioPlan* plan) {
  for (const auto& [key, value] : settings.host_settings) {
    const std::string field = absl::StrCat(direction, ".host_settings[\"", key, "\"]");
    const bool known = key == kAlsaPeriods || key == kAlsaRealtime || key == kJackClientName;
    const bool fits = key.rfind(absl::StrCat(device.host_api_id, "."), 0) == 0;
    if (!known || !fits) {
      return BadField(field, value, absl::StrCat("a setting of host API ", device.host_api_id));
    }
    int number = 0;
    const bool is_number = absl::SimpleAtoi(value, &number);
    if (key == kAlsaPeriods) {
      if (!is_number || number < kMinAlsaPeriods || number > kMaxAlsaPeriods) {
        return BadField(field, value,
                        absl::StrFormat("%d to %d", kMinAlsaPeriods, kMaxAlsaPeriods));
      }
      plan->alsa_periods = number;
    } else if (key == kAlsaRealtime) {
      if (value != "0" && value != "1") {
        return BadField(field, value, "0 or 1");
      }
      plan->alsa_realtime = value == "1";
    } else if (value.empty() || value.size() > kMaxJackClientNameLetters ||
               value.find(':') != std::string::npos) {
      return BadField(
          field, value,
          absl::StrFormat("1 to %d letters without a colon", kMaxJackClientNameLetters));
    }
  }
  return absl::OkStatus();
}

}  // namespace

DeviceList ReadDeviceList(const PortAudioLibrary& library) {
  DeviceList list;
  std::map<std::string, int> times_seen;
  std::vector<std::string> api_ids;
  for (PaHostApiIndex i = 0; i < library.GetHostApiCount(); ++i) {
    api_ids.push_back(HostApiId(library.GetHostApiInfo(i)->type));
  }
  for (PaDeviceIndex i = 0; i < library.GetDeviceCount(); ++i) {
    const PaDeviceInfo& info = *library.GetDeviceInfo(i);
    DeviceInfo device;
    device.index = i;
    device.name = info.name;
    device.host_api_id = api_ids.at(info.hostApi);
    device.id = absl::StrCat(device.host_api_id, "/", device.name);
    const int times = ++times_seen[device.id];
    if (times > 1) absl::StrAppend(&device.id, "#", times);
    device.max_input_channels = info.maxInputChannels;
    device.max_output_channels = info.maxOutputChannels;
    device.default_sample_rate_hz = info.defaultSampleRate;
    device.default_low_input_latency_seconds = info.defaultLowInputLatency;
    device.default_low_output_latency_seconds = info.defaultLowOutputLatency;
    device.default_high_input_latency_seconds = info.defaultHighInputLatency;
    device.default_high_output_latency_seconds = info.defaultHighOutputLatency;
    list.devices.push_back(std::move(device));
  }
  for (PaHostApiIndex i = 0; i < static_cast<int>(api_ids.size()); ++i) {
    const PaHostApiInfo& info = *library.GetHostApiInfo(i);
    HostApiInfo api;
    api.id = api_ids[i];
    api.name = info.name;
    api.device_count = info.deviceCount;
    api.default_input_device_id = DeviceIdOrNone(list, info.defaultInputDevice);
    api.default_output_device_id = DeviceIdOrNone(list, info.defaultOutputDevice);
    list.host_apis.push_back(std::move(api));
  }
  list.default_input_index = library.GetDefaultInputDevice();
  list.default_output_index = library.GetDefaultOutputDevice();
  return list;
}

absl::StatusOr<PortAudioPlan> MakePlan(const PortAudioLibrary& library,
                                       const StreamSettings& settings) {
  PortAudioPlan plan;
  absl::StatusOr<ResolvedSettings> resolved = ResolveSettings(ReadDeviceList(library), settings);
  if (!resolved.ok()) return resolved.status();
  plan.resolved = *std::move(resolved);
  plan.frames_per_buffer = settings.block_frames;
  const DeviceInfo& input = plan.resolved.input_device;
  const DeviceInfo& output = plan.resolved.output_device;
  if (input.index >= 0) {
    plan.input = Parameters(settings.input, input, plan.resolved.input_channels,
                            input.default_low_input_latency_seconds,
                            input.default_high_input_latency_seconds);
    absl::Status taken = TakeHostSettings("input", settings.input, input, &plan);
    if (!taken.ok()) return taken;
  }
  if (output.index >= 0) {
    plan.output = Parameters(settings.output, output, plan.resolved.output_channels,
                             output.default_low_output_latency_seconds,
                             output.default_high_output_latency_seconds);
    absl::Status taken = TakeHostSettings("output", settings.output, output, &plan);
    if (!taken.ok()) return taken;
  }
  if (input.index >= 0 && output.index >= 0 && input.host_api_id != output.host_api_id) {
    return BadField("input.device", input.id,
                    absl::StrFormat("a device of the host API of output.device %s", output.id));
  }
  return plan;
}

std::string DescribePlan(const PortAudioPlan& plan) {
  std::string text;
  if (plan.input) {
    absl::StrAppendFormat(&text, "input %s (%d channels), ", plan.resolved.input_device.id,
                          plan.input->channelCount);
  }
  if (plan.output) {
    absl::StrAppendFormat(&text, "output %s (%d channels), ", plan.resolved.output_device.id,
                          plan.output->channelCount);
  }
  absl::StrAppendFormat(&text, "%.10g Hz", plan.resolved.sample_rate_hz);
  return text;
}

absl::Status CheckPlan(const PortAudioLibrary& library, const PortAudioPlan& plan) {
  const PaError error = library.IsFormatSupported(plan.input_or_null(), plan.output_or_null(),
                                                  plan.resolved.sample_rate_hz);
  if (error == paFormatIsSupported) return absl::OkStatus();
  return library.ToStatus(error, absl::StrCat("the host refuses ", DescribePlan(plan)));
}

std::string JackClientName(const StreamSettings& settings) {
  for (const DirectionSettings* direction : {&settings.output, &settings.input}) {
    const auto found = direction->host_settings.find(kJackClientName);
    if (direction->channels > 0 && found != direction->host_settings.end()) return found->second;
  }
  return "rtmixd";
}

}  // namespace rtmixd
