#ifndef RTMIXD_TESTS_SOAK_SOAK_H_
#define RTMIXD_TESTS_SOAK_SOAK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "server/device/audio_device.h"
#include "tests/fuzz/engine_program.h"
#include "tests/support/dice.h"

namespace rtmixd {

// A long life of a whole control layer, at simulated time: clients come, call it at random and go
// (EngineProgram), on a device whose clock is wrong and wanders, whose callbacks come late, which
// loses frames, and dies and comes back. The stream is one and the same from beginning to end.
//
// Now and then everybody is gone, and the server is looked at: what is left of the memory, files
// and threads; where the frame counter and the time map are; and whether a sound that is played
// through the cable comes back sample by sample, on its frame. Whatever is wrong aborts.
//
// Everything follows from the seed, but for ids, which are random and of one length.
//
// Threading: one thread.
class Soak {
 public:
  struct Options {
    // A month, in which a million actions are done; or `days` of it, as busy.
    static Options Month(double days = 30);

    uint64_t seed = 1;
    double days = 30;
    // As many as are admitted or made at least, spread evenly.
    int64_t actions = 1'000'000;
    int64_t sessions = 100'000;
    int looks = 120;  // at what is left, evenly
    // A low rate and long blocks: a month costs by its blocks and frames. A device is taken for
    // lost when no block has come for 500 ms.
    double sample_rate_hz = 8000;
    int block_frames = 2048;
    // That the heap of the second half may have more than that of the first, beside what xruns
    // take: tables keep the room of their fullest moment. Less than two bytes for each action of a
    // month.
    int64_t heap_noise_bytes = 1 << 20;
    double xruns_per_hour = 6;
    double deaths_per_hour = 1;
    // What the engine gets in place of the device, if it is set.
    std::function<std::unique_ptr<AudioDevice>(std::unique_ptr<AudioDevice>)> wrap_device;
  };

  // What is left when everybody has gone.
  struct Look {
    double days = 0;
    int64_t xruns = 0;           // reported until then
    int64_t heap_bytes = 0;      // in use, by malloc's own books; 0 under sanitizers
    int64_t resident_bytes = 0;  // of the process
    int files = 0;
    int threads = 0;
    double clock_off_frames = 0;  // of the time map, from the truth
    double clock_stated_frames = 0;
    double rate_off_ppm = 0;
  };

  struct Result {
    int64_t blocks = 0;
    int64_t frames = 0;         // made by the device
    int64_t jumped_frames = 0;  // while it was away
    int64_t sessions = 0;
    int64_t refusals = 0;
    int64_t events = 0;
    std::map<ActionEnd, int64_t> ends;  // of all actions
    int64_t actions = 0;
    int64_t xruns = 0;           // that happened
    int64_t silent_xruns = 0;    // of these, that no flag told of
    int64_t reported_xruns = 0;  // by the engine
    int64_t deaths = 0;
    int64_t recoveries = 0;
    double farthest_jump_frames = 0;    // from where the counter should be after a death
    int64_t clock_answers = 0;          // asked for at any time
    int64_t clock_answers_outside = 0;  // of what they stated
    std::vector<Look> looks;
  };

  explicit Soak(const Options& options);
  Soak(const Soak&) = delete;
  Soak& operator=(const Soak&) = delete;

  // `on_look` is told of each look. To be called once.
  Result Run(const std::function<void(const Look&)>& on_look = {});

 private:
  // A few seconds of it, after which `part` of everything should have been done.
  void Live(double part);
  bool IsBehind(double part) const;
  void MakeBlocks(int64_t blocks);
  void LoseFrames();
  // Until the device is back.
  void Die();
  // A program of a few calls.
  void Call();
  // What an administrator does, so that others get their turn, and nothing is left to sound.
  void BreakSessions();
  void ReadEvents();
  void AskClock();
  Look LookAround();
  void PlayAndRecord();
  // That nothing has grown since the first half, and that what was counted adds up.
  void CheckResult() const;
  double RatePpm() const;
  // Since something last happened to the clock.
  double CalmSeconds() const;

  Engine& engine() { return program_.engine(); }
  SteppedDevice& device() { return program_.device(); }

  const Options options_;
  Dice dice_;
  std::mt19937_64 lateness_;
  std::normal_distribution<double> normal_;
  EngineProgram program_;
  Result result_;
  double drift_nanos_ = 0;  // by which the clock has still to be moved
  uint32_t next_flags_ = 0;
  int64_t expected_frame_ = 0;
  int64_t next_event_ = 1;
  int64_t calm_blocks_ = 0;
  std::string stream_id_;
};

// In words.
std::string Describe(const Soak::Result& result);

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_SOAK_SOAK_H_
