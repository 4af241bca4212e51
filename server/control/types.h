#ifndef RTMIXD_SERVER_CONTROL_TYPES_H_
#define RTMIXD_SERVER_CONTROL_TYPES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "server/control/calibration.h"
#include "server/device/audio_device.h"
#include "server/mixer/fade.h"
#include "server/mixer/play_feed.h"
#include "server/mixer/voice.h"

// The control layer's own words for what the API speaks of. One for one with proto/rtmixd/v1, whose
// comments say what the fields mean; ids are the strings of the API.
namespace rtmixd {

enum class SampleFormat { kFloat32 = 1, kInt16 = 2, kInt24 = 3, kInt32 = 4 };
enum class RecordSource : uint8_t { kInput, kOutput };
enum class XrunPolicy : uint8_t { kContinue, kKeepTimeline };

// --- Sessions ---
enum class SessionState { kShared = 1, kQueued = 2, kExclusive = 3, kEnded = 4 };
struct SessionSpec {
  std::string label;
  absl::Duration ttl = absl::Seconds(15);
  absl::Duration max_lifetime = absl::InfiniteDuration();
  bool exclusive = false;
  std::string request_id;
};
struct SessionInfo {
  std::string session_id;
  std::string label;
  SessionState state = SessionState::kShared;
  absl::Duration ttl;
  absl::Time create_time;
  absl::Time expire_time;
  absl::Time end_time = absl::InfiniteFuture();
  int active_actions = 0;
  int buffers = 0;
  int64_t buffer_bytes = 0;
  int queue_position = 0;
  float gain = 1;
};

// --- Buffers ---
enum class BufferState { kOpen = 1, kRecording = 2, kComplete = 3 };
struct BufferSpec {
  int channels = 0;
  double sample_rate_hz = 0;
  std::string label;
  bool keep = false;
  int64_t expected_frames = 0;
  std::string request_id;
};
struct BufferInfo {
  std::string buffer_id;
  std::string label;
  int channels = 0;
  double sample_rate_hz = 0;
  int64_t frames = 0;
  BufferState state = BufferState::kOpen;
  bool keep = false;
  absl::Time create_time;
  std::string record_action_id;
  std::string session_id;
  int64_t bytes = 0;
};

// --- Actions ---
// Names an action: a member of the batch by its key, or one of the session.
struct ActionRefSpec {
  std::string key = {};  // or
  std::string action_id = {};
};
struct StartSpec {
  enum class Kind : uint8_t { kOffset, kFrame, kStreamTime, kAfter, kWallTime };
  Kind kind = Kind::kOffset;
  int64_t frames = 0;         // kOffset: from the origin; kFrame: the frame
  double seconds = 0;         // kStreamTime
  ActionRefSpec after = {};   // kAfter
  absl::Time wall_time = {};  // kWallTime: of a stream
};
struct LoopSpec {
  int64_t begin_frame = 0;
  std::optional<int64_t> end_frame = {};  // the end of the sound
  std::optional<int64_t> passes = {};     // until it is left
};
struct GainChangeSpec {
  float gain = 1.0f;
  Fade fade;
};
struct PauseSpec {};
struct ResumeSpec {};
struct LeaveLoopSpec {
  bool at_once = false;
};
using VoiceChangeSpec = std::variant<GainChangeSpec, PauseSpec, ResumeSpec, LeaveLoopSpec>;
using ChannelMapSpec = std::optional<std::vector<int>>;  // from 1, as in the API

struct PlaySpec {
  std::string buffer_id;  // or inline audio, if empty
  int inline_channels = 0;
  SampleFormat inline_format = SampleFormat::kFloat32;
  std::string inline_data;
  float gain = 1.0f;
  ChannelMapSpec channel_map;
  XrunPolicy xrun_policy = XrunPolicy::kContinue;
  Fade fade_in;
  Fade fade_out;
  int64_t offset_frames = 0;
  std::optional<int64_t> max_frames;
  std::optional<LoopSpec> loop;
};
struct RecordSpec {
  std::string buffer_id;
  std::optional<int64_t> frames;
  ChannelMapSpec channel_map;
  RecordSource source = RecordSource::kInput;
  std::string label;
  bool keep = false;
  bool leave_open = false;
};
struct CancelSpec {
  ActionRefSpec target;
  Fade fade = {};
};
struct ChangeSpec {
  ActionRefSpec target;
  VoiceChangeSpec change;
};
struct StatsSpec {
  bool reset_baseline = false;
};
struct ActionSpec {
  std::string key;
  StartSpec start;
  LatePolicy late_policy = LatePolicy::kPlay;
  std::variant<PlaySpec, RecordSpec, CancelSpec, StatsSpec, ChangeSpec> what;
};
struct BatchSpec {
  // Now, frame, stream time in seconds, wall clock.
  std::variant<std::monostate, int64_t, double, absl::Time> origin;
  bool prepare = false;  // it starts only when it is committed
  bool align_at_converters = false;
  std::vector<ActionSpec> actions;
  std::string request_id;
  std::string fingerprint;  // of the whole request, to tell a retry from a reuse of its id
};
struct ScheduledAction {
  std::string action_id;
  std::string key;
  std::optional<int64_t> start_frame;
  std::string buffer_id;
};
struct BatchAdmitted {
  std::string batch_id;
  std::optional<int64_t> origin_frame;
  std::string stream_id;
  std::vector<ScheduledAction> actions;
  std::optional<absl::Time> origin_wall_time;
  std::optional<double> origin_uncertainty_frames;
};
struct BatchCommitted {
  std::optional<int64_t> origin_frame;
  std::optional<double> origin_uncertainty_frames;
};

enum class ActionKind : uint8_t {
  kPlay = 1,
  kPlayStream = 2,
  kRecord = 3,
  kRecordStream = 4,
  kCancel = 5,
  kStats = 6,
  kChange = 7
};
enum class ActionState : uint8_t { kPending = 1, kActive = 2, kEnded = 3, kDone = 4 };
enum class ActionEnd : uint8_t {
  kNone = 0,
  kCompleted = 1,
  kCancelled = 2,
  kSkipped = 3,
  kUnderrun = 4,
  kSessionEnded = 5,
  kStreamClosed = 6,
  kLimitExceeded = 7,
  kDisconnected = 8,
  kShutdown = 9,
  kNotCommitted = 10,
  kTargetEnded = 11,
};
enum class Touched { kNo = 1, kYes = 2, kCannotTell = 3 };
enum class XrunSide { kUnknown = 0, kInput = 1, kOutput = 2, kBoth = 3 };
struct XrunInfo {
  int64_t frame = 0;
  int64_t earliest_frame = 0;
  int64_t latest_frame = 0;
  XrunSide side = XrunSide::kUnknown;
  int64_t lost_frames = 0;
  double lost_frames_error = 0;
  bool flagged = false;
};
struct ClockRelockInfo {
  int64_t frame = 0;
  int64_t earliest_frame = 0;
  int64_t latest_frame = 0;
  double moved_frames = 0;
  double moved_frames_error = 0;
};
struct GapInfo {
  int64_t position = 0;
  int64_t frame = 0;
  int64_t frames = 0;
};
struct BlockStatsInfo {
  int64_t blocks = 0;
  int min_frames = 0;
  int max_frames = 0;
  int64_t input_underflows = 0;
  int64_t input_overflows = 0;
  int64_t output_underflows = 0;
  int64_t output_overflows = 0;
};
struct StreamStatsInfo {
  std::string stream_id;
  int64_t since_frame = 0;
  int64_t until_frame = 0;
  BlockStatsInfo blocks;
  int64_t xruns = 0;
  int64_t lost_frames = 0;
  std::vector<int64_t> clipped_samples;
  int64_t nonfinite_input_samples = 0;
  double cpu_load = 0;
  int active_actions = 0;
  int pending_actions = 0;
};
struct ActionReport {
  std::string action_id;
  std::string key;
  std::string batch_id;
  ActionKind kind = ActionKind::kPlay;
  ActionState state = ActionState::kPending;
  std::string stream_id;
  std::optional<int64_t> requested_start_frame;
  std::optional<int64_t> start_frame;
  std::optional<int64_t> end_frame;
  std::optional<int64_t> total_frames;
  int64_t done_frames = 0;
  int64_t late_frames = 0;
  int64_t dropped_frames = 0;
  ActionEnd end_reason = ActionEnd::kNone;
  std::vector<GapInfo> gaps;
  int64_t gap_count = 0;
  int64_t gap_frames = 0;
  std::vector<XrunInfo> xruns;
  int64_t xrun_count = 0;
  Touched touched = Touched::kCannotTell;
  int64_t shortest_detectable_loss_frames = 0;
  int64_t clipped_samples = 0;
  int64_t nonfinite_input_samples = 0;
  BlockStatsInfo blocks;
  std::string buffer_id;
  std::string target_action_id;
  std::optional<StreamStatsInfo> stats;
  int64_t underruns = 0;
  std::optional<int64_t> position_frames;
  bool paused = false;
  std::string after_action_id;
  std::optional<absl::Time> origin_wall_time;
  std::optional<int64_t> origin_frame;
  std::optional<double> origin_uncertainty_frames;
  std::optional<absl::Time> start_wall_time;
  std::optional<double> start_wall_time_uncertainty_frames;
  std::optional<double> wall_clock_max_error_seconds;
  bool calibrated = false;
};
struct EndCount {
  ActionEnd reason = ActionEnd::kNone;
  int actions = 0;
};
struct BatchReport {
  std::string batch_id;
  std::string stream_id;
  ActionState state = ActionState::kPending;
  int actions = 0;
  int pending_actions = 0;
  int active_actions = 0;
  int done_actions = 0;
  int ended_actions = 0;
  std::vector<EndCount> ends;
  std::optional<int64_t> start_frame;
  std::optional<int64_t> end_frame;
  Touched touched = Touched::kNo;
  int touched_actions = 0;
  int64_t shortest_detectable_loss_frames = 0;
  std::vector<XrunInfo> xruns;
  int64_t xrun_count = 0;
  int64_t gap_count = 0;
  int64_t gap_frames = 0;
  int late_actions = 0;
  int64_t late_frames = 0;
  int64_t dropped_frames = 0;
  int clipped_actions = 0;
  int64_t clipped_samples = 0;
};
struct ChangesAdmitted {
  int64_t frame = 0;
  std::vector<ActionReport> reports;
};

// --- Stream, clock, meters, events ---
// What the host says of its wall clock.
struct WallClockState {
  bool synchronized = false;
  double max_error_seconds = 0;  // valid if it is synchronized, as the next
  double estimated_error_seconds = 0;
};
enum class StreamState { kClosed = 1, kStopped = 2, kRunning = 3, kLost = 4 };
struct StreamStatus {
  std::string stream_id;
  StreamState state = StreamState::kClosed;
  StreamInfo info;
  StreamSettings settings;
  int64_t next_frame = 0;
  double cpu_load = 0;
  float master_gain = 1;
  std::optional<CalibrationInfo> calibration;
};
struct ClockReading {
  std::string stream_id;
  double frame = 0;
  double stream_time_seconds = 0;
  absl::Time wall_time;
  int64_t monotonic_nanos = 0;
  double rate_hz = 0;
  double rate_uncertainty_ppm = 0;
  double uncertainty_frames = 0;
  bool locked = false;
  bool running = false;
  int64_t next_frame = 0;
  WallClockState wall_clock;
};
struct Level {
  float peak = 0;
  float rms = 0;
  int64_t clipped_samples = 0;
};
struct MeterReading {
  int64_t first_frame = 0;
  int64_t frames = 0;
  std::vector<Level> inputs;
  std::vector<Level> outputs;
};
enum class EventKind {
  kServerStarted = 1,
  kServerStopping,
  kStreamOpened,
  kStreamStarted,
  kStreamStopped,
  kStreamClosed,
  kDeviceLost,
  kDeviceRecovered,
  kXrun,
  kClipped,
  kSessionCreated,
  kSessionGranted,
  kSessionEnded,
  kSessionExpired,
  kActionScheduled,
  kActionStarted,
  kActionEnded,
  kActionLate,
  kUnderrun,
  kOverrun,
  kCallDetached,
  kCallReattached,
  kFaultInjected,
  kNote,
  kActionDone,
  kActionChanged,
  kGainChanged,
  kSessionBroken = 28,
  kActionSkipped = 40,
  kClockRelocked = 41,
  kSpoolFailed = 50,
  kSpoolRecovered = 51,
  kSpoolGap = 52,
};
struct LogEntry {
  int64_t sequence = 0;
  absl::Time time;
  EventKind kind = EventKind::kNote;
  std::optional<int64_t> frame;
  std::string stream_id;
  std::string session_id;
  std::string session_label;
  std::string action_id;
  std::optional<XrunInfo> xrun;
  ActionEnd end_reason = ActionEnd::kNone;
  int64_t frames = 0;
  std::string text;
  // Of an xrun or a relock: the actions that ran in its range, the first kMaxTouchedIds of them.
  static constexpr int kMaxTouchedIds = 64;
  std::vector<std::string> touched_action_ids;
  int64_t touched_action_count = 0;
  std::optional<ClockRelockInfo> clock_relock;
};
struct EventPage {
  std::vector<LogEntry> entries;
  int64_t next_sequence = 1;  // read on from here
  int64_t missed = 0;
};

// --- Limits: as rtmixd.v1.ServerLimits ---
struct Limits {
  int max_sessions = 256;
  int max_actions = 100000;
  int max_actions_per_session = 50000;
  int max_batch_actions = 10000;
  int64_t max_buffer_bytes = int64_t{4} << 30;
  int64_t max_buffer_bytes_per_session = int64_t{1} << 30;
  int max_buffers_per_session = 10000;
  int max_audio_streams = 256;
  int max_watch_streams = 1024;
  int64_t max_ring_frames = 1 << 20;
  int max_message_bytes = 16 << 20;
  int max_chunk_bytes = 1 << 20;
  absl::Duration max_session_ttl = absl::Hours(1);
  absl::Duration history = absl::Seconds(10);
  absl::Duration request_id_retention = absl::Minutes(10);
  int max_kept_reports_per_session = 100000;
  int max_waits = 10000;
  // Longer than a working day: what was forgotten in the evening is free in the morning.
  absl::Duration max_exclusive = absl::Hours(9);
  // Far more than a client that works needs; a loop gone wild still leaves room for others.
  int max_calls_per_second = 20000;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_TYPES_H_
