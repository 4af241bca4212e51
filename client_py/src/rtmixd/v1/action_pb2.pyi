from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from rtmixd.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

ACTION_KIND_CANCEL: ActionKind
ACTION_KIND_CHANGE: ActionKind
ACTION_KIND_PLAY: ActionKind
ACTION_KIND_PLAY_STREAM: ActionKind
ACTION_KIND_RECORD: ActionKind
ACTION_KIND_RECORD_STREAM: ActionKind
ACTION_KIND_STATS: ActionKind
ACTION_KIND_UNSPECIFIED: ActionKind
ACTION_STATE_ACTIVE: ActionState
ACTION_STATE_DONE: ActionState
ACTION_STATE_ENDED: ActionState
ACTION_STATE_PENDING: ActionState
ACTION_STATE_UNSPECIFIED: ActionState
DESCRIPTOR: _descriptor.FileDescriptor
END_REASON_CANCELLED: EndReason
END_REASON_COMPLETED: EndReason
END_REASON_DISCONNECTED: EndReason
END_REASON_LIMIT_EXCEEDED: EndReason
END_REASON_NOT_COMMITTED: EndReason
END_REASON_SESSION_ENDED: EndReason
END_REASON_SHUTDOWN: EndReason
END_REASON_SKIPPED: EndReason
END_REASON_STREAM_CLOSED: EndReason
END_REASON_TARGET_ENDED: EndReason
END_REASON_UNDERRUN: EndReason
END_REASON_UNSPECIFIED: EndReason
TOUCHED_CANNOT_TELL: Touched
TOUCHED_NO: Touched
TOUCHED_UNSPECIFIED: Touched
TOUCHED_YES: Touched
XRUN_SIDE_BOTH: XrunSide
XRUN_SIDE_INPUT: XrunSide
XRUN_SIDE_OUTPUT: XrunSide
XRUN_SIDE_UNSPECIFIED: XrunSide

class ActionReport(_message.Message):
    __slots__ = ["action_id", "after_action_id", "batch_id", "blocks", "buffer_id", "calibrated", "clipped_samples", "done_frames", "dropped_frames", "end_frame", "end_reason", "gap_count", "gap_frames", "gaps", "key", "kind", "late_frames", "nonfinite_input_samples", "origin_frame", "origin_uncertainty_frames", "origin_wall_time", "paused", "position_frames", "requested_start_frame", "shortest_detectable_loss_frames", "start_frame", "start_wall_time", "start_wall_time_uncertainty_frames", "state", "stats", "stream_id", "target_action_id", "total_frames", "touched", "underruns", "wall_clock_max_error_seconds", "xrun_count", "xruns"]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    BUFFER_ID_FIELD_NUMBER: _ClassVar[int]
    CALIBRATED_FIELD_NUMBER: _ClassVar[int]
    CLIPPED_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    DONE_FRAMES_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    END_FRAME_FIELD_NUMBER: _ClassVar[int]
    END_REASON_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    GAP_COUNT_FIELD_NUMBER: _ClassVar[int]
    GAP_FRAMES_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LATE_FRAMES_FIELD_NUMBER: _ClassVar[int]
    NONFINITE_INPUT_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FRAME_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_UNCERTAINTY_FRAMES_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    POSITION_FRAMES_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_START_FRAME_FIELD_NUMBER: _ClassVar[int]
    SHORTEST_DETECTABLE_LOSS_FRAMES_FIELD_NUMBER: _ClassVar[int]
    START_FRAME_FIELD_NUMBER: _ClassVar[int]
    START_WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    START_WALL_TIME_UNCERTAINTY_FRAMES_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FRAMES_FIELD_NUMBER: _ClassVar[int]
    TOUCHED_FIELD_NUMBER: _ClassVar[int]
    UNDERRUNS_FIELD_NUMBER: _ClassVar[int]
    WALL_CLOCK_MAX_ERROR_SECONDS_FIELD_NUMBER: _ClassVar[int]
    XRUNS_FIELD_NUMBER: _ClassVar[int]
    XRUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    action_id: str
    after_action_id: str
    batch_id: str
    blocks: BlockStats
    buffer_id: str
    calibrated: bool
    clipped_samples: int
    done_frames: int
    dropped_frames: int
    end_frame: int
    end_reason: EndReason
    gap_count: int
    gap_frames: int
    gaps: _containers.RepeatedCompositeFieldContainer[Gap]
    key: str
    kind: ActionKind
    late_frames: int
    nonfinite_input_samples: int
    origin_frame: int
    origin_uncertainty_frames: float
    origin_wall_time: _timestamp_pb2.Timestamp
    paused: bool
    position_frames: int
    requested_start_frame: int
    shortest_detectable_loss_frames: int
    start_frame: int
    start_wall_time: _timestamp_pb2.Timestamp
    start_wall_time_uncertainty_frames: float
    state: ActionState
    stats: StreamStats
    stream_id: str
    target_action_id: str
    total_frames: int
    touched: Touched
    underruns: int
    wall_clock_max_error_seconds: float
    xrun_count: int
    xruns: _containers.RepeatedCompositeFieldContainer[Xrun]
    def __init__(self, action_id: _Optional[str] = ..., key: _Optional[str] = ..., batch_id: _Optional[str] = ..., kind: _Optional[_Union[ActionKind, str]] = ..., state: _Optional[_Union[ActionState, str]] = ..., stream_id: _Optional[str] = ..., requested_start_frame: _Optional[int] = ..., start_frame: _Optional[int] = ..., end_frame: _Optional[int] = ..., total_frames: _Optional[int] = ..., done_frames: _Optional[int] = ..., late_frames: _Optional[int] = ..., dropped_frames: _Optional[int] = ..., end_reason: _Optional[_Union[EndReason, str]] = ..., gaps: _Optional[_Iterable[_Union[Gap, _Mapping]]] = ..., gap_count: _Optional[int] = ..., gap_frames: _Optional[int] = ..., xruns: _Optional[_Iterable[_Union[Xrun, _Mapping]]] = ..., xrun_count: _Optional[int] = ..., touched: _Optional[_Union[Touched, str]] = ..., shortest_detectable_loss_frames: _Optional[int] = ..., clipped_samples: _Optional[int] = ..., blocks: _Optional[_Union[BlockStats, _Mapping]] = ..., buffer_id: _Optional[str] = ..., target_action_id: _Optional[str] = ..., stats: _Optional[_Union[StreamStats, _Mapping]] = ..., underruns: _Optional[int] = ..., nonfinite_input_samples: _Optional[int] = ..., position_frames: _Optional[int] = ..., paused: bool = ..., after_action_id: _Optional[str] = ..., origin_wall_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., origin_frame: _Optional[int] = ..., origin_uncertainty_frames: _Optional[float] = ..., start_wall_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., start_wall_time_uncertainty_frames: _Optional[float] = ..., wall_clock_max_error_seconds: _Optional[float] = ..., calibrated: bool = ...) -> None: ...

class ActionSpec(_message.Message):
    __slots__ = ["cancel", "change", "key", "late_policy", "play", "record", "start", "stats"]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    LATE_POLICY_FIELD_NUMBER: _ClassVar[int]
    PLAY_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    cancel: CancelSpec
    change: ChangeSpec
    key: str
    late_policy: _common_pb2.LatePolicy
    play: PlaySpec
    record: RecordSpec
    start: _common_pb2.Start
    stats: StatsSpec
    def __init__(self, key: _Optional[str] = ..., start: _Optional[_Union[_common_pb2.Start, _Mapping]] = ..., late_policy: _Optional[_Union[_common_pb2.LatePolicy, str]] = ..., play: _Optional[_Union[PlaySpec, _Mapping]] = ..., record: _Optional[_Union[RecordSpec, _Mapping]] = ..., cancel: _Optional[_Union[CancelSpec, _Mapping]] = ..., stats: _Optional[_Union[StatsSpec, _Mapping]] = ..., change: _Optional[_Union[ChangeSpec, _Mapping]] = ...) -> None: ...

class BatchReport(_message.Message):
    __slots__ = ["actions", "active_actions", "batch_id", "clipped_actions", "clipped_samples", "done_actions", "dropped_frames", "end_frame", "ended_actions", "ends", "gap_count", "gap_frames", "late_actions", "late_frames", "pending_actions", "shortest_detectable_loss_frames", "start_frame", "state", "stream_id", "touched", "touched_actions", "xrun_count", "xruns"]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    CLIPPED_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    CLIPPED_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    DONE_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    ENDED_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    ENDS_FIELD_NUMBER: _ClassVar[int]
    END_FRAME_FIELD_NUMBER: _ClassVar[int]
    GAP_COUNT_FIELD_NUMBER: _ClassVar[int]
    GAP_FRAMES_FIELD_NUMBER: _ClassVar[int]
    LATE_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    LATE_FRAMES_FIELD_NUMBER: _ClassVar[int]
    PENDING_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    SHORTEST_DETECTABLE_LOSS_FRAMES_FIELD_NUMBER: _ClassVar[int]
    START_FRAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    TOUCHED_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    TOUCHED_FIELD_NUMBER: _ClassVar[int]
    XRUNS_FIELD_NUMBER: _ClassVar[int]
    XRUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    actions: int
    active_actions: int
    batch_id: str
    clipped_actions: int
    clipped_samples: int
    done_actions: int
    dropped_frames: int
    end_frame: int
    ended_actions: int
    ends: _containers.RepeatedCompositeFieldContainer[EndCount]
    gap_count: int
    gap_frames: int
    late_actions: int
    late_frames: int
    pending_actions: int
    shortest_detectable_loss_frames: int
    start_frame: int
    state: ActionState
    stream_id: str
    touched: Touched
    touched_actions: int
    xrun_count: int
    xruns: _containers.RepeatedCompositeFieldContainer[Xrun]
    def __init__(self, batch_id: _Optional[str] = ..., stream_id: _Optional[str] = ..., state: _Optional[_Union[ActionState, str]] = ..., actions: _Optional[int] = ..., pending_actions: _Optional[int] = ..., active_actions: _Optional[int] = ..., done_actions: _Optional[int] = ..., ended_actions: _Optional[int] = ..., ends: _Optional[_Iterable[_Union[EndCount, _Mapping]]] = ..., start_frame: _Optional[int] = ..., end_frame: _Optional[int] = ..., touched: _Optional[_Union[Touched, str]] = ..., touched_actions: _Optional[int] = ..., shortest_detectable_loss_frames: _Optional[int] = ..., xruns: _Optional[_Iterable[_Union[Xrun, _Mapping]]] = ..., xrun_count: _Optional[int] = ..., gap_count: _Optional[int] = ..., gap_frames: _Optional[int] = ..., late_actions: _Optional[int] = ..., late_frames: _Optional[int] = ..., dropped_frames: _Optional[int] = ..., clipped_actions: _Optional[int] = ..., clipped_samples: _Optional[int] = ...) -> None: ...

class BlockStats(_message.Message):
    __slots__ = ["blocks", "input_overflows", "input_underflows", "max_frames", "min_frames", "output_overflows", "output_underflows"]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    INPUT_OVERFLOWS_FIELD_NUMBER: _ClassVar[int]
    INPUT_UNDERFLOWS_FIELD_NUMBER: _ClassVar[int]
    MAX_FRAMES_FIELD_NUMBER: _ClassVar[int]
    MIN_FRAMES_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_OVERFLOWS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_UNDERFLOWS_FIELD_NUMBER: _ClassVar[int]
    blocks: int
    input_overflows: int
    input_underflows: int
    max_frames: int
    min_frames: int
    output_overflows: int
    output_underflows: int
    def __init__(self, blocks: _Optional[int] = ..., min_frames: _Optional[int] = ..., max_frames: _Optional[int] = ..., input_underflows: _Optional[int] = ..., input_overflows: _Optional[int] = ..., output_underflows: _Optional[int] = ..., output_overflows: _Optional[int] = ...) -> None: ...

class CancelActionsRequest(_message.Message):
    __slots__ = ["action_ids", "all", "fade", "frame"]
    ACTION_IDS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    FADE_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    action_ids: _containers.RepeatedScalarFieldContainer[str]
    all: bool
    fade: _common_pb2.Fade
    frame: int
    def __init__(self, action_ids: _Optional[_Iterable[str]] = ..., all: bool = ..., frame: _Optional[int] = ..., fade: _Optional[_Union[_common_pb2.Fade, _Mapping]] = ...) -> None: ...

class CancelActionsResponse(_message.Message):
    __slots__ = ["reports"]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[ActionReport]
    def __init__(self, reports: _Optional[_Iterable[_Union[ActionReport, _Mapping]]] = ...) -> None: ...

class CancelSpec(_message.Message):
    __slots__ = ["action_id", "fade", "key"]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    FADE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    action_id: str
    fade: _common_pb2.Fade
    key: str
    def __init__(self, key: _Optional[str] = ..., action_id: _Optional[str] = ..., fade: _Optional[_Union[_common_pb2.Fade, _Mapping]] = ...) -> None: ...

class ChangeActionsRequest(_message.Message):
    __slots__ = ["action_ids", "all", "frame", "gain", "leave_loop", "pause", "resume"]
    ACTION_IDS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    LEAVE_LOOP_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    action_ids: _containers.RepeatedScalarFieldContainer[str]
    all: bool
    frame: int
    gain: _common_pb2.GainChange
    leave_loop: LeaveLoop
    pause: Pause
    resume: Resume
    def __init__(self, action_ids: _Optional[_Iterable[str]] = ..., all: bool = ..., frame: _Optional[int] = ..., gain: _Optional[_Union[_common_pb2.GainChange, _Mapping]] = ..., pause: _Optional[_Union[Pause, _Mapping]] = ..., resume: _Optional[_Union[Resume, _Mapping]] = ..., leave_loop: _Optional[_Union[LeaveLoop, _Mapping]] = ...) -> None: ...

class ChangeActionsResponse(_message.Message):
    __slots__ = ["frame", "reports"]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    frame: int
    reports: _containers.RepeatedCompositeFieldContainer[ActionReport]
    def __init__(self, frame: _Optional[int] = ..., reports: _Optional[_Iterable[_Union[ActionReport, _Mapping]]] = ...) -> None: ...

class ChangeSpec(_message.Message):
    __slots__ = ["action_id", "gain", "key", "leave_loop", "pause", "resume"]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    LEAVE_LOOP_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    action_id: str
    gain: _common_pb2.GainChange
    key: str
    leave_loop: LeaveLoop
    pause: Pause
    resume: Resume
    def __init__(self, key: _Optional[str] = ..., action_id: _Optional[str] = ..., gain: _Optional[_Union[_common_pb2.GainChange, _Mapping]] = ..., pause: _Optional[_Union[Pause, _Mapping]] = ..., resume: _Optional[_Union[Resume, _Mapping]] = ..., leave_loop: _Optional[_Union[LeaveLoop, _Mapping]] = ...) -> None: ...

class CommitBatchRequest(_message.Message):
    __slots__ = ["batch_id"]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    def __init__(self, batch_id: _Optional[str] = ...) -> None: ...

class CommitBatchResponse(_message.Message):
    __slots__ = ["origin_frame", "origin_uncertainty_frames"]
    ORIGIN_FRAME_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_UNCERTAINTY_FRAMES_FIELD_NUMBER: _ClassVar[int]
    origin_frame: int
    origin_uncertainty_frames: float
    def __init__(self, origin_frame: _Optional[int] = ..., origin_uncertainty_frames: _Optional[float] = ...) -> None: ...

class EndCount(_message.Message):
    __slots__ = ["actions", "end_reason"]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    END_REASON_FIELD_NUMBER: _ClassVar[int]
    actions: int
    end_reason: EndReason
    def __init__(self, end_reason: _Optional[_Union[EndReason, str]] = ..., actions: _Optional[int] = ...) -> None: ...

class Gap(_message.Message):
    __slots__ = ["frame", "frames", "position"]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    frame: int
    frames: int
    position: int
    def __init__(self, position: _Optional[int] = ..., frame: _Optional[int] = ..., frames: _Optional[int] = ...) -> None: ...

class GetActionRequest(_message.Message):
    __slots__ = ["action_id"]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    action_id: str
    def __init__(self, action_id: _Optional[str] = ...) -> None: ...

class GetActionResponse(_message.Message):
    __slots__ = ["report"]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: ActionReport
    def __init__(self, report: _Optional[_Union[ActionReport, _Mapping]] = ...) -> None: ...

class GetBatchRequest(_message.Message):
    __slots__ = ["batch_id"]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    def __init__(self, batch_id: _Optional[str] = ...) -> None: ...

class GetBatchResponse(_message.Message):
    __slots__ = ["report"]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: BatchReport
    def __init__(self, report: _Optional[_Union[BatchReport, _Mapping]] = ...) -> None: ...

class GetStatsRequest(_message.Message):
    __slots__ = ["reset_baseline"]
    RESET_BASELINE_FIELD_NUMBER: _ClassVar[int]
    reset_baseline: bool
    def __init__(self, reset_baseline: bool = ...) -> None: ...

class GetStatsResponse(_message.Message):
    __slots__ = ["stats"]
    STATS_FIELD_NUMBER: _ClassVar[int]
    stats: StreamStats
    def __init__(self, stats: _Optional[_Union[StreamStats, _Mapping]] = ...) -> None: ...

class InlineAudio(_message.Message):
    __slots__ = ["channels", "data", "sample_format"]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    channels: int
    data: bytes
    sample_format: _common_pb2.SampleFormat
    def __init__(self, channels: _Optional[int] = ..., sample_format: _Optional[_Union[_common_pb2.SampleFormat, str]] = ..., data: _Optional[bytes] = ...) -> None: ...

class LeaveLoop(_message.Message):
    __slots__ = ["at_once"]
    AT_ONCE_FIELD_NUMBER: _ClassVar[int]
    at_once: bool
    def __init__(self, at_once: bool = ...) -> None: ...

class ListActionsRequest(_message.Message):
    __slots__ = ["active_only", "page_size", "page_token"]
    ACTIVE_ONLY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    active_only: bool
    page_size: int
    page_token: str
    def __init__(self, active_only: bool = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListActionsResponse(_message.Message):
    __slots__ = ["next_page_token", "reports"]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    next_page_token: str
    reports: _containers.RepeatedCompositeFieldContainer[ActionReport]
    def __init__(self, reports: _Optional[_Iterable[_Union[ActionReport, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Loop(_message.Message):
    __slots__ = ["begin_frame", "end_frame", "passes"]
    BEGIN_FRAME_FIELD_NUMBER: _ClassVar[int]
    END_FRAME_FIELD_NUMBER: _ClassVar[int]
    PASSES_FIELD_NUMBER: _ClassVar[int]
    begin_frame: int
    end_frame: int
    passes: int
    def __init__(self, begin_frame: _Optional[int] = ..., end_frame: _Optional[int] = ..., passes: _Optional[int] = ...) -> None: ...

class Pause(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class PlaySpec(_message.Message):
    __slots__ = ["buffer_id", "channel_map", "fade_in", "fade_out", "gain", "inline_audio", "loop", "max_frames", "offset_frames", "xrun_policy"]
    BUFFER_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_MAP_FIELD_NUMBER: _ClassVar[int]
    FADE_IN_FIELD_NUMBER: _ClassVar[int]
    FADE_OUT_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    INLINE_AUDIO_FIELD_NUMBER: _ClassVar[int]
    LOOP_FIELD_NUMBER: _ClassVar[int]
    MAX_FRAMES_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FRAMES_FIELD_NUMBER: _ClassVar[int]
    XRUN_POLICY_FIELD_NUMBER: _ClassVar[int]
    buffer_id: str
    channel_map: _common_pb2.ChannelMap
    fade_in: _common_pb2.Fade
    fade_out: _common_pb2.Fade
    gain: float
    inline_audio: InlineAudio
    loop: Loop
    max_frames: int
    offset_frames: int
    xrun_policy: _common_pb2.XrunPolicy
    def __init__(self, buffer_id: _Optional[str] = ..., inline_audio: _Optional[_Union[InlineAudio, _Mapping]] = ..., gain: _Optional[float] = ..., channel_map: _Optional[_Union[_common_pb2.ChannelMap, _Mapping]] = ..., xrun_policy: _Optional[_Union[_common_pb2.XrunPolicy, str]] = ..., fade_in: _Optional[_Union[_common_pb2.Fade, _Mapping]] = ..., fade_out: _Optional[_Union[_common_pb2.Fade, _Mapping]] = ..., offset_frames: _Optional[int] = ..., max_frames: _Optional[int] = ..., loop: _Optional[_Union[Loop, _Mapping]] = ...) -> None: ...

class RecordSpec(_message.Message):
    __slots__ = ["buffer_id", "channel_map", "frames", "keep", "label", "leave_open", "source"]
    BUFFER_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_MAP_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    LEAVE_OPEN_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    buffer_id: str
    channel_map: _common_pb2.ChannelMap
    frames: int
    keep: bool
    label: str
    leave_open: bool
    source: _common_pb2.RecordSource
    def __init__(self, buffer_id: _Optional[str] = ..., frames: _Optional[int] = ..., channel_map: _Optional[_Union[_common_pb2.ChannelMap, _Mapping]] = ..., source: _Optional[_Union[_common_pb2.RecordSource, str]] = ..., label: _Optional[str] = ..., keep: bool = ..., leave_open: bool = ...) -> None: ...

class Resume(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ScheduleActionsRequest(_message.Message):
    __slots__ = ["actions", "align_at_converters", "origin_frame", "origin_stream_time_seconds", "origin_wall_time", "prepare", "request_id"]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    ALIGN_AT_CONVERTERS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FRAME_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_STREAM_TIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    PREPARE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    actions: _containers.RepeatedCompositeFieldContainer[ActionSpec]
    align_at_converters: bool
    origin_frame: int
    origin_stream_time_seconds: float
    origin_wall_time: _timestamp_pb2.Timestamp
    prepare: bool
    request_id: str
    def __init__(self, origin_frame: _Optional[int] = ..., origin_stream_time_seconds: _Optional[float] = ..., origin_wall_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., align_at_converters: bool = ..., actions: _Optional[_Iterable[_Union[ActionSpec, _Mapping]]] = ..., request_id: _Optional[str] = ..., prepare: bool = ...) -> None: ...

class ScheduleActionsResponse(_message.Message):
    __slots__ = ["actions", "batch_id", "origin_frame", "origin_uncertainty_frames", "origin_wall_time", "stream_id"]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FRAME_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_UNCERTAINTY_FRAMES_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    actions: _containers.RepeatedCompositeFieldContainer[ScheduledAction]
    batch_id: str
    origin_frame: int
    origin_uncertainty_frames: float
    origin_wall_time: _timestamp_pb2.Timestamp
    stream_id: str
    def __init__(self, batch_id: _Optional[str] = ..., origin_frame: _Optional[int] = ..., stream_id: _Optional[str] = ..., actions: _Optional[_Iterable[_Union[ScheduledAction, _Mapping]]] = ..., origin_wall_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., origin_uncertainty_frames: _Optional[float] = ...) -> None: ...

class ScheduledAction(_message.Message):
    __slots__ = ["action_id", "buffer_id", "key", "start_frame"]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    BUFFER_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    START_FRAME_FIELD_NUMBER: _ClassVar[int]
    action_id: str
    buffer_id: str
    key: str
    start_frame: int
    def __init__(self, action_id: _Optional[str] = ..., key: _Optional[str] = ..., start_frame: _Optional[int] = ..., buffer_id: _Optional[str] = ...) -> None: ...

class StatsSpec(_message.Message):
    __slots__ = ["reset_baseline"]
    RESET_BASELINE_FIELD_NUMBER: _ClassVar[int]
    reset_baseline: bool
    def __init__(self, reset_baseline: bool = ...) -> None: ...

class StreamStats(_message.Message):
    __slots__ = ["active_actions", "blocks", "clipped_samples", "cpu_load", "lost_frames", "nonfinite_input_samples", "pending_actions", "since_frame", "stream_id", "until_frame", "xruns"]
    ACTIVE_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    CLIPPED_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    CPU_LOAD_FIELD_NUMBER: _ClassVar[int]
    LOST_FRAMES_FIELD_NUMBER: _ClassVar[int]
    NONFINITE_INPUT_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    PENDING_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    SINCE_FRAME_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FRAME_FIELD_NUMBER: _ClassVar[int]
    XRUNS_FIELD_NUMBER: _ClassVar[int]
    active_actions: int
    blocks: BlockStats
    clipped_samples: _containers.RepeatedScalarFieldContainer[int]
    cpu_load: float
    lost_frames: int
    nonfinite_input_samples: int
    pending_actions: int
    since_frame: int
    stream_id: str
    until_frame: int
    xruns: int
    def __init__(self, stream_id: _Optional[str] = ..., since_frame: _Optional[int] = ..., until_frame: _Optional[int] = ..., blocks: _Optional[_Union[BlockStats, _Mapping]] = ..., xruns: _Optional[int] = ..., lost_frames: _Optional[int] = ..., clipped_samples: _Optional[_Iterable[int]] = ..., cpu_load: _Optional[float] = ..., active_actions: _Optional[int] = ..., pending_actions: _Optional[int] = ..., nonfinite_input_samples: _Optional[int] = ...) -> None: ...

class WaitActionsRequest(_message.Message):
    __slots__ = ["action_ids", "any", "timeout", "until_done"]
    ACTION_IDS_FIELD_NUMBER: _ClassVar[int]
    ANY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    UNTIL_DONE_FIELD_NUMBER: _ClassVar[int]
    action_ids: _containers.RepeatedScalarFieldContainer[str]
    any: bool
    timeout: _duration_pb2.Duration
    until_done: bool
    def __init__(self, action_ids: _Optional[_Iterable[str]] = ..., any: bool = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., until_done: bool = ...) -> None: ...

class WaitActionsResponse(_message.Message):
    __slots__ = ["ended", "still_running"]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    STILL_RUNNING_FIELD_NUMBER: _ClassVar[int]
    ended: _containers.RepeatedCompositeFieldContainer[ActionReport]
    still_running: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ended: _Optional[_Iterable[_Union[ActionReport, _Mapping]]] = ..., still_running: _Optional[_Iterable[str]] = ...) -> None: ...

class WaitBatchRequest(_message.Message):
    __slots__ = ["batch_id", "timeout", "until_done"]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    UNTIL_DONE_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    timeout: _duration_pb2.Duration
    until_done: bool
    def __init__(self, batch_id: _Optional[str] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., until_done: bool = ...) -> None: ...

class WaitBatchResponse(_message.Message):
    __slots__ = ["report"]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: BatchReport
    def __init__(self, report: _Optional[_Union[BatchReport, _Mapping]] = ...) -> None: ...

class WatchActionsRequest(_message.Message):
    __slots__ = ["include_present"]
    INCLUDE_PRESENT_FIELD_NUMBER: _ClassVar[int]
    include_present: bool
    def __init__(self, include_present: bool = ...) -> None: ...

class WatchActionsResponse(_message.Message):
    __slots__ = ["reports"]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[ActionReport]
    def __init__(self, reports: _Optional[_Iterable[_Union[ActionReport, _Mapping]]] = ...) -> None: ...

class Xrun(_message.Message):
    __slots__ = ["earliest_frame", "flagged", "frame", "latest_frame", "lost_frames", "lost_frames_error", "side"]
    EARLIEST_FRAME_FIELD_NUMBER: _ClassVar[int]
    FLAGGED_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    LATEST_FRAME_FIELD_NUMBER: _ClassVar[int]
    LOST_FRAMES_ERROR_FIELD_NUMBER: _ClassVar[int]
    LOST_FRAMES_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    earliest_frame: int
    flagged: bool
    frame: int
    latest_frame: int
    lost_frames: int
    lost_frames_error: float
    side: XrunSide
    def __init__(self, frame: _Optional[int] = ..., side: _Optional[_Union[XrunSide, str]] = ..., lost_frames: _Optional[int] = ..., lost_frames_error: _Optional[float] = ..., flagged: bool = ..., earliest_frame: _Optional[int] = ..., latest_frame: _Optional[int] = ...) -> None: ...

class ActionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class ActionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class EndReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class Touched(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class XrunSide(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
