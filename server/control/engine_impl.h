#ifndef RTMIXD_SERVER_CONTROL_ENGINE_IMPL_H_
#define RTMIXD_SERVER_CONTROL_ENGINE_IMPL_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/control/action.h"
#include "server/control/action_news.h"
#include "server/control/action_registry.h"
#include "server/control/buffer_store.h"
#include "server/control/calibration_store.h"
#include "server/control/change_signal.h"
#include "server/control/device_runner.h"
#include "server/control/engine.h"
#include "server/control/event_log.h"
#include "server/control/gain_timeline.h"
#include "server/control/instance_ids.h"
#include "server/control/live_stream.h"
#include "server/control/request_cache.h"
#include "server/control/session_registry.h"
#include "server/control/sink_relay.h"
#include "server/control/spec_check.h"
#include "server/control/submission.h"
#include "server/control/types.h"
#include "server/control/wall_time.h"
#include "server/realtime/wake.h"

namespace rtmixd {

// The engine: what the parts of control/ know separately, tied together under one lock. Each of its
// sources, engine_*.cc, says in its first line what it is about; the private methods below are
// grouped by them.
//
// Threading: everything below "Guarded" is guarded by mu_. The pump drains what the audio thread
// reports, and does what time brings; device calls run on the device thread. Callbacks are
// collected while mu_ is held and run after it was released. Order of locks: mu_, then those of
// recordings, buffers, the event log and signals, which are leaves.
class EngineImpl : public Engine {
 public:
  EngineImpl(Options options, std::unique_ptr<AudioDevice> device,
             std::shared_ptr<EventFdWaker> waker);
  ~EngineImpl() override;

  // --- Engine ---
  absl::Status Start() override;
  void Shutdown(absl::Duration grace, std::function<void()> done) override;
  bool stopped() const override { return stopped_; }
  void PumpOnce() override;
  const std::string& instance_id() const override { return instance_id_; }
  absl::Time start_time() const override { return start_time_; }
  const Limits& limits() const override { return limits_; }
  std::vector<std::string> features() const override;

  absl::StatusOr<NewSession> CreateSession(const SessionSpec& spec) override;
  absl::StatusOr<std::string> Authenticate(std::string_view token) override;
  absl::StatusOr<SessionInfo> GetSession(const std::string& session_id) override;
  std::vector<SessionInfo> ListSessions() override;
  absl::Status EndSession(const std::string& session_id) override;
  absl::StatusOr<SessionInfo> BreakSession(const std::string& session_id,
                                           const std::string& reason) override;
  void CancelWait(WaitId wait) override;
  WaitId AwaitExclusive(const std::string& session_id, absl::Duration timeout,
                        std::function<void(absl::StatusOr<ExclusiveAnswer>)> callback) override;

  void ListHostApis(
      std::function<void(absl::StatusOr<std::vector<HostApiInfo>>)> callback) override;
  void ListDevices(std::function<void(absl::StatusOr<std::vector<DeviceInfo>>)> callback) override;
  void CheckSettings(const StreamSettings& settings,
                     std::function<void(absl::Status)> callback) override;
  StreamStatus GetStream() override;
  void OpenStream(const std::string& session_id, const StreamSettings& settings,
                  StreamCallback callback) override;
  void StartStream(const std::string& session_id, StreamCallback callback) override;
  void StopStream(const std::string& session_id, bool abort, StreamCallback callback) override;
  void CloseStream(const std::string& session_id, StreamCallback callback) override;
  void RestoreStream(const std::string& session_id, StreamCallback callback) override;
  absl::Status LoadScript(const std::string& session_id,
                          const std::vector<ScriptedFault>& faults) override;

  absl::StatusOr<CalibrationInfo> SetCalibration(
      const std::string& session_id, const LatencyMeasurementInfo& measurement) override;
  std::vector<CalibrationInfo> ListCalibrations() override;
  absl::Status DeleteCalibration(const std::string& session_id,
                                 const std::string& calibration_id) override;

  ClockReading ReadClock() override;
  MeterReading ReadMeters(int64_t* cursor_frame) override;

  absl::StatusOr<BufferInfo> CreateBuffer(const std::string& session_id,
                                          const BufferSpec& spec) override;
  absl::StatusOr<BufferInfo> GetBuffer(const std::string& session_id,
                                       const std::string& buffer_id) override;
  absl::StatusOr<std::vector<BufferInfo>> ListBuffers(const std::string& session_id) override;
  absl::Status DeleteBuffer(const std::string& session_id, const std::string& buffer_id) override;
  absl::StatusOr<std::unique_ptr<BufferWriter>> OpenUpload(const std::string& session_id,
                                                           const std::string& buffer_id) override;
  absl::StatusOr<std::unique_ptr<BufferReader>> OpenDownload(const std::string& session_id,
                                                             const std::string& buffer_id,
                                                             ChangeCallback on_change) override;

  void Schedule(const std::string& session_id, BatchSpec batch,
                std::function<void(absl::StatusOr<BatchAdmitted>)> callback) override;
  absl::StatusOr<BatchCommitted> CommitBatch(const std::string& session_id,
                                             const std::string& batch_id) override;
  absl::StatusOr<ActionReport> GetAction(const std::string& session_id,
                                         const std::string& action_id) override;
  absl::StatusOr<std::vector<ActionReport>> ListActions(const std::string& session_id,
                                                        bool active_only) override;
  absl::StatusOr<std::vector<ActionReport>> CancelActions(
      const std::string& session_id, const std::vector<std::string>& action_ids, bool all,
      std::optional<int64_t> frame, const Fade& fade) override;
  absl::StatusOr<ChangesAdmitted> ChangeActions(const std::string& session_id,
                                                const std::vector<std::string>& action_ids,
                                                bool all, std::optional<int64_t> frame,
                                                const VoiceChangeSpec& change) override;
  absl::StatusOr<std::optional<int64_t>> SetSessionGain(const std::string& session_id,
                                                        const GainChangeSpec& gain,
                                                        std::optional<int64_t> frame) override;
  absl::StatusOr<int64_t> SetMasterGain(const std::string& session_id, const GainChangeSpec& gain,
                                        std::optional<int64_t> frame) override;
  WaitId WaitActions(const std::string& session_id, const std::vector<std::string>& action_ids,
                     bool any, bool until_done, absl::Duration timeout,
                     std::function<void(absl::StatusOr<WaitAnswer>)> callback) override;
  absl::StatusOr<BatchReport> GetBatch(const std::string& session_id,
                                       const std::string& batch_id) override;
  WaitId WaitBatch(const std::string& session_id, const std::string& batch_id, bool until_done,
                   absl::Duration timeout,
                   std::function<void(absl::StatusOr<BatchReport>)> callback) override;
  absl::StatusOr<std::unique_ptr<ActionWatch>> WatchActions(const std::string& session_id,
                                                            bool include_present,
                                                            ChangeCallback on_change) override;
  absl::StatusOr<StreamStatsInfo> GetStats(const std::string& session_id,
                                           bool reset_baseline) override;

  absl::StatusOr<std::unique_ptr<PlayStream>> OpenPlay(const std::string& session_id,
                                                       const PlayStreamSpec& spec,
                                                       ChangeCallback on_change) override;
  absl::StatusOr<std::unique_ptr<RecordStream>> OpenRecord(const std::string& session_id,
                                                           const RecordStreamSpec& spec,
                                                           ChangeCallback on_change) override;
  absl::StatusOr<DuplexStream> OpenDuplex(const std::string& session_id, const PlayStreamSpec& play,
                                          const RecordStreamSpec& record, bool align_at_converters,
                                          ChangeCallback on_change) override;

  EventPage ReadEvents(int64_t from_sequence, const std::vector<EventKind>& kinds,
                       int max_entries) override;
  int64_t next_event_sequence() override;
  absl::StatusOr<WatchId> Watch(ChangeCallback on_change) override;
  void Unwatch(WatchId watch) override;

  // --- For the streams' own objects (any thread) ---
  // Audio or a mark has come: hands it to the mixer if there is enough now. True once the mixer has
  // it, after which it need not be told any more.
  bool FeedChanged(const std::shared_ptr<Action>& action, int64_t flushed_position, bool enough);
  // Its call is over. `complete`: nothing more was to come.
  void EndCall(const std::shared_ptr<Action>& action, bool complete);
  PlayStreamProgress ProgressOf(const std::shared_ptr<Action>& action);
  std::optional<ActionReport> FinalReportOf(const std::shared_ptr<Action>& action);
  // Ends a recording whose client has had all it is to get, and settles its report.
  void FinishRecordStream(const std::shared_ptr<Action>& action);
  absl::Status StopRecordStream(const std::shared_ptr<Action>& action,
                                std::optional<int64_t> frame);
  int64_t NowNanos() const { return options_.monotonic_nanos(); }

  // --- For the watches (any thread) ---
  // Who follows the actions of a session; guarded by mu_ but for `changed`.
  struct Follower {
    std::string session_id;
    ActionNews news;
    ChangeSignal changed;
  };
  absl::StatusOr<std::vector<ActionReport>> ReadNews(const std::shared_ptr<Follower>& follower,
                                                     int max_reports);
  void Unfollow(const std::shared_ptr<Follower>& follower);

 private:
  // Holds mu_; what was deferred meanwhile runs when it was released.
  class ABSL_SCOPED_LOCKABLE Lock {
   public:
    explicit Lock(EngineImpl* engine) ABSL_EXCLUSIVE_LOCK_FUNCTION(engine->mu_);
    ~Lock() ABSL_UNLOCK_FUNCTION();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    EngineImpl* const engine_;
  };
  friend class Lock;

  struct Wait {
    std::string session_id;
    int64_t deadline_nanos = 0;
    // For actions.
    std::vector<std::shared_ptr<Action>> actions;
    int64_t remaining = 0;
    bool any = false;
    bool until_done = false;
    bool Over(const Action& action) const { return until_done ? action.done() : action.ended(); }
    std::function<void(absl::StatusOr<WaitAnswer>)> on_actions;
    // For a batch, whose actions they are.
    std::string batch_id;
    std::function<void(absl::StatusOr<BatchReport>)> on_batch;
    // For being exclusive.
    std::function<void(absl::StatusOr<ExclusiveAnswer>)> on_exclusive;
  };

  // Something to be done to the stream, one after the other.
  struct StreamOp {
    enum class Kind { kOpen, kStart, kStop, kClose, kRestore, kRecover };
    Kind kind = Kind::kOpen;
    std::string session_id;  // empty: the server itself
    StreamSettings settings;
    bool abort = false;
    StreamCallback callback;
  };
  using OpPtr = std::shared_ptr<StreamOp>;

  // --- Life and pump (engine_impl.cc) ---
  // Sends the mixer what it had no room for.
  void SendCommands() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunPump();
  void Pump();
  // Whether the pump need not hear after every block: no action or change is under way, and nobody
  // waits.
  bool PumpRests() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t PumpTimeoutNanos() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes in what the audio thread has reported.
  void TakeResults() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeBlocks() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnXrun(const XrunInfo& xrun) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Puts down the actions that ran between the two frames and are not judged yet.
  void NameTouched(int64_t earliest_frame, int64_t latest_frame, LogEntry* entry) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddDue(int64_t frame, const std::shared_ptr<Action>& action)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunTimeouts() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Judge(bool all) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CopyRecordings();

  // --- engine_spool.cc ---
  // A recording that has just begun, if it is one into a buffer.
  void BeginSpooling(Action* action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What has become of it.
  void TellSpool(const Action& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LookAtSpool() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CheckShutdown() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndEverything(ActionEnd reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Defer(std::function<void()> callback) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  LogEntry Event(EventKind kind) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  LogEntry Event(EventKind kind, const Action& action) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Moment Now() const;
  void WakePump();

  // --- Sessions (engine_sessions.cc) ---
  absl::Status CheckMayWork(const std::string& session_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckSession(const std::string& session_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<SessionInfo> FullInfo(const std::string& session_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddUsage(SessionInfo* info) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WindUp(const SessionInfo& session, EventKind how) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void GrantExclusive() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ExclusiveAnswer AnswerExclusive(const std::string& session_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Waits for `wait.actions`; RESOURCE_EXHAUSTED at max_waits.
  absl::StatusOr<WaitId> BeginWait(Wait wait, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FinishWait(WaitId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- Calls of the device (engine_device.cc) ---
  // A call of the device on its thread. `done` and `given_up` run without lock, one of them, once.
  void CallDevice(std::function<std::function<void()>(AudioDevice&)> call,
                  std::function<void()> given_up) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void GiveUpHungDevice();
  static absl::Status DeviceHangs();

  // --- The stream (engine_stream.cc) ---
  void AddOp(OpPtr op) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunOps() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void BeginOp(const OpPtr& op) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FinishOp(const OpPtr& op, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckMayChange(const StreamOp& op) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  StreamStatus StatusOf() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- Its steps (engine_stream_steps.cc) ---
  using Next = std::function<void(absl::Status)>;  // called with mu_ held
  void DoOpen(const OpPtr& op, const StreamSettings& settings, const Next& next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeStream(std::shared_ptr<LiveStream> stream, std::shared_ptr<SinkRelay> relay)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DoStart(const OpPtr& op, const Next& next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DoStop(const OpPtr& op, bool abort, const Next& next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DoClose(const OpPtr& op, const Next& next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DoRestore(const OpPtr& op) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropStream() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetRunning() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- Loss and recovery (engine_recovery.cc) ---
  void DoRecover(const OpPtr& op) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Reopened(const OpPtr& op, const StreamInfo& info, std::shared_ptr<SinkRelay> relay)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RetryRecovery(const OpPtr& op, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WatchDevice() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteLoss(const std::string& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- Calibration (engine_calibration.cc) ---
  absl::Status ChangeCalibrations(const std::string& session_id,
                                  const std::function<absl::Status(CalibrationStore&)>& change)
      ABSL_LOCKS_EXCLUDED(mu_, calibration_change_mu_);
  // The one of the open stream; null if there is none.
  const CalibrationInfo* PresentCalibration() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // From the callback that plays to the one that records, through a cable.
  int64_t RoundTripFrames() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Notes with what its starts are aligned.
  void Calibrate(Submission* submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- Scheduling (engine_schedule.cc) ---
  absl::Status CheckStream() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  StreamShape Shape() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::vector<std::shared_ptr<const AudioStorage>>> DecodeInline(
      const BatchSpec& batch, const std::shared_ptr<ByteBudget>& budget) const;
  absl::StatusOr<std::unique_ptr<Submission>> MakeSubmission(
      const std::string& session_id, const BatchSpec& batch,
      const std::vector<std::shared_ptr<const AudioStorage>>& inline_audio)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What the members of a batch, or the streams of a call, are to have in common.
  std::shared_ptr<ActionCommon> MakeCommon(const std::string& session_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetStart(const StartSpec& start, Action* action) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status MakeMember(const ActionSpec& spec, const std::string& field,
                          const std::shared_ptr<const AudioStorage>& inline_audio,
                          std::shared_ptr<Action> action, Submission* submission)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status MakeRecord(const RecordSpec& spec, const std::string& field,
                          const std::shared_ptr<Action>& action, Submission* submission)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Finds what members of the batch refer to.
  absl::Status LinkMembers(const std::string& session_id, const BatchSpec& batch,
                           Submission* submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status MakePlay(const PlaySpec& spec, const std::string& field,
                        const std::shared_ptr<const AudioStorage>& inline_audio,
                        const std::shared_ptr<Action>& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- What follows what (engine_follow.cc) ---
  // Makes `action` follow another one, which plays and is of its session, and was named by `key` if
  // that is not empty.
  absl::Status Follow(const std::shared_ptr<Action>& action, const std::shared_ptr<Action>& after,
                      const std::string& key, const std::string& field)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The same for a stream, if its start says so.
  absl::Status FollowIfAsked(const std::shared_ptr<Action>& action, const StartSpec& start,
                             const std::string& field) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // How many follow it, those that wait included.
  static size_t CountSuccessors(Action* action);
  // It is registered: whom it follows knows it from now on.
  void LinkSuccessor(const std::shared_ptr<Action>& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // `action` is over: those that follow it and are not with the mixer start where it ended.
  void StartSuccessors(Action* action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- Changes of what sounds (engine_changes.cc) ---
  // RESOURCE_EXHAUSTED if `target` cannot have so many changes more.
  static absl::Status CheckRoomForChanges(const Action& target, int more, const std::string& field);
  absl::Status CheckRoomInMixer(int64_t changes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The change goes to the mixer: to the voice of its target, now or with it; with no target to the
  // master gain. Room was seen to.
  void SendChange(const VoiceChange& change, const std::shared_ptr<Action>& target,
                  const std::shared_ptr<Action>& by,
                  const std::shared_ptr<CommonGainChange>& common = nullptr)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // One of a gain that many have in common is done; the last one tells if it came late.
  void OnCommonGainChangeDone(CommonGainChange* common, int64_t applied_frame)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The mixer has given it back, or never had it.
  void OnChangeDone(const VoiceChange* change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropWaitingChanges(Action* action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A change or a fading cancel of a batch, whose target's voice is to be lent with it: goes along
  // with that if its frame can be told by then.
  void SendWithVoice(const std::shared_ptr<Action>& action, VoiceChange change)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HandOnChange(const std::shared_ptr<Action>& action, bool can_be_late)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The first frame that can be kept for so many changes more.
  int64_t CommonFrame(int64_t changes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The session's gain for a voice to be lent.
  void AddSessionGain(const std::shared_ptr<Action>& action, Voice::Spec* spec)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The mixer did not take it.
  void TakeBackSessionGain(const Voice& voice) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ChangeMasterGain(const GainTimeline::Change& change, bool clears_later)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A new stream begins with the master gain; what an exclusive session set is put back at its end.
  void ApplyMasterGain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutBackMasterGain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Tells that it changes, or that it did so `late_frames` after its frame.
  void NoteGain(const std::string& session_id, const GainTimeline::Change& change,
                int64_t late_frames = 0) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Frames have no meaning any more: gains are where they were going.
  void FinishGains() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- Admission (engine_admission.cc) ---
  // Lends the plays to the mixer and registers everything; nothing has happened on an error.
  absl::Status Admit(std::unique_ptr<Submission> submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A cancel of a batch, whose target's voice is to be lent with it, goes along if it can.
  void CutWithVoice(const std::shared_ptr<Action>& cancel) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Lends the mixer the voices of its plays that it can have now, and then of those that follow
  // them.
  absl::Status Lend(Submission* submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status LendOwn(Submission* submission, std::vector<std::shared_ptr<Action>>* lent)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Voice* AddVoice(const std::shared_ptr<Action>& action, int64_t offset_frames, Voice* after,
                  Batch* batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The frame that a start means; absent while it counts from an origin that is not known.
  std::optional<int64_t> FrameOf(const Action& action, const Submission& submission) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Resolve(Submission* submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Sees to a member that the mixer has no part in, now that its frame is known.
  void Place(const std::shared_ptr<Action>& action, bool can_be_late)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Answer(Submission* submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropSubmission(Submission* submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- Batches that wait for the wall clock (engine_wall_time.cc) ---
  static bool Waits(const Action& action) {
    return action.common->submission != nullptr && action.common->submission->waiting;
  }
  // Registers what is not for the mixer yet, and answers.
  absl::Status KeepWaiting(std::unique_ptr<Submission> submission)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Hands on what is near, and ends what was not committed in time.
  void RunWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The clock of the stream is known as well as it will be before a moment that is so far away.
  bool MayFix(absl::Duration until) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FixOrigin(Submission* submission, const ClockPair& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // It waits no longer: admits what is left of it. Frees it if nothing is.
  void Release(Submission* submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The mixer did not take what was released.
  void GiveUpReleased(std::unique_ptr<Submission> submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Frees it if all of it has ended while it waited.
  void DropIfOver(Submission* submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unlist(Submission* submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteStartWallTime(Action* action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteClockSteps(const ClockPair& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ClockPair ReadClocks() const {
    return ReadClockPair(options_.monotonic_nanos, options_.wall_time);
  }

  // --- Prepared batches (engine_prepare.cc) ---
  // What is remembered of one, also when it is over.
  struct PreparedBatch {
    std::string session_id;
    Submission* submission = nullptr;  // while it waits
    bool committed = false;
    BatchCommitted answer;
  };
  void RememberPrepared(Submission* submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // It waits no longer, for whatever reason.
  void NoteOutcome(const Submission& submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The first frame that one of its members is to start on, of those that are known.
  static std::optional<int64_t> FirstStart(const Submission& submission);
  void Expire(Submission* submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ExpirePrepared() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetPrepared(const std::string& session_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- What becomes of actions (engine_actions.cc) ---
  void Register(const std::shared_ptr<Action>& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetState(Action* action, ActionState state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Began(Action* action, int64_t start_frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnVoiceStarted(const Voice& voice, int64_t frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnVoiceEnded(const Voice& voice) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void DescribeProgress(const Voice& voice, const Action& action, int64_t next_frame,
                               ActionReport* report);
  void CopyOutcome(const Voice& voice, Action* action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of a stream, if it has a call.
  void NotifyCall(const Action& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The mixer has no part in it any more, nor will have.
  void GiveUpFeed(Action* action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CopyStatus(const Recording::Status& status, ActionReport* report) const;
  void CopyGaps(const Recording::Status& status, ActionReport* report) const;
  // Logs what its reader has lost since the last time.
  void NoteGaps(const Recording::Status& status, Action* action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Moves a recording on as far as its history; ends it if it has ended.
  void LookAtRecording(const std::shared_ptr<Action>& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LookAtFeed(const std::shared_ptr<Action>& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnDue(const std::shared_ptr<Action>& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeStats(const std::shared_ptr<Action>& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- Ends that are asked for (engine_cancel.cc) ---
  void HandOnCancel(const std::shared_ptr<Action>& cancel, bool can_be_late)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Ends it before `frame`, at once if that is absent or past.
  void Cancel(const std::shared_ptr<Action>& action, std::optional<int64_t> frame,
              const Fade& fade = {}) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CancelPlay(const std::shared_ptr<Action>& action, std::optional<int64_t> frame)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Fades to silence from `frame` on, and ends then.
  void FadeOut(const std::shared_ptr<Action>& action, std::optional<int64_t> frame,
               const Fade& fade, const std::shared_ptr<Action>& by)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CutVoice(const std::shared_ptr<Action>& action, int64_t frame)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CancelRecord(const std::shared_ptr<Action>& action, std::optional<int64_t> frame)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Control ends it, whatever it does.
  void Doom(const std::shared_ptr<Action>& action, ActionEnd reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- The end (engine_ends.cc) ---
  // Its audio is over: it is done, or has ended if no judgement is to be waited for.
  void Conclude(const std::shared_ptr<Action>& action, ActionEnd reason, int64_t end_frame)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // It is done, and waits to be judged.
  void AwaitJudgement(const std::shared_ptr<Action>& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Its report is final.
  void Finish(const std::shared_ptr<Action>& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // It has ended. Would it keep the history of a closed stream, there would be as many as openings.
  void LetGoOfStream(Action* action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // It is done, or has ended: logs it, and tells whoever waits.
  void TellEnd(const std::shared_ptr<Action>& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellWaits(Action* action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- What can be told (engine_reports.cc) ---
  BatchReport ReportOf(const std::string& batch_id,
                       const std::vector<std::shared_ptr<Action>>& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ActionReport ReportOf(const Action& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  StreamStatsInfo CountersOf(const std::string& session_id, int64_t end_frame, bool reset_baseline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool running() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stream_state_ == StreamState::kRunning || stream_state_ == StreamState::kLost;
  }
  int64_t NextFrame() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stream_ == nullptr ? 0 : stream_->mixer().next_frame();
  }
  bool IsOfOpenStream(const Action& action) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stream_ != nullptr && action.common->stream_id == stream_->id();
  }
  // Of an action that has not ended. When a stream is closed only recordings may have to go on.
  LiveStream& StreamOf(const Action& action) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return action.record() != nullptr ? *action.record()->stream : *stream_;
  }

  // --- Who follows it (engine_watch.cc) ---
  absl::Status CheckRoomForWatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellFollowers(const Action& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WakeFollowers(const std::string& session_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // It is unfinished no more; whoever follows is not told of what is forgotten for it.
  void NoteOver(const std::shared_ptr<Action>& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The session's actions whose reports are not final, in order of admission.
  std::vector<std::shared_ptr<Action>> NotEnded(const std::string& session_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // --- Audio streams (engine_audio.cc) ---
  absl::StatusOr<std::shared_ptr<void>> TakeStreamSlot() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What a new play stream needs that is made without the lock, since it allocates much.
  struct PlayRing {
    std::shared_ptr<LiveStream> stream;  // that it is for
    std::shared_ptr<PlayFeed> feed;      // its memory is charged to the session
    int64_t frames = 0;
    std::shared_ptr<void> slot;
  };
  absl::StatusOr<PlayRing> MakePlayRing(const std::string& session_id, const PlayStreamSpec& spec,
                                        const std::string& prefix) ABSL_LOCKS_EXCLUDED(mu_);
  // That nothing in the way of a play stream has come up since its ring was made.
  absl::Status CheckStillThere(const std::string& session_id, const PlayRing& ring)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<Action> MakePlayAction(const std::shared_ptr<ActionCommon>& common,
                                         const PlayStreamSpec& spec, const std::string& prefix,
                                         const PlayRing& ring) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::shared_ptr<Action>> MakeRecordAction(
      const std::shared_ptr<ActionCommon>& common, const RecordStreamSpec& spec,
      const std::string& prefix) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Admits streams that start together, at a moment of the wall clock if there is one;
  // `record_shift_frames` as in Submission.
  absl::Status AdmitStreams(const std::vector<std::shared_ptr<Action>>& actions,
                            int64_t record_shift_frames, std::optional<absl::Time> wall_origin)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::shared_ptr<Action>> Reattach(const std::string& session_id,
                                                   const std::string& action_id, ActionKind kind,
                                                   const std::string& field)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::unique_ptr<PlayStream>> ReattachPlay(const std::string& session_id,
                                                           const PlayStreamSpec& spec,
                                                           ChangeCallback on_change)
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<DuplexStream> ReattachDuplex(const std::string& session_id,
                                              const PlayStreamSpec& play,
                                              const RecordStreamSpec& record,
                                              ChangeCallback on_change) ABSL_LOCKS_EXCLUDED(mu_);
  std::unique_ptr<PlayStream> MakePlayStream(const std::shared_ptr<Action>& action,
                                             const PlayStreamSpec& spec, ChangeCallback on_change,
                                             std::shared_ptr<void> slot)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::unique_ptr<RecordStream> MakeRecordStream(const std::shared_ptr<Action>& action,
                                                 const RecordStreamSpec& spec,
                                                 ChangeCallback on_change,
                                                 std::shared_ptr<void> slot)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HandOver(const std::shared_ptr<Action>& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  const Limits& limits_;
  const std::string instance_id_;
  const InstanceIds ids_;
  const absl::Time start_time_;
  const std::shared_ptr<EventFdWaker> waker_;
  EventLog events_;
  BufferStore buffers_;
  std::shared_ptr<std::atomic<int>> open_streams_ = std::make_shared<std::atomic<int>>(0);

  // Held while calibrations are changed and written; before mu_.
  Mutex calibration_change_mu_;

  // --- Guarded ---
  Mutex mu_;
  CalibrationStore calibrations_ ABSL_GUARDED_BY(mu_);
  std::vector<std::function<void()>> deferred_ ABSL_GUARDED_BY(mu_);
  SessionRegistry sessions_ ABSL_GUARDED_BY(mu_);
  ActionRegistry actions_ ABSL_GUARDED_BY(mu_);
  RequestCache<BatchAdmitted> requests_ ABSL_GUARDED_BY(mu_);
  RequestCache<BufferInfo> buffer_requests_ ABSL_GUARDED_BY(mu_);
  int64_t last_batch_ ABSL_GUARDED_BY(mu_) = 0;
  int active_actions_ ABSL_GUARDED_BY(mu_) = 0;
  int pending_actions_ ABSL_GUARDED_BY(mu_) = 0;

  std::map<Submission*, std::unique_ptr<Submission>> submissions_ ABSL_GUARDED_BY(mu_);
  std::set<Submission*> unanswered_ ABSL_GUARDED_BY(mu_);
  // What waits, by the moment of its origin; and what is prepared, by the frame of its first start.
  std::multimap<absl::Time, Submission*> waiting_ ABSL_GUARDED_BY(mu_);
  std::multimap<int64_t, Submission*> prepared_frames_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, PreparedBatch> prepared_ ABSL_GUARDED_BY(mu_);  // by batch id
  std::deque<std::string> prepared_order_ ABSL_GUARDED_BY(mu_);
  // Wall clock less monotonic clock when they were last compared, to see the wall clock being set.
  std::optional<absl::Duration> wall_offset_ ABSL_GUARDED_BY(mu_);
  DueActions due_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<Action>> recordings_ ABSL_GUARDED_BY(mu_);  // begun, not ended
  std::vector<std::shared_ptr<Action>> feeds_ ABSL_GUARDED_BY(mu_);       // play streams, not ended
  // Done, and waiting to be judged; by the frame of their end and their number.
  std::map<std::pair<int64_t, int64_t>, std::shared_ptr<Action>> judging_ ABSL_GUARDED_BY(mu_);
  struct VoiceCommand {
    std::shared_ptr<Action> action;  // null: the master gain
    int64_t cut_frame = 0;           // without a change
    VoiceChange* change = nullptr;
  };
  std::deque<VoiceCommand> commands_ ABSL_GUARDED_BY(mu_);  // for which the mixer had no room yet
  std::map<const VoiceChange*, std::unique_ptr<PendingChange>> changes_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, GainTimeline> session_gains_ ABSL_GUARDED_BY(mu_);
  GainTimeline master_gain_ ABSL_GUARDED_BY(mu_);
  std::optional<float> gain_to_put_back_ ABSL_GUARDED_BY(mu_);  // when the exclusive session ends

  WaitId last_wait_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<WaitId, Wait> waits_ ABSL_GUARDED_BY(mu_);
  struct SessionBaseline {
    std::string stream_id;
    LiveStream::Baseline baseline;
  };
  absl::flat_hash_map<std::string, SessionBaseline> baselines_ ABSL_GUARDED_BY(mu_);
  WatchId last_watch_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<WatchId, std::unique_ptr<ChangeSignal::Subscription>> watches_ ABSL_GUARDED_BY(mu_);
  // By their sessions.
  std::multimap<std::string, std::shared_ptr<Follower>> followers_ ABSL_GUARDED_BY(mu_);

  std::shared_ptr<LiveStream> stream_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<SinkRelay> relay_ ABSL_GUARDED_BY(mu_);
  StreamState stream_state_ ABSL_GUARDED_BY(mu_) = StreamState::kClosed;
  int64_t last_stream_ ABSL_GUARDED_BY(mu_) = 0;
  bool goal_running_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<OpPtr> ops_ ABSL_GUARDED_BY(mu_);
  OpPtr current_op_ ABSL_GUARDED_BY(mu_);
  int64_t last_call_ ABSL_GUARDED_BY(mu_) = 0;
  struct DeviceCall {
    std::function<void()> given_up;
    bool hung = false;
  };
  std::map<int64_t, DeviceCall> device_calls_ ABSL_GUARDED_BY(mu_);
  int64_t running_call_ ABSL_GUARDED_BY(mu_) = 0;
  // The watch.
  int64_t seen_frame_ ABSL_GUARDED_BY(mu_) = -1;
  int64_t silent_nanos_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t last_watch_nanos_ ABSL_GUARDED_BY(mu_) = 0;
  bool abandoning_ ABSL_GUARDED_BY(mu_) = false;
  int64_t recover_at_nanos_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Duration recovery_pause_ ABSL_GUARDED_BY(mu_);
  // An exclusive session has changed the stream, which is put back when it ends.
  bool changed_by_exclusive_ ABSL_GUARDED_BY(mu_) = false;
  bool restoring_ ABSL_GUARDED_BY(mu_) = false;
  std::string restoring_label_ ABSL_GUARDED_BY(mu_);

  bool shutting_down_ ABSL_GUARDED_BY(mu_) = false;
  int64_t shutdown_by_nanos_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_everything_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::function<void()>> on_shutdown_ ABSL_GUARDED_BY(mu_);
  int64_t last_touch_nanos_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t last_spool_report_nanos_ ABSL_GUARDED_BY(mu_) = 0;

  std::atomic<bool> stopped_{false};
  std::atomic<bool> stop_pump_{false};
  std::thread pump_;
  std::unique_ptr<DeviceRunner> runner_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_ENGINE_IMPL_H_
