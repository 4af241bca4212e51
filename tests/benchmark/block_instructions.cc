// Blocks of 64 frames for callgrind to count the instructions of, where times would say what else
// the machine does. Usage: block_instructions quiet|busy BLOCKS
//
// 256 stereo voices play from memory and 64 from streams; where it is busy, every block takes up a
// full load of commands as well, each of them a sound of one block that starts and ends in it.

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "server/mixer/batch.h"
#include "server/mixer/mixer.h"
#include "server/mixer/play_feed.h"
#include "server/mixer/voice.h"
#include "server/realtime/audio_block.h"
#include "tests/mixer/planar_sound.h"

namespace rtmixd {
namespace {

constexpr int kFrames = 64;
constexpr int kVoices = 256;
constexpr int kFeeds = 64;

float Sample(int channel, int64_t frame) {
  return static_cast<float>((frame * 7919 + channel * 104729) % 2001 - 1000) * 1e-6F;
}

int Run(bool busy, int blocks) {
  const PlanarSound sound(2, 1 << 16, Sample);
  Mixer::Options options;
  options.input_channels = 2;
  options.output_channels = 2;
  options.history_frames = 48000;
  const std::unique_ptr<Mixer> mixer = *Mixer::Create(options);
  const std::vector<float> silence(kFrames);
  std::vector<float> left(kFrames);
  std::vector<float> right(kFrames);
  const float* const input[] = {silence.data(), silence.data()};
  float* const output[] = {left.data(), right.data()};
  AudioBlock block;
  block.frames = kFrames;
  block.input = input;
  block.output = output;

  int64_t sequence = 0;
  const auto new_voice = [&] {
    Voice::Spec spec;
    spec.sequence = sequence++;
    spec.channel_map = {0, 1};
    return spec;
  };
  const auto submit = [&](std::unique_ptr<Batch> batch) {
    if (!mixer->Submit(&batch).ok()) std::abort();
  };
  std::vector<std::unique_ptr<PlayFeed>> feeds;
  auto standing = std::make_unique<Batch>();
  for (int v = 0; v < kVoices + kFeeds; ++v) {
    Voice::Spec spec = new_voice();
    if (v < kVoices) {
      spec.view = sound.view();
      spec.view_offset_frames = v * int64_t{97};
      spec.loop = {.begin_frame = 0, .end_frame = spec.view.frames, .passes = 0};
    } else {
      feeds.push_back(std::make_unique<PlayFeed>(2, 4 * kFrames, 0));
      spec.feed = feeds.back().get();
    }
    standing->AddVoice(spec);
  }
  submit(std::move(standing));
  for (int b = 0; b < blocks; ++b) {
    for (const std::unique_ptr<PlayFeed>& feed : feeds) feed->Write(input, kFrames);
    for (int i = 0; busy && i < Mixer::kMaxCommandsPerBlock - 1; ++i) {
      auto batch = std::make_unique<Batch>();
      Voice::Spec spec = new_voice();
      spec.view = sound.view(kFrames);
      batch->AddVoice(spec);
      submit(std::move(batch));
    }
    mixer->ProcessRt(block);
    MixerResult result;
    while (mixer->PollResult(&result)) {
      if (result.kind == MixerResult::Kind::kBatchReleased) {
        const std::unique_ptr<Batch> batch(result.batch);
      }
    }
  }
  mixer->EndAll();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  int blocks = 0;
  const std::string mode = argc > 1 ? argv[1] : "";
  if (argc != 3 || (mode != "quiet" && mode != "busy") || !absl::SimpleAtoi(argv[2], &blocks)) {
    std::cerr << "usage: block_instructions quiet|busy BLOCKS\n";
    return EXIT_FAILURE;
  }
  return rtmixd::Run(mode == "busy", blocks);
}
