#include "server/control/level_meter.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace rtmixd {
namespace {

constexpr int64_t kRunFrames = 1024;

struct Span {
  int64_t begin_frame = 0;
  int64_t end_frame = 0;
};

// What of [cursor, now) both histories hold.
Span Readable(const AudioHistory* input, const AudioHistory* output, int64_t cursor_frame) {
  std::optional<Span> span;
  for (const AudioHistory* history : {input, output}) {
    if (history == nullptr) continue;
    const int64_t head = history->head_frame();
    const int64_t tail = std::max<int64_t>(0, head - history->capacity_frames());
    span = span.has_value()
               ? Span{std::max(span->begin_frame, tail), std::min(span->end_frame, head)}
               : Span{tail, head};
  }
  if (!span.has_value()) return {cursor_frame, cursor_frame};
  // A cursor of another stream may lie ahead of this one.
  const int64_t begin =
      std::clamp(cursor_frame, std::min(span->begin_frame, span->end_frame), span->end_frame);
  return {begin, span->end_frame};
}

// Levels of all channels; false if some of the frames were overwritten meanwhile.
bool Measure(const AudioHistory* history, Span span, std::vector<Level>* levels) {
  levels->clear();
  if (history == nullptr) return true;
  float samples[kRunFrames];
  for (int c = 0; c < history->channels(); ++c) {
    float peak = 0;
    double sum_of_squares = 0;
    for (int64_t frame = span.begin_frame; frame < span.end_frame; frame += kRunFrames) {
      const int64_t run = std::min(kRunFrames, span.end_frame - frame);
      if (history->Read(c, frame, run, samples, 1) > 0) return false;
      for (int64_t i = 0; i < run; ++i) {
        peak = std::max(peak, std::abs(samples[i]));
        sum_of_squares += double{samples[i]} * samples[i];
      }
    }
    const auto frames = static_cast<double>(span.end_frame - span.begin_frame);
    levels->push_back(
        {.peak = peak,
         .rms = frames > 0 ? static_cast<float>(std::sqrt(sum_of_squares / frames)) : 0.0f});
  }
  return true;
}

}  // namespace

MeterReading MeasureLevels(const AudioHistory* input, const AudioHistory* output,
                           int64_t* cursor_frame) {
  Span span = Readable(input, output, *cursor_frame);
  MeterReading reading;
  for (int attempt = 1;
       !Measure(input, span, &reading.inputs) || !Measure(output, span, &reading.outputs);
       ++attempt) {
    // Less each time, so that it comes through before the writer does, in the end with nothing.
    span = Readable(input, output, *cursor_frame);
    span.begin_frame =
        span.end_frame - ((span.end_frame - span.begin_frame) >> std::min(attempt, 62));
  }
  reading.first_frame = span.begin_frame;
  reading.frames = span.end_frame - span.begin_frame;
  *cursor_frame = span.end_frame;
  return reading;
}

}  // namespace rtmixd
