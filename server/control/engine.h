#ifndef RTMIXD_SERVER_CONTROL_ENGINE_H_
#define RTMIXD_SERVER_CONTROL_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/control/audio_stream.h"
#include "server/control/calibration.h"
#include "server/control/recording_spool.h"
#include "server/control/types.h"
#include "server/device/audio_device.h"

namespace rtmixd {

// Everything that the server does besides moving bytes: sessions, buffers, actions, audio streams,
// the device's stream, clock, events. What rpc/ calls, and what a test without any network calls.
//
// Whatever has to wait takes a callback and returns at once. Callbacks come exactly once (waits end
// by their condition, their timeout, their cancellation or the end of the engine), from the pump,
// the device thread or inside the call itself, with no lock held, and must not block.
//
// Threading: all methods from any thread, unless marked. Nothing blocks on the device.
class Engine {
 public:
  struct Options {
    Limits limits;
    std::optional<StreamSettings> default_stream;  // opened and started by Start, and by Restore
    bool enable_device_scripts = false;
    std::vector<CalibrationInfo> calibrations;  // that there are at the start
    // Writes all calibrations to where they last, before a change counts; absent: nowhere. Called
    // without the engine's lock, one call at a time.
    std::function<absl::Status(const std::vector<CalibrationInfo>&)> save_calibrations;
    std::shared_ptr<RecordingSpool> spool;     // null: recordings are kept in memory alone
    std::vector<std::string> device_features;  // what the kind of device adds to features()
    int64_t event_capacity = 65536;            // events retained
    // Tests without threads: no pump and no device thread are made; the test calls PumpOnce, and
    // device calls run inside the calls.
    bool manual = false;
    // The clocks, replaced by tests that drive time.
    std::function<int64_t()> monotonic_nanos;
    std::function<absl::Time()> wall_time;
    std::function<WallClockState()> wall_clock_state;
  };

  static absl::StatusOr<std::unique_ptr<Engine>> Create(Options options,
                                                        std::unique_ptr<AudioDevice> device);
  virtual ~Engine() =
      default;  // ends everything and joins the engine's threads; abandons a hung device

  // --- Life ---
  // Starts the pump and opens the default stream. An error of the device is returned, and the
  // engine goes on without a stream.
  virtual absl::Status Start() = 0;
  // Refuses new work from now on, lets what runs finish until `grace` has passed, then ends the
  // rest with kShutdown; `done` comes when nothing is active any more. Again with less grace, it
  // hurries.
  virtual void Shutdown(absl::Duration grace, std::function<void()> done) = 0;
  // True once Shutdown's `done` has been called. Watch callbacks come once more then.
  virtual bool stopped() const = 0;
  // Manual engines: does everything that is due now.
  virtual void PumpOnce() = 0;

  virtual const std::string& instance_id() const = 0;
  virtual absl::Time start_time() const = 0;
  virtual const Limits& limits() const = 0;
  virtual std::vector<std::string> features() const = 0;

  // --- Sessions ---
  struct NewSession {
    SessionInfo info;
    std::string token;
  };
  virtual absl::StatusOr<NewSession> CreateSession(const SessionSpec& spec) = 0;
  // The public id of the session with this token, kept alive by it. UNAUTHENTICATED
  // (kSessionRequired) if the token is empty, (kSessionExpired) if it is not known,
  // (kSessionBroken) if its session was ended before its time.
  virtual absl::StatusOr<std::string> Authenticate(std::string_view token) = 0;
  virtual absl::StatusOr<SessionInfo> GetSession(const std::string& session_id) = 0;
  virtual std::vector<SessionInfo> ListSessions() = 0;
  virtual absl::Status EndSession(const std::string& session_id) = 0;
  // The same to anybody's session: its owner is told `reason`. Returns what it was. NOT_FOUND.
  virtual absl::StatusOr<SessionInfo> BreakSession(const std::string& session_id,
                                                   const std::string& reason) = 0;

  // Waits can be cancelled; the callback of a cancelled wait comes at once. Unknown ids are
  // ignored.
  using WaitId = int64_t;
  virtual void CancelWait(WaitId wait) = 0;

  struct ExclusiveAnswer {
    SessionInfo info;
    std::vector<std::string> holder_labels;
  };
  virtual WaitId AwaitExclusive(const std::string& session_id, absl::Duration timeout,
                                std::function<void(absl::StatusOr<ExclusiveAnswer>)> callback) = 0;

  // --- Devices and the stream (session_id "" where no session is needed) ---
  virtual void ListHostApis(
      std::function<void(absl::StatusOr<std::vector<HostApiInfo>>)> callback) = 0;
  virtual void ListDevices(
      std::function<void(absl::StatusOr<std::vector<DeviceInfo>>)> callback) = 0;
  virtual void CheckSettings(const StreamSettings& settings,
                             std::function<void(absl::Status)> callback) = 0;
  using StreamCallback = std::function<void(absl::StatusOr<StreamStatus>)>;
  virtual StreamStatus GetStream() = 0;
  virtual void OpenStream(const std::string& session_id, const StreamSettings& settings,
                          StreamCallback callback) = 0;
  virtual void StartStream(const std::string& session_id, StreamCallback callback) = 0;
  virtual void StopStream(const std::string& session_id, bool abort, StreamCallback callback) = 0;
  virtual void CloseStream(const std::string& session_id, StreamCallback callback) = 0;
  virtual void RestoreStream(const std::string& session_id, StreamCallback callback) = 0;
  virtual absl::Status LoadScript(const std::string& session_id,
                                  const std::vector<ScriptedFault>& faults) = 0;

  // --- Calibration ---
  // Of the stream that is open.
  virtual absl::StatusOr<CalibrationInfo> SetCalibration(
      const std::string& session_id, const LatencyMeasurementInfo& measurement) = 0;
  virtual std::vector<CalibrationInfo> ListCalibrations() = 0;
  virtual absl::Status DeleteCalibration(const std::string& session_id,
                                         const std::string& calibration_id) = 0;

  // --- Clock and meters ---
  virtual ClockReading ReadClock() = 0;
  // Levels of the frames from `*cursor_frame` to now (as far as the history reaches); moves the
  // cursor.
  virtual MeterReading ReadMeters(int64_t* cursor_frame) = 0;

  // --- Buffers ---
  virtual absl::StatusOr<BufferInfo> CreateBuffer(const std::string& session_id,
                                                  const BufferSpec& spec) = 0;
  virtual absl::StatusOr<BufferInfo> GetBuffer(const std::string& session_id,
                                               const std::string& buffer_id) = 0;
  virtual absl::StatusOr<std::vector<BufferInfo>> ListBuffers(const std::string& session_id) = 0;
  virtual absl::Status DeleteBuffer(const std::string& session_id,
                                    const std::string& buffer_id) = 0;
  virtual absl::StatusOr<std::unique_ptr<BufferWriter>> OpenUpload(
      const std::string& session_id, const std::string& buffer_id) = 0;
  // `on_change` is called when the buffer has grown or is complete, until the reader is destroyed.
  virtual absl::StatusOr<std::unique_ptr<BufferReader>> OpenDownload(const std::string& session_id,
                                                                     const std::string& buffer_id,
                                                                     ChangeCallback on_change) = 0;

  // --- Actions ---
  virtual void Schedule(const std::string& session_id, BatchSpec batch,
                        std::function<void(absl::StatusOr<BatchAdmitted>)> callback) = 0;
  // Lets a batch start that was scheduled with `prepare`. Again, it gives the same answer.
  // NOT_FOUND if the session has no such batch; FAILED_PRECONDITION (kWrongState) if it is too
  // late.
  virtual absl::StatusOr<BatchCommitted> CommitBatch(const std::string& session_id,
                                                     const std::string& batch_id) = 0;
  virtual absl::StatusOr<ActionReport> GetAction(const std::string& session_id,
                                                 const std::string& action_id) = 0;
  virtual absl::StatusOr<std::vector<ActionReport>> ListActions(const std::string& session_id,
                                                                bool active_only) = 0;
  // `all`: every unfinished one. `frame` absent: at once. Plays fade to silence by `fade` first.
  virtual absl::StatusOr<std::vector<ActionReport>> CancelActions(
      const std::string& session_id, const std::vector<std::string>& action_ids, bool all,
      std::optional<int64_t> frame, const Fade& fade) = 0;
  // `all`: every unfinished play. `frame` absent: one that can be kept for all of them.
  virtual absl::StatusOr<ChangesAdmitted> ChangeActions(const std::string& session_id,
                                                        const std::vector<std::string>& action_ids,
                                                        bool all, std::optional<int64_t> frame,
                                                        const VoiceChangeSpec& change) = 0;
  // Of all plays of the session, also of those to come; `frame` as above. The frame from which on
  // it changes; absent without a stream.
  virtual absl::StatusOr<std::optional<int64_t>> SetSessionGain(const std::string& session_id,
                                                                const GainChangeSpec& gain,
                                                                std::optional<int64_t> frame) = 0;
  // Of everything that sounds.
  virtual absl::StatusOr<int64_t> SetMasterGain(const std::string& session_id,
                                                const GainChangeSpec& gain,
                                                std::optional<int64_t> frame) = 0;
  // `until_done`: kDone is enough, and among what has ended.
  struct WaitAnswer {
    std::vector<ActionReport> ended;
    std::vector<std::string> still_running;
  };
  virtual WaitId WaitActions(const std::string& session_id,
                             const std::vector<std::string>& action_ids, bool any, bool until_done,
                             absl::Duration timeout,
                             std::function<void(absl::StatusOr<WaitAnswer>)> callback) = 0;
  // The reports of a batch together. NOT_FOUND unless the session had it and all of them are kept.
  virtual absl::StatusOr<BatchReport> GetBatch(const std::string& session_id,
                                               const std::string& batch_id) = 0;
  // The same when all have ended (or are done) or the time is over.
  virtual WaitId WaitBatch(const std::string& session_id, const std::string& batch_id,
                           bool until_done, absl::Duration timeout,
                           std::function<void(absl::StatusOr<BatchReport>)> callback) = 0;
  // `include_present`: begins with all that have not ended. `on_change` comes when there is
  // something to be read after there was nothing, when the session has ended and when the engine
  // stops; never after the destruction of the watch has returned. RESOURCE_EXHAUSTED at
  // max_watch_streams.
  virtual absl::StatusOr<std::unique_ptr<ActionWatch>> WatchActions(const std::string& session_id,
                                                                    bool include_present,
                                                                    ChangeCallback on_change) = 0;
  virtual absl::StatusOr<StreamStatsInfo> GetStats(const std::string& session_id,
                                                   bool reset_baseline) = 0;

  // --- Audio streams ---
  // `on_change` comes when progress, credit or the end is worth a look; never after the destruction
  // of the stream object has returned.
  virtual absl::StatusOr<std::unique_ptr<PlayStream>> OpenPlay(const std::string& session_id,
                                                               const PlayStreamSpec& spec,
                                                               ChangeCallback on_change) = 0;
  virtual absl::StatusOr<std::unique_ptr<RecordStream>> OpenRecord(const std::string& session_id,
                                                                   const RecordStreamSpec& spec,
                                                                   ChangeCallback on_change) = 0;
  struct DuplexStream {
    std::unique_ptr<PlayStream> play;
    std::unique_ptr<RecordStream> record;
  };
  // Admits both or none, or takes over both or none. With starts "now" both get the same origin.
  virtual absl::StatusOr<DuplexStream> OpenDuplex(const std::string& session_id,
                                                  const PlayStreamSpec& play,
                                                  const RecordStreamSpec& record,
                                                  bool align_at_converters,
                                                  ChangeCallback on_change) = 0;

  // --- Events ---
  // Events from `from_sequence` on (0: the oldest retained) of the given kinds (none: all), at most
  // `max_entries`.
  virtual EventPage ReadEvents(int64_t from_sequence, const std::vector<EventKind>& kinds,
                               int max_entries) = 0;
  virtual int64_t next_event_sequence() = 0;
  using WatchId = int64_t;
  // Called when events were added; until Unwatch has returned. RESOURCE_EXHAUSTED at
  // max_watch_streams.
  virtual absl::StatusOr<WatchId> Watch(ChangeCallback on_change) = 0;
  virtual void Unwatch(WatchId watch) = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_ENGINE_H_
