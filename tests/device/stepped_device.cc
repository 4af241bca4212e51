#include "tests/device/stepped_device.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace rtmixd {
namespace {

constexpr char kHostApiId[] = "stepped";

}  // namespace

SteppedDevice::SteppedDevice(Options options) : options_(std::move(options)) {}

DeviceInfo SteppedDevice::Device() const {
  DeviceInfo device;
  device.id = "stepped/device";
  device.index = 0;
  device.name = "device";
  device.host_api_id = kHostApiId;
  device.max_input_channels = options_.max_input_channels;
  device.max_output_channels = options_.max_output_channels;
  device.default_sample_rate_hz = options_.sample_rate_hz;
  return device;
}

int64_t SteppedDevice::NowNanos() const {
  return base_nanos_ + std::llround(static_cast<long double>(clock_frames_) * 1e9L /
                                    static_cast<long double>(options_.sample_rate_hz));
}

bool SteppedDevice::Step(int frames) {
  Callback callback;
  callback.frames = frames;
  return Step(callback);
}

bool SteppedDevice::StepMany(int blocks, int frames) {
  for (int i = 0; i < blocks; ++i) {
    if (!Step(frames)) return false;
  }
  return true;
}

bool SteppedDevice::Step(const Callback& callback) {
  // Held during the callback, so that Stop and Abandon wait for it as they promise.
  const MutexLock lock(&mu_);
  const int frames = callback.frames;
  const int64_t callback_nanos = callback.callback_nanos.value_or(NowNanos());
  clock_frames_ += frames;
  if (health_ != Health::kRunning) return false;
  for (const LoopbackRoute& route : options_.routes) {
    if (route.delay_frames < frames) {
      std::fprintf(stderr, "SteppedDevice: a block of %d frames exceeds a route's delay\n", frames);
      std::abort();
    }
  }

  std::vector<std::vector<float>> input(info_.input_channels, std::vector<float>(frames));
  std::vector<std::vector<float>> output(info_.output_channels, std::vector<float>(frames, NAN));
  std::vector<float*> input_pointers;
  std::vector<float*> output_pointers;
  for (std::vector<float>& channel : input) input_pointers.push_back(channel.data());
  for (std::vector<float>& channel : output) output_pointers.push_back(channel.data());
  cable_->Record(next_frame_, frames, input_pointers.data());
  if (input_) {
    for (int c = 0; c < info_.input_channels; ++c) {
      for (int k = 0; k < frames; ++k) input[c][k] += input_(c, next_frame_ + k);
    }
  }

  AudioBlock block;
  block.frames = frames;
  block.input = input.empty() ? nullptr : input_pointers.data();
  block.output = output.empty() ? nullptr : output_pointers.data();
  block.callback_nanos = callback_nanos;
  block.host_flags = callback.host_flags;
  block.host_input_seconds = callback.host_input_seconds;
  block.host_now_seconds = callback.host_now_seconds;
  block.host_output_seconds = callback.host_output_seconds;
  sink_->ProcessRt(block);
  sink_->AfterBlockRt();

  cable_->Play(output_pointers.data(), frames);
  for (int c = 0; c < info_.output_channels; ++c) {
    if (output_watch_) output_watch_(c, output[c]);
    if (options_.keep_sent) sent_[c].insert(sent_[c].end(), output[c].begin(), output[c].end());
  }
  next_frame_ += frames;
  return true;
}

void SteppedDevice::AdvanceClockFrames(int64_t frames) {
  const MutexLock lock(&mu_);
  clock_frames_ += frames;
}

void SteppedDevice::AdvanceClockNanos(int64_t nanos) {
  const MutexLock lock(&mu_);
  base_nanos_ += nanos;
}

int64_t SteppedDevice::now_nanos() const {
  const MutexLock lock(&mu_);
  return NowNanos();
}

void SteppedDevice::SetInput(std::function<float(int channel, int64_t frame)> input) {
  const MutexLock lock(&mu_);
  input_ = std::move(input);
}

void SteppedDevice::WatchOutput(
    std::function<void(int channel, const std::vector<float>& samples)> watch) {
  const MutexLock lock(&mu_);
  output_watch_ = std::move(watch);
}

int64_t SteppedDevice::frames_stepped() const {
  const MutexLock lock(&mu_);
  return next_frame_;
}

std::vector<float> SteppedDevice::sent(int channel) const {
  const MutexLock lock(&mu_);
  return sent_.at(channel);
}

void SteppedDevice::FailNextOpen(absl::Status status) {
  const MutexLock lock(&mu_);
  next_open_ = std::move(status);
}

void SteppedDevice::FailNextStart(absl::Status status) {
  const MutexLock lock(&mu_);
  next_start_ = std::move(status);
}

void SteppedDevice::FailNextStop(absl::Status status) {
  const MutexLock lock(&mu_);
  next_stop_ = std::move(status);
}

void SteppedDevice::HangStops() {
  const MutexLock lock(&mu_);
  stops_hang_ = true;
}

void SteppedDevice::ReleaseStops() {
  const MutexLock lock(&mu_);
  stops_hang_ = false;
  changed_.SignalAll();
}

void SteppedDevice::WaitForHangingStop() {
  const MutexLock lock(&mu_);
  while (hanging_stops_ == 0) changed_.Wait(&mu_);
}

void SteppedDevice::Die() {
  const MutexLock lock(&mu_);
  if (health_ == Health::kRunning) health_ = Health::kDead;
}

void SteppedDevice::AddIncident(DeviceIncident incident) {
  const MutexLock lock(&mu_);
  incidents_.push_back(std::move(incident));
}

int SteppedDevice::open_count() const {
  const MutexLock lock(&mu_);
  return open_count_;
}

int SteppedDevice::start_count() const {
  const MutexLock lock(&mu_);
  return start_count_;
}

absl::StatusOr<std::vector<HostApiInfo>> SteppedDevice::ListHostApis() {
  HostApiInfo api;
  api.id = kHostApiId;
  api.name = "Stepped";
  api.device_count = 1;
  api.default_input_device_id = options_.max_input_channels > 0 ? Device().id : "";
  api.default_output_device_id = options_.max_output_channels > 0 ? Device().id : "";
  return std::vector<HostApiInfo>{api};
}

absl::StatusOr<std::vector<DeviceInfo>> SteppedDevice::ListDevices() {
  return std::vector<DeviceInfo>{Device()};
}

absl::StatusOr<ResolvedSettings> SteppedDevice::Resolve(const StreamSettings& settings) {
  DeviceList list = {*ListHostApis(), *ListDevices(), 0, 0};
  if (options_.max_input_channels == 0) list.default_input_index = -1;
  if (options_.max_output_channels == 0) list.default_output_index = -1;
  absl::StatusOr<ResolvedSettings> resolved = ResolveSettings(list, settings);
  if (resolved.ok() && resolved->sample_rate_hz != options_.sample_rate_hz) {
    return absl::FailedPreconditionError("sample_rate_hz: Invalid sample rate (-9997)");
  }
  return resolved;
}

absl::Status SteppedDevice::CheckSettings(const StreamSettings& settings) {
  return Resolve(settings).status();
}

absl::StatusOr<StreamInfo> SteppedDevice::Open(const StreamSettings& settings,
                                               AudioBlockSink* sink) {
  const absl::StatusOr<ResolvedSettings> resolved = Resolve(settings);
  const MutexLock lock(&mu_);
  if (!next_open_.ok()) return std::exchange(next_open_, absl::OkStatus());
  if (health_ != Health::kClosed) return absl::FailedPreconditionError("a stream is open already");
  if (!resolved.ok()) return resolved.status();
  StreamInfo info;
  info.input_device = resolved->input_device;
  info.output_device = resolved->output_device;
  info.input_channels = resolved->input_channels;
  info.output_channels = resolved->output_channels;
  info.sample_rate_hz = options_.sample_rate_hz;
  info.block_frames = settings.block_frames > 0 ? settings.block_frames : options_.block_frames;
  info.max_block_frames = options_.max_block_frames;
  info.input_latency_frames = info.input_channels > 0 ? options_.input_latency_frames : 0;
  info.output_latency_frames = info.output_channels > 0 ? options_.output_latency_frames : 0;
  info.clocks_related = options_.clocks_related;
  info.reports_xruns = options_.reports_xruns;
  info_ = info;
  sink_ = sink;
  health_ = Health::kStopped;
  ++open_count_;
  return info;
}

absl::Status SteppedDevice::Start() {
  const MutexLock lock(&mu_);
  if (!next_start_.ok()) return std::exchange(next_start_, absl::OkStatus());
  if (health_ != Health::kStopped)
    return absl::FailedPreconditionError("no stopped stream is open");
  next_frame_ = 0;
  cable_ =
      std::make_unique<LoopbackCable>(info_.input_channels, info_.output_channels, options_.routes);
  sent_.assign(info_.output_channels, {});
  health_ = Health::kRunning;
  ++start_count_;
  return absl::OkStatus();
}

absl::Status SteppedDevice::End(Health to) {
  const MutexLock lock(&mu_);
  const int64_t generation = generation_;
  if (stops_hang_) {
    ++hanging_stops_;
    changed_.SignalAll();
    while (stops_hang_) changed_.Wait(&mu_);
    --hanging_stops_;
  }
  if (!next_stop_.ok()) return std::exchange(next_stop_, absl::OkStatus());
  if (generation != generation_) return absl::AbortedError("the stream was abandoned");
  if (health_ == Health::kClosed) return absl::FailedPreconditionError("no stream is open");
  health_ = to;
  if (to == Health::kClosed) sink_ = nullptr;
  return absl::OkStatus();
}

absl::Status SteppedDevice::Stop() { return End(Health::kStopped); }
absl::Status SteppedDevice::Abort() { return End(Health::kStopped); }
absl::Status SteppedDevice::Close() { return End(Health::kClosed); }

void SteppedDevice::Abandon() {
  const MutexLock lock(&mu_);
  ++generation_;
  health_ = Health::kClosed;
  sink_ = nullptr;
}

AudioDevice::Health SteppedDevice::health() const {
  const MutexLock lock(&mu_);
  return health_;
}

std::vector<DeviceIncident> SteppedDevice::TakeIncidents() {
  const MutexLock lock(&mu_);
  return std::exchange(incidents_, {});
}

}  // namespace rtmixd
