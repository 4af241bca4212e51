#include "server/device/portaudio_device.h"

#include <utility>

#include "server/device/device_list.h"
#include "server/device/portaudio_stream.h"

namespace rtmixd {
namespace {

absl::Status Closed() { return absl::FailedPreconditionError("no stream is open"); }

}  // namespace

PortAudioDevice::PortAudioDevice(DeviceProbe probe) : probe_(std::move(probe)) {}

PortAudioDevice::~PortAudioDevice() {
  if (stream() != nullptr) PortAudioDevice::Close().IgnoreError();
}

int PortAudioDevice::abandoned_count() { return PortAudioStream::abandoned_count(); }

absl::StatusOr<std::vector<HostApiInfo>> PortAudioDevice::ListHostApis() {
  absl::StatusOr<DeviceList> list = probe_.List();
  if (!list.ok()) return list.status();
  return std::move(list->host_apis);
}

absl::StatusOr<std::vector<DeviceInfo>> PortAudioDevice::ListDevices() {
  absl::StatusOr<DeviceList> list = probe_.List();
  if (!list.ok()) return list.status();
  return std::move(list->devices);
}

absl::Status PortAudioDevice::CheckSettings(const StreamSettings& settings) {
  return probe_.Check(settings);
}

absl::StatusOr<StreamInfo> PortAudioDevice::Open(const StreamSettings& settings,
                                                 AudioBlockSink* sink) {
  int64_t generation = 0;
  {
    const MutexLock lock(&mu_);
    if (stream_ != nullptr) return absl::FailedPreconditionError("a stream is open already");
    generation = generation_;
  }
  absl::StatusOr<std::shared_ptr<PortAudioStream>> opened = PortAudioStream::Open(settings, sink);
  if (!opened.ok()) return opened.status();
  {
    const MutexLock lock(&mu_);
    if (generation == generation_) {
      stream_ = *opened;
      return stream_->info();
    }
  }
  (*opened)->Abandon();
  return absl::AbortedError("the stream was abandoned while it was opened");
}

std::shared_ptr<PortAudioStream> PortAudioDevice::stream() const {
  const MutexLock lock(&mu_);
  return stream_;
}

absl::Status PortAudioDevice::Start() {
  const std::shared_ptr<PortAudioStream> open = stream();
  return open == nullptr ? Closed() : open->Start();
}

absl::Status PortAudioDevice::Stop() {
  const std::shared_ptr<PortAudioStream> open = stream();
  return open == nullptr ? Closed() : open->Stop();
}

absl::Status PortAudioDevice::Abort() {
  const std::shared_ptr<PortAudioStream> open = stream();
  return open == nullptr ? Closed() : open->Abort();
}

absl::Status PortAudioDevice::Close() {
  const std::shared_ptr<PortAudioStream> open = stream();
  if (open == nullptr) return Closed();
  absl::Status closed = open->Close();
  // If it was abandoned meanwhile, another stream may be open by now.
  const MutexLock lock(&mu_);
  if (stream_ == open) stream_ = nullptr;
  return closed;
}

void PortAudioDevice::Abandon() {
  std::shared_ptr<PortAudioStream> given_up;
  {
    const MutexLock lock(&mu_);
    ++generation_;
    given_up = std::exchange(stream_, nullptr);
  }
  if (given_up != nullptr) given_up->Abandon();
}

AudioDevice::Health PortAudioDevice::health() const {
  const std::shared_ptr<PortAudioStream> open = stream();
  return open == nullptr ? Health::kClosed : open->health();
}

double PortAudioDevice::cpu_load() const {
  const std::shared_ptr<PortAudioStream> open = stream();
  return open == nullptr ? 0 : open->cpu_load();
}

}  // namespace rtmixd
