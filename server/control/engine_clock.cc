// Clock and meters of the stream.

#include "server/control/engine_impl.h"
#include "server/control/level_meter.h"

namespace rtmixd {

ClockReading EngineImpl::ReadClock() {
  Lock lock(this);
  const ClockPair now = ReadClocks();
  ClockReading reading;
  reading.wall_time = now.wall;
  reading.monotonic_nanos = now.monotonic_nanos;
  reading.wall_clock = options_.wall_clock_state();
  if (stream_ == nullptr) return reading;
  if (stream_state_ == StreamState::kRunning) TakeBlocks();
  const TimeMap::Estimate& estimate = stream_->time_map().estimate();
  reading.stream_id = stream_->id();
  reading.next_frame = NextFrame();
  reading.running = stream_state_ == StreamState::kRunning;
  reading.rate_hz = stream_->rate_hz();
  reading.rate_uncertainty_ppm = estimate.rate_uncertainty_ppm;
  reading.uncertainty_frames = estimate.uncertainty_frames;
  reading.frame = static_cast<double>(reading.next_frame);
  if (reading.running && estimate.rate_hz > 0) {
    reading.rate_hz = estimate.rate_hz;
    reading.locked = estimate.locked;
    const auto since = static_cast<double>(reading.monotonic_nanos - estimate.reference_nanos);
    reading.frame = static_cast<double>(estimate.reference_frame) + since * 1e-9 * estimate.rate_hz;
    reading.uncertainty_frames = estimate.UncertaintyFramesAt(static_cast<int64_t>(reading.frame));
  }
  reading.stream_time_seconds = reading.frame / stream_->rate_hz();
  return reading;
}

MeterReading EngineImpl::ReadMeters(int64_t* cursor_frame) {
  std::shared_ptr<LiveStream> stream;
  {
    Lock lock(this);
    stream = stream_;
  }
  if (stream == nullptr) {
    *cursor_frame = 0;
    return {};
  }
  // A cursor of another stream means nothing here.
  if (*cursor_frame > stream->mixer().next_frame()) *cursor_frame = 0;
  const bool inputs = stream->info().input_channels > 0;
  const bool outputs = stream->info().output_channels > 0;
  MeterReading reading =
      MeasureLevels(inputs ? &stream->mixer().input_history() : nullptr,
                    outputs ? &stream->mixer().output_history() : nullptr, cursor_frame);
  Lock lock(this);
  if (stream == stream_) TakeBlocks();
  const std::vector<int64_t> before = stream->ClippedBy(reading.first_frame);
  const std::vector<int64_t> after = stream->ClippedBy(reading.first_frame + reading.frames);
  for (size_t c = 0; c < reading.outputs.size(); ++c) {
    reading.outputs[c].clipped_samples = after[c] - before[c];
  }
  return reading;
}

}  // namespace rtmixd
