#include "client_cpp/rtmixctl/sound_options.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {
namespace {

// --loop has a number, the word, or nothing.
std::optional<int64_t> ParsePasses(const std::string& text) {
  if (text.empty() || text == "forever") return std::nullopt;
  int64_t passes = 0;
  if (absl::SimpleAtoi(text, &passes) && passes >= 1 && passes <= kMaxFrame) return passes;
  throw CLI::ValidationError(
      "--loop", absl::StrFormat("'%s' is neither 'forever' nor a whole number from 1 to %d", text,
                                kMaxFrame));
}

}  // namespace

void SoundOptions::AddTo(CLI::App& command) {
  AddFade(command, "--fade-in",
          "From silence: LENGTH is frames (480) or a time (10ms, 1.5s, 2min), SHAPE linear or "
          "equal-power",
          fade_in);
  AddFade(command, "--fade-out", "To silence, so that it is over at the end", fade_out);
  AddLength(command, "--offset", "Begin so far inside the sound", offset);
  AddLength(command, "--max-length", "End after so much, loops included; at least one frame",
            max_length);
  auto* const repeated = command
                             .add_option(
                                 "--loop",
                                 [this](const CLI::results_t& texts) {
                                   loop = true;
                                   passes = ParsePasses(texts.front());
                                   return true;
                                 },
                                 "Sound so many times without a gap; for ever without COUNT, until "
                                 "it is left or ended")
                             ->type_name("[COUNT]")
                             ->expected(0, 1);
  AddLength(command, "--loop-begin", "Repeat from here on; without it from the begin", loop_begin)
      ->needs(repeated);
  AddLength(command, "--loop-end",
            "Repeat up to here, and then go on behind it; without it the end", loop_end)
      ->needs(repeated);
}

void SoundOptions::ApplyTo(double sample_rate_hz, v1::PlaySpec& play) const {
  if (fade_in.has_value()) *play.mutable_fade_in() = fade_in->At(sample_rate_hz);
  if (fade_out.has_value()) *play.mutable_fade_out() = fade_out->At(sample_rate_hz);
  if (offset.has_value()) play.set_offset_frames(offset->FramesAt(sample_rate_hz));
  if (max_length.has_value()) play.set_max_frames(max_length->FramesAt(sample_rate_hz));
  if (!loop) return;
  v1::Loop& region = *play.mutable_loop();
  if (passes.has_value()) region.set_passes(*passes);
  if (loop_begin.has_value()) region.set_begin_frame(loop_begin->FramesAt(sample_rate_hz));
  if (loop_end.has_value()) region.set_end_frame(loop_end->FramesAt(sample_rate_hz));
}

}  // namespace rtmixd::rtmixctl
