#ifndef RTMIXD_TESTS_FUZZ_ENGINE_PROGRAM_H_
#define RTMIXD_TESTS_FUZZ_ENGINE_PROGRAM_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "server/control/engine.h"
#include "tests/device/stepped_device.h"
#include "tests/fuzz/action_ledger.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/engine_requests.h"

namespace rtmixd {

// A whole control layer, on a stepped device, that is called as bytes choose: sessions come and go,
// batches, streams, changes and cancels of all kinds, right and wrong, while blocks, clock steps
// and faults of the device happen. After each call it checks what has to hold whatever is asked
// for, and aborts if it does not:
//   - every admitted action is accounted for once (ActionLedger);
//   - a refusal says why, and has changed nothing;
//   - what is sent is finite and within full scale, and silence where nothing is active;
//   - the frame counter of a stream moves by the frames of each block, and never back;
//   - record streams are continuous, in audio and gaps;
//   - callbacks come exactly once, and none after its object has gone;
//   - limits are kept.
//
// Threading: one thread.
class EngineProgram {
 public:
  struct Options {
    Limits limits;
    // Looks at all there is before and after each call; takes long where there is much.
    bool check_refusals = true;
    // CheckState comes after so many steps of a program.
    int check_every = 1;
    int64_t event_capacity = 4096;
    int block_frames = 64;
    double sample_rate_hz = 48000;
    // The program lets time pass, harms the device, and opens and closes streams. Otherwise all of
    // that is the caller's, and a program consists of calls alone.
    bool with_accidents = true;
    // What the engine gets in place of the device, if it is set.
    std::function<std::unique_ptr<AudioDevice>(std::unique_ptr<AudioDevice>)> wrap_device;
  };
  // Limits so low that programs of some hundred bytes meet them.
  static Options SmallOptions();

  explicit EngineProgram(const Options& options = SmallOptions());
  ~EngineProgram();
  EngineProgram(const EngineProgram&) = delete;
  EngineProgram& operator=(const EngineProgram&) = delete;

  // Does what `choices` says until it has nothing to say.
  void Run(Choices* choices);
  // Shuts down, and checks that everything has come to its end. Nothing may be run after it.
  void Finish();

  Engine& engine() { return *engine_; }
  SteppedDevice& device() { return *device_; }
  const ActionLedger& ledger() const { return ledger_; }
  // Makes a block and lets the engine look after it.
  void MakeBlock(const SteppedDevice::Callback& callback, bool pump = true);
  // Checks all that has to hold between calls.
  void CheckState();
  // Otherwise it goes on calling for sessions that have ended.
  void ForgetEndedSessions();
  // Lets go of all it holds, ends every session, and deletes the buffers that were left behind.
  void LetGo();
  // Output frame f of each of the two channels is input frame f + CableFrames().
  int64_t CableFrames() const { return 2 * int64_t{options_.block_frames}; }
  // The engine's wall clock.
  absl::Time WallNow() const;
  int64_t sessions_made() const { return sessions_made_; }
  int64_t refusals() const { return refusals_; }

 private:
  struct Session {
    std::string id;
    std::string token;
  };
  struct HeldPlay {
    std::unique_ptr<PlayStream> stream;
    std::string session_id;
    PlayStreamSpec spec;
    int64_t next_position = 0;
  };
  struct HeldRecord {
    std::unique_ptr<RecordStream> stream;
    std::string session_id;
    RecordStreamSpec spec;
    int64_t next_position = 0;
    bool ended = false;
  };
  struct HeldWriter {
    std::unique_ptr<BufferWriter> writer;
    int64_t next_position = 0;
  };
  struct HeldReader {
    std::unique_ptr<BufferReader> reader;
    int64_t next_frame = 0;
  };

  void Step(Choices* choices);
  // --- engine_program.cc ---
  void PassTime(Choices* choices);
  void HarmDevice(Choices* choices);
  void CallSessions(Choices* choices);
  void CallStream(Choices* choices);
  void CallCalibration(Choices* choices);
  void Look(Choices* choices);
  void CallActions(Choices* choices);
  void CallChanges(Choices* choices);
  void CallWaits(Choices* choices);
  // --- engine_program_audio.cc ---
  void CallBuffers(Choices* choices);
  void OpenStreams(Choices* choices);
  void UsePlay(Choices* choices);
  void UseRecord(Choices* choices);
  void UseUploads(Choices* choices);
  void ReadRecord(HeldRecord* held, Choices* choices);

  RequestContext Context(const std::string& session_id);
  std::string PickSession(Choices* choices);
  // A call that may be refused, and must not have changed anything then.
  void Check(const std::function<absl::Status()>& call);
  // For answers that come by a callback: every one must be called once, before the end.
  std::shared_ptr<int> ExpectAnswer();
  // A callback that may come until its owner resets it.
  ChangeCallback Callback(const std::shared_ptr<bool>& alive);
  void CheckError(const absl::Status& status);
  void CheckLimits();
  std::string Snapshot();

  const Options options_;
  const std::shared_ptr<absl::Duration> wall_offset_;
  SteppedDevice* device_ = nullptr;
  std::unique_ptr<Engine> engine_;
  ActionLedger ledger_;
  std::vector<Session> sessions_;  // some of which may have ended
  std::vector<std::string> batch_ids_;
  std::vector<std::shared_ptr<int>> answers_;
  std::vector<Engine::WaitId> waits_;
  std::vector<Engine::WatchId> watches_;
  std::vector<std::unique_ptr<ActionWatch>> action_watches_;
  std::vector<HeldPlay> plays_;
  std::vector<HeldRecord> records_;
  std::vector<HeldWriter> writers_;
  std::vector<HeldReader> readers_;
  bool idle_ = true;  // nothing was unfinished when the last block began
  int64_t meter_cursor_ = 0;
  int64_t steps_ = 0;
  std::string stream_id_;
  int64_t next_frame_ = 0;
  int64_t sessions_made_ = 0;
  int64_t refusals_ = 0;
  // Every change callback holds it; true until the engine has gone.
  std::shared_ptr<bool> callbacks_allowed_ = std::make_shared<bool>(true);
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_FUZZ_ENGINE_PROGRAM_H_
