#include "server/device/portaudio_stream.h"

#include <chrono>
#include <cmath>
#include <ctime>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/mutex.h"
#include "server/device/device_list.h"
#include "server/device/monotonic_clock.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {
namespace {

// PortAudio's flags are ours, bit for bit.
static_assert(kHostInputUnderflow == paInputUnderflow && kHostInputOverflow == paInputOverflow);
static_assert(kHostOutputUnderflow == paOutputUnderflow);
static_assert(kHostOutputOverflow == paOutputOverflow && kHostPrimingOutput == paPrimingOutput);

// A healthy JACK was seen silent for 283 ms on a machine that stalls.
constexpr int64_t kMaxSilenceNanos = 500'000'000;
// Claims beyond this are no latencies (PipeWire's JACK claims a day).
constexpr double kMaxLatencySeconds = 10;

// Whether a frozen server goes on is looked at so often.
constexpr timespec kLookPause = {.tv_sec = 0, .tv_nsec = 50'000'000};

// Streams that were not given back to their host. Never destroyed: host threads may use them until
// the process ends.
struct LeftBehind {
  Mutex mu;
  std::vector<std::shared_ptr<PortAudioStream>> streams ABSL_GUARDED_BY(mu);
  // Streams of JACK servers that may still call back.
  std::atomic<int> undead_jack_clients = 0;
};

LeftBehind& left_behind() {
  static LeftBehind& streams = *new LeftBehind();
  return streams;
}

int LatencyFrames(double seconds, double sample_rate_hz) {
  if (!(seconds >= 0 && seconds <= kMaxLatencySeconds)) return 0;
  return static_cast<int>(std::lround(seconds * sample_rate_hz));
}

// Sound servers behind ALSA's plugins, and PipeWire's JACK, set no flags.
bool ReportsXruns(const DeviceInfo& device, const std::string& jack_version) {
  if (device.host_api_id == kJackHostApiId) return !absl::StrContains(jack_version, "PipeWire");
  return device.host_api_id != "wasapi" && device.name != "pulse" && device.name != "pipewire";
}

}  // namespace

PortAudioStream::PortAudioStream(std::unique_ptr<PortAudioLibrary> library, std::string client_name)
    : library_(std::move(library)), client_name_(std::move(client_name)) {}

// By then the copy is terminated, or never was initialised.
PortAudioStream::~PortAudioStream() = default;

absl::StatusOr<std::shared_ptr<PortAudioStream>> PortAudioStream::Open(
    const StreamSettings& settings, AudioBlockSink* sink) {
  absl::StatusOr<std::unique_ptr<PortAudioLibrary>> library =
      PortAudioLibrary::Load(/*own_jack=*/left_behind().undead_jack_clients > 0);
  if (!library.ok()) return library.status();
  std::shared_ptr<PortAudioStream> stream(
      new PortAudioStream(*std::move(library), JackClientName(settings)));
  absl::Status opened = stream->OpenHost(settings, sink);
  if (opened.ok()) return stream;
  if (stream->initialised_) stream->Close().IgnoreError();
  return opened;
}

absl::Status PortAudioStream::OpenHost(const StreamSettings& settings, AudioBlockSink* sink) {
  if (library_->JackSetClientName != nullptr) library_->JackSetClientName(client_name_.c_str());
  PaError error = library_->Initialize();
  if (error != paNoError) return library_->ToStatus(error, "PortAudio cannot be initialised");
  initialised_ = true;

  const absl::StatusOr<PortAudioPlan> plan = MakePlan(*library_, settings);
  if (!plan.ok()) return plan.status();
  const ResolvedSettings& resolved = plan->resolved;
  jack_ =
      (plan->output ? resolved.output_device : resolved.input_device).host_api_id == kJackHostApiId;
  if (plan->alsa_periods.has_value() && library_->AlsaSetNumPeriods != nullptr) {
    library_->AlsaSetNumPeriods(*plan->alsa_periods);
  }
  gate_ = std::make_unique<SinkGate>(sink, resolved.sample_rate_hz);
  if (jack_) gate_->Close();                       // until Start
  info_.input_channels = resolved.input_channels;  // the callback needs them
  info_.output_channels = resolved.output_channels;
  error = library_->OpenStream(&stream_, plan->input_or_null(), plan->output_or_null(),
                               resolved.sample_rate_hz, plan->frames_per_buffer,
                               paClipOff | paDitherOff, &PortAudioStream::Callback, this);
  if (error != paNoError) {
    return library_->ToStatus(error, absl::StrCat("the host refuses ", DescribePlan(*plan)));
  }
  library_->SetStreamFinishedCallback(stream_, &PortAudioStream::Finished);
  if (plan->alsa_realtime.has_value() && library_->AlsaEnableRealtimeScheduling != nullptr) {
    library_->AlsaEnableRealtimeScheduling(stream_, *plan->alsa_realtime ? 1 : 0);
  }
  info_ = MakeInfo(settings, *plan);
  if (!jack_) return absl::OkStatus();
  error = library_->StartStream(stream_);
  if (error == paNoError) return absl::OkStatus();
  return library_->ToStatus(error, "the JACK stream does not run");
}

StreamInfo PortAudioStream::MakeInfo(const StreamSettings& settings,
                                     const PortAudioPlan& plan) const {
  StreamInfo info;
  const PaStreamInfo* host = library_->GetStreamInfo(stream_);
  info.sample_rate_hz =
      host != nullptr && host->sampleRate > 0 ? host->sampleRate : plan.resolved.sample_rate_hz;
  info.block_frames = settings.block_frames;
  info.max_block_frames = info.block_frames > 0 ? info.block_frames : kMaxBlockFrames;
  const std::string jack_version = jack_ ? library_->jack_version() : "";
  if (plan.input) {
    info.input_device = plan.resolved.input_device;
    info.input_channels = plan.resolved.input_channels;
    if (host != nullptr) {
      info.input_latency_frames = LatencyFrames(host->inputLatency, info.sample_rate_hz);
    }
    info.reports_xruns &= ReportsXruns(info.input_device, jack_version);
  }
  if (plan.output) {
    info.output_device = plan.resolved.output_device;
    info.output_channels = plan.resolved.output_channels;
    if (host != nullptr) {
      info.output_latency_frames = LatencyFrames(host->outputLatency, info.sample_rate_hz);
    }
    info.reports_xruns &= ReportsXruns(info.output_device, jack_version);
  }
  // All of JACK's devices go by its server's clock.
  info.clocks_related =
      jack_ || !plan.input || !plan.output || info.input_device.index == info.output_device.index;
  return info;
}

// NOLINTNEXTLINE(google-runtime-int): PortAudio's type
int PortAudioStream::Callback(const void* input, void* output, unsigned long frames,
                              const PaStreamCallbackTimeInfo* times, PaStreamCallbackFlags flags,
                              void* user_data) {
  auto* self = static_cast<PortAudioStream*>(user_data);
  AudioBlock block;
  block.callback_nanos = MonotonicNanos();
  block.frames = static_cast<int>(frames);
  block.input = static_cast<const float* const*>(input);
  block.output = static_cast<float* const*>(output);
  block.host_flags = static_cast<uint32_t>(flags);
  if (times != nullptr) {
    block.host_now_seconds = times->currentTime;
    if (input != nullptr) block.host_input_seconds = times->inputBufferAdcTime;
    if (output != nullptr) block.host_output_seconds = times->outputBufferDacTime;
  }
  self->gate_->ProcessRt(block, output == nullptr ? 0 : self->info_.output_channels);
  self->callbacks_.fetch_add(1, std::memory_order_relaxed);
  return paContinue;
}

void PortAudioStream::Finished(void* user_data) {
  static_cast<PortAudioStream*>(user_data)->finished_.store(true, std::memory_order_relaxed);
}

bool PortAudioStream::ShowsLife() const {
  const int64_t before = callbacks_.load(std::memory_order_relaxed);
  const int64_t deadline_nanos = MonotonicNanos() + kMaxSilenceNanos;
  while (MonotonicNanos() < deadline_nanos) {
    {
      const MutexLock lock(&mu_);
      if (state_ == State::kAbandoned || library_->IsStreamActive(stream_) != 1) return false;
    }
    if (callbacks_.load(std::memory_order_relaxed) != before) return true;
    constexpr timespec kPause = {.tv_sec = 0, .tv_nsec = 1'000'000};
    nanosleep(&kPause, nullptr);
  }
  return false;
}

absl::Status PortAudioStream::CallHost(PaError (*call)(PaStream*), const std::string& what) {
  {
    const MutexLock lock(&mu_);
    if (state_ == State::kAbandoned) return absl::AbortedError("the stream was abandoned");
    in_host_ = true;
  }
  const PaError error = call(stream_);
  {
    const MutexLock lock(&mu_);
    in_host_ = false;
    if (state_ != State::kAbandoned) {
      return error == paNoError ? absl::OkStatus() : library_->ToStatus(error, what);
    }
  }
  Bury();  // Abandon left it to us
  return absl::AbortedError("the stream was abandoned");
}

absl::Status PortAudioStream::Start() {
  {
    const MutexLock lock(&mu_);
    if (state_ != State::kStopped) {
      return absl::FailedPreconditionError("the stream is not stopped");
    }
  }
  if (jack_) {
    if (!ShowsLife()) return absl::FailedPreconditionError("the JACK server is gone");
    gate_->Open();
  } else {
    finished_.store(false, std::memory_order_relaxed);
    absl::Status started = CallHost(library_->StartStream, "the host does not start the stream");
    if (!started.ok()) return started;
  }
  const MutexLock lock(&mu_);
  if (state_ == State::kAbandoned) return absl::AbortedError("the stream was abandoned");
  state_ = State::kRunning;
  return absl::OkStatus();
}

absl::Status PortAudioStream::StopHost(PaError (*stop)(PaStream*)) {
  {
    const MutexLock lock(&mu_);
    if (state_ != State::kRunning) return absl::FailedPreconditionError("the stream does not run");
  }
  if (jack_) {
    gate_->Close();
  } else {
    absl::Status stopped = CallHost(stop, "the host does not stop the stream");
    if (!stopped.ok()) return stopped;
  }
  const MutexLock lock(&mu_);
  if (state_ == State::kAbandoned) return absl::AbortedError("the stream was abandoned");
  state_ = State::kStopped;
  return absl::OkStatus();
}

absl::Status PortAudioStream::Stop() { return StopHost(library_->StopStream); }

absl::Status PortAudioStream::Abort() { return StopHost(library_->AbortStream); }

absl::Status PortAudioStream::Close() {
  // The sink must not be called from here on, whatever happens.
  if (gate_ != nullptr) gate_->CloseForGood();
  if (jack_ && stream_ != nullptr && !ShowsLife()) {
    Abandon();
    return absl::OkStatus();
  }
  {
    const MutexLock lock(&mu_);
    if (state_ == State::kAbandoned) return absl::AbortedError("the stream was abandoned");
    state_ = State::kClosing;
  }
  Bury();
  const auto deadline =
      std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(kClosePatience);
  const MutexLock lock(&mu_);
  while (!given_back_ && std::chrono::steady_clock::now() < deadline) {
    given_back_changed_.WaitFor(&mu_,
                                absl::FromChrono(deadline - std::chrono::steady_clock::now()));
  }
  return close_status_;
}

void PortAudioStream::Abandon() {
  gate_->CloseForGood();
  {
    const MutexLock lock(&mu_);
    const State before = std::exchange(state_, State::kAbandoned);
    if (before == State::kAbandoned || before == State::kClosing || in_host_) return;
  }
  Bury();
}

void PortAudioStream::Bury() {
  LeftBehind& behind = left_behind();
  {
    const MutexLock lock(&behind.mu);
    behind.streams.push_back(shared_from_this());
  }
  if (jack_) ++behind.undead_jack_clients;
  std::thread([self = shared_from_this()] { self->GiveBack(); }).detach();
}

bool PortAudioStream::AwaitLife() const {
  const int64_t before = callbacks_.load(std::memory_order_relaxed);
  while (library_->IsStreamActive(stream_) == 1) {
    if (callbacks_.load(std::memory_order_relaxed) != before) return true;
    nanosleep(&kLookPause, nullptr);
  }
  return false;
}

void PortAudioStream::GiveBack() {
  LeftBehind& behind = left_behind();
  if (jack_ && stream_ != nullptr && !AwaitLife()) {
    --behind.undead_jack_clients;
    return;
  }
  PaError error = paNoError;
  if (stream_ != nullptr) {
    if (jack_) library_->StopStream(stream_);
    error = library_->CloseStream(stream_);
  }
  if (error == paNoError) {
    library_->Terminate();
    if (jack_) --behind.undead_jack_clients;
    const MutexLock lock(&behind.mu);
    std::erase_if(behind.streams, [this](const auto& stream) { return stream.get() == this; });
  }
  const MutexLock lock(&mu_);
  given_back_ = true;
  if (error != paNoError) {
    close_status_ = library_->ToStatus(error, "the host does not close the stream");
  }
  given_back_changed_.SignalAll();
}

int PortAudioStream::abandoned_count() {
  LeftBehind& behind = left_behind();
  const MutexLock lock(&behind.mu);
  return static_cast<int>(behind.streams.size());
}

AudioDevice::Health PortAudioStream::health() const {
  const MutexLock lock(&mu_);
  switch (state_) {
    case State::kAbandoned:
    case State::kClosing:
      return AudioDevice::Health::kClosed;
    case State::kStopped:
      if (jack_ && library_->IsStreamActive(stream_) != 1) return AudioDevice::Health::kDead;
      return AudioDevice::Health::kStopped;
    case State::kRunning:
      break;
  }
  if (finished_.load(std::memory_order_relaxed) || library_->IsStreamActive(stream_) != 1) {
    return AudioDevice::Health::kDead;
  }
  return AudioDevice::Health::kRunning;
}

}  // namespace rtmixd
