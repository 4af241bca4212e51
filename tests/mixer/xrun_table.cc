// Prints the tables of docs/timing.md about xruns: what XrunDetector makes of losses with known
// truth under simulated disturbances. The arguments are the seed of the first row, 1 if there is
// none, and the losses in each row, 1000 if there is none.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "server/mixer/time_map.h"
#include "server/mixer/xrun_detector.h"
#include "tests/mixer/block_simulator.h"

namespace rtmixd {
namespace {

constexpr int64_t kSecond = 48000;  // in frames
constexpr uint32_t kFlags = kHostInputOverflow | kHostOutputUnderflow;

// What is lost and how the host tells of it.
struct Scenario {
  const char* name;
  int64_t least_frames;
  int64_t most_frames;
  bool pairs;                // a second loss 2 blocks to 1.5 s after the first
  double flagged_share;      // of the losses
  double most_flag_seconds;  // by which a flag comes late
};

struct Loss {
  int64_t frame;
  int64_t lost_frames;
  bool flagged;
};

struct Counts {
  int losses = 0;
  int found = 0;  // in the range of an xrun
  int undetectable = 0;
  int false_xruns = 0;
  int place_exact = 0;
  int xruns = 0;
  int length_exact = 0;
  int length_in_bound = 0;
  // Recordings that a loss touched, by what is said of them.
  int touched = 0;
  int touched_yes = 0;
  int touched_no = 0;
  int touched_no_short = 0;  // and the loss was shorter than what the report states
  // Recordings of a second anywhere in the run that nothing touched.
  int clean = 0;
  int clean_no = 0;
  int clean_yes = 0;
};

Counts Measure(const Scenario& scenario, BlockSimulator::Options options, int losses) {
  BlockSimulator simulator(options);
  TimeMap map(options.nominal_rate_hz, 0);
  XrunDetector detector(&map, 1 << 20);
  std::mt19937 random(options.seed + 7919);
  const auto uniform = [&](int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random);
  };
  std::uniform_real_distribution<double> share(0, 1);

  std::vector<Loss> truth;
  std::multimap<int64_t, uint32_t> flags;  // by the frame from which on they may come
  const auto feed = [&](int64_t frames) {
    const int64_t end = simulator.next_frame() + frames;
    while (simulator.next_frame() < end) {
      uint32_t host_flags = 0;
      while (!flags.empty() && flags.begin()->first <= simulator.next_frame()) {
        host_flags |= flags.begin()->second;
        flags.erase(flags.begin());
      }
      detector.AddBlock(simulator.Next(host_flags));
    }
  };
  const auto lose = [&](bool flagged) {
    const int64_t frames = uniform(scenario.least_frames, scenario.most_frames);
    truth.push_back({simulator.next_frame(), frames, flagged});
    simulator.Lose(frames);
    if (!flagged) return;
    const double late_seconds = share(random) * scenario.most_flag_seconds;
    flags.emplace(simulator.next_frame() + std::llround(late_seconds * kSecond), kFlags);
  };
  feed(20 * kSecond);
  while (static_cast<int>(truth.size()) < losses) {
    lose(share(random) < scenario.flagged_share);
    if (scenario.pairs) {
      feed(uniform(2 * options.block_frames, 3 * kSecond / 2));
      lose(share(random) < scenario.flagged_share);
    }
    feed(uniform(3 * kSecond, 6 * kSecond));
  }
  feed(6 * kSecond);

  Counts counts;
  counts.losses = static_cast<int>(truth.size());
  const std::vector<Xrun> xruns = detector.XrunsFrom(0);
  counts.xruns = static_cast<int>(xruns.size());
  for (const Loss& loss : truth) {
    bool found = false;
    bool exact = false;
    for (const Xrun& xrun : xruns) {
      found |= xrun.earliest_frame <= loss.frame && loss.frame <= xrun.latest_frame;
      exact |= xrun.frame == loss.frame;
    }
    if (found) ++counts.found;
    if (exact) ++counts.place_exact;
    if (!found && static_cast<double>(loss.lost_frames) <
                      detector.ShortestDetectableLossFrames(loss.frame, loss.frame + 1)) {
      ++counts.undetectable;
    }
  }
  for (const Xrun& xrun : xruns) {
    int64_t lost_frames = 0;
    int inside = 0;
    for (const Loss& loss : truth) {
      if (xrun.earliest_frame > loss.frame || loss.frame > xrun.latest_frame) continue;
      lost_frames += loss.lost_frames;
      ++inside;
    }
    if (inside == 0) ++counts.false_xruns;
    if (xrun.lost_frames == lost_frames) ++counts.length_exact;
    if (xrun.lost_bound_frames == Xrun::kUnknownBound ||
        std::abs(xrun.lost_frames - lost_frames) <= xrun.lost_bound_frames) {
      ++counts.length_in_bound;
    }
  }

  const auto ask = [&](int64_t begin_frame, int64_t end_frame, bool near) {
    int64_t touching = 0;  // the longest loss
    for (const Loss& loss : truth) {
      if (begin_frame <= loss.frame && loss.frame < end_frame) {
        touching = std::max(touching, loss.lost_frames);
      }
    }
    const TouchedByXrun said = detector.Touched(begin_frame, end_frame);
    if (touching == 0) {
      if (near) return;
      ++counts.clean;
      if (said == TouchedByXrun::kNo) ++counts.clean_no;
      if (said == TouchedByXrun::kYes) ++counts.clean_yes;
      return;
    }
    ++counts.touched;
    if (said == TouchedByXrun::kYes) ++counts.touched_yes;
    if (said != TouchedByXrun::kNo) return;
    const bool is_short = static_cast<double>(touching) <
                          detector.ShortestDetectableLossFrames(begin_frame, end_frame);
    ++(is_short ? counts.touched_no_short : counts.touched_no);
  };
  for (const Loss& loss : truth) {
    for (const int64_t begin : {-1000, -257, -256, -1, 0}) {
      for (const int64_t end : {1, 2, 256, 257, 1000}) {
        ask(loss.frame + begin, loss.frame + end, /*near=*/true);
      }
    }
    for (int i = 0; i < 20; ++i) {
      ask(loss.frame - uniform(0, 2 * kSecond), loss.frame + uniform(1, 2 * kSecond),
          /*near=*/true);
    }
  }
  const int64_t judged = detector.judged_until_frame();
  for (int i = 0; i < 4 * losses; ++i) {
    const int64_t begin = uniform(2 * kSecond, judged - 2 * kSecond);
    ask(begin, begin + kSecond, /*near=*/false);
  }
  return counts;
}

void Print(const char* disturbance, const Scenario& scenario,
           const BlockSimulator::Options& options, int losses) {
  const Counts c = Measure(scenario, options, losses);
  std::printf(
      "| %s | %s | %d of %d | %d | %d | %d | %d | %d of %d | %d | %d of %d | %d | %d | %.1f %% | "
      "%d |\n",
      disturbance, scenario.name, c.found, c.losses, c.undetectable, c.false_xruns, c.place_exact,
      c.xruns, c.length_exact, c.xruns, c.xruns - c.length_in_bound, c.touched_yes, c.touched,
      c.touched_no, c.touched_no_short, 100.0 * c.clean_no / std::max(1, c.clean), c.clean_yes);
  std::fflush(stdout);
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  auto seed = static_cast<uint32_t>(argc > 1 ? std::strtol(argv[1], nullptr, 10) : 1);
  const int losses = argc > 2 ? static_cast<int>(std::strtol(argv[2], nullptr, 10)) : 1000;
  const rtmixd::Scenario kScenarios[] = {
      {"no flags, 1 to 40 blocks", 256, 40 * 256, false, 0, 0},
      {"no flags, 1 to 256 frames", 1, 256, false, 0, 0},
      {"flags in time", 1, 40 * 256, false, 1, 0},
      {"flags up to 200 ms late", 1, 40 * 256, false, 1, 0.2},
      {"pairs, no flags", 1, 20 * 256, true, 0, 0},
      {"pairs, half flagged, up to 200 ms late", 1, 20 * 256, true, 0.5, 0.2},
  };
  struct Disturbance {
    const char* name = nullptr;
    rtmixd::BlockSimulator::Options options;
  };
  const Disturbance kDisturbances[] = {
      {"exact stamps", {.clock_error_ppm = 50}},
      {"gaussian 20 us", {.clock_error_ppm = 50, .gaussian_jitter_nanos = 20e3}},
      {"gaussian 500 us", {.clock_error_ppm = 50, .gaussian_jitter_nanos = 500e3}},
      {"lateness", {.clock_error_ppm = 50, .median_lateness_nanos = 100e3}},
      {"lateness and gaussian 20 us",
       {.clock_error_ppm = 50, .gaussian_jitter_nanos = 20e3, .median_lateness_nanos = 100e3}},
      {"lateness and gaussian 500 us",
       {.clock_error_ppm = 50, .gaussian_jitter_nanos = 500e3, .median_lateness_nanos = 100e3}},
      {"lateness, 64 frames",
       {.clock_error_ppm = 50, .block_frames = 64, .median_lateness_nanos = 100e3}},
      {"lateness, 1024 frames",
       {.clock_error_ppm = 50, .block_frames = 1024, .median_lateness_nanos = 100e3}},
  };
  std::printf(
      "| disturbance | losses | in a range | shorter than stated | false | place exact | xruns | "
      "length exact | length out of bound | touched: yes | touched: no | no, but shorter than "
      "stated | clean: no | clean: yes |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const rtmixd::Scenario& scenario : kScenarios) {
    for (const Disturbance& disturbance : kDisturbances) {
      rtmixd::BlockSimulator::Options options = disturbance.options;
      options.seed = seed++;
      rtmixd::Print(disturbance.name, scenario, options, losses);
    }
  }
}
