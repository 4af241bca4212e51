from rtmixd.v1 import action_pb2 as _action_pb2
from rtmixd.v1 import common_pb2 as _common_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DuplexConfig(_message.Message):
    __slots__ = ["align_at_converters", "play", "record"]
    ALIGN_AT_CONVERTERS_FIELD_NUMBER: _ClassVar[int]
    PLAY_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    align_at_converters: bool
    play: PlayConfig
    record: RecordConfig
    def __init__(self, play: _Optional[_Union[PlayConfig, _Mapping]] = ..., record: _Optional[_Union[RecordConfig, _Mapping]] = ..., align_at_converters: bool = ...) -> None: ...

class DuplexOpened(_message.Message):
    __slots__ = ["play", "record"]
    PLAY_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    play: PlayOpened
    record: RecordOpened
    def __init__(self, play: _Optional[_Union[PlayOpened, _Mapping]] = ..., record: _Optional[_Union[RecordOpened, _Mapping]] = ...) -> None: ...

class DuplexRequest(_message.Message):
    __slots__ = ["audio", "config", "end_of_sound", "flush", "grant", "idle", "stop"]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    END_OF_SOUND_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    IDLE_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    audio: _common_pb2.AudioChunk
    config: DuplexConfig
    end_of_sound: EndOfSound
    flush: Flush
    grant: Grant
    idle: Idle
    stop: StopRecording
    def __init__(self, config: _Optional[_Union[DuplexConfig, _Mapping]] = ..., audio: _Optional[_Union[_common_pb2.AudioChunk, _Mapping]] = ..., flush: _Optional[_Union[Flush, _Mapping]] = ..., idle: _Optional[_Union[Idle, _Mapping]] = ..., end_of_sound: _Optional[_Union[EndOfSound, _Mapping]] = ..., grant: _Optional[_Union[Grant, _Mapping]] = ..., stop: _Optional[_Union[StopRecording, _Mapping]] = ...) -> None: ...

class DuplexResponse(_message.Message):
    __slots__ = ["audio", "gap", "opened", "play_progress", "play_report", "record_progress", "record_report"]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    PLAY_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PLAY_REPORT_FIELD_NUMBER: _ClassVar[int]
    RECORD_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RECORD_REPORT_FIELD_NUMBER: _ClassVar[int]
    audio: _common_pb2.AudioChunk
    gap: _action_pb2.Gap
    opened: DuplexOpened
    play_progress: PlayProgress
    play_report: _action_pb2.ActionReport
    record_progress: RecordProgress
    record_report: _action_pb2.ActionReport
    def __init__(self, opened: _Optional[_Union[DuplexOpened, _Mapping]] = ..., audio: _Optional[_Union[_common_pb2.AudioChunk, _Mapping]] = ..., gap: _Optional[_Union[_action_pb2.Gap, _Mapping]] = ..., play_progress: _Optional[_Union[PlayProgress, _Mapping]] = ..., record_progress: _Optional[_Union[RecordProgress, _Mapping]] = ..., play_report: _Optional[_Union[_action_pb2.ActionReport, _Mapping]] = ..., record_report: _Optional[_Union[_action_pb2.ActionReport, _Mapping]] = ...) -> None: ...

class EndOfSound(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Flush(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Grant(_message.Message):
    __slots__ = ["granted_position"]
    GRANTED_POSITION_FIELD_NUMBER: _ClassVar[int]
    granted_position: int
    def __init__(self, granted_position: _Optional[int] = ...) -> None: ...

class Idle(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class PlayConfig(_message.Message):
    __slots__ = ["channel_map", "channels", "fade_in", "fade_out", "gain", "late_policy", "max_frames", "prebuffer_frames", "reattach_action_id", "reattachable", "ring_frames", "sample_format", "start", "underrun_policy", "xrun_policy"]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_MAP_FIELD_NUMBER: _ClassVar[int]
    FADE_IN_FIELD_NUMBER: _ClassVar[int]
    FADE_OUT_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    LATE_POLICY_FIELD_NUMBER: _ClassVar[int]
    MAX_FRAMES_FIELD_NUMBER: _ClassVar[int]
    PREBUFFER_FRAMES_FIELD_NUMBER: _ClassVar[int]
    REATTACHABLE_FIELD_NUMBER: _ClassVar[int]
    REATTACH_ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    RING_FRAMES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    UNDERRUN_POLICY_FIELD_NUMBER: _ClassVar[int]
    XRUN_POLICY_FIELD_NUMBER: _ClassVar[int]
    channel_map: _common_pb2.ChannelMap
    channels: int
    fade_in: _common_pb2.Fade
    fade_out: _common_pb2.Fade
    gain: float
    late_policy: _common_pb2.LatePolicy
    max_frames: int
    prebuffer_frames: int
    reattach_action_id: str
    reattachable: bool
    ring_frames: int
    sample_format: _common_pb2.SampleFormat
    start: _common_pb2.Start
    underrun_policy: _common_pb2.UnderrunPolicy
    xrun_policy: _common_pb2.XrunPolicy
    def __init__(self, channels: _Optional[int] = ..., sample_format: _Optional[_Union[_common_pb2.SampleFormat, str]] = ..., start: _Optional[_Union[_common_pb2.Start, _Mapping]] = ..., late_policy: _Optional[_Union[_common_pb2.LatePolicy, str]] = ..., underrun_policy: _Optional[_Union[_common_pb2.UnderrunPolicy, str]] = ..., xrun_policy: _Optional[_Union[_common_pb2.XrunPolicy, str]] = ..., gain: _Optional[float] = ..., channel_map: _Optional[_Union[_common_pb2.ChannelMap, _Mapping]] = ..., ring_frames: _Optional[int] = ..., prebuffer_frames: _Optional[int] = ..., reattachable: bool = ..., reattach_action_id: _Optional[str] = ..., fade_in: _Optional[_Union[_common_pb2.Fade, _Mapping]] = ..., fade_out: _Optional[_Union[_common_pb2.Fade, _Mapping]] = ..., max_frames: _Optional[int] = ...) -> None: ...

class PlayOpened(_message.Message):
    __slots__ = ["action_id", "granted_position", "next_position", "stream_id"]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    GRANTED_POSITION_FIELD_NUMBER: _ClassVar[int]
    NEXT_POSITION_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    action_id: str
    granted_position: int
    next_position: int
    stream_id: str
    def __init__(self, action_id: _Optional[str] = ..., next_position: _Optional[int] = ..., granted_position: _Optional[int] = ..., stream_id: _Optional[str] = ...) -> None: ...

class PlayProgress(_message.Message):
    __slots__ = ["done", "granted_position", "next_frame", "played_position", "received_position", "start_frame", "underruns"]
    DONE_FIELD_NUMBER: _ClassVar[int]
    GRANTED_POSITION_FIELD_NUMBER: _ClassVar[int]
    NEXT_FRAME_FIELD_NUMBER: _ClassVar[int]
    PLAYED_POSITION_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_POSITION_FIELD_NUMBER: _ClassVar[int]
    START_FRAME_FIELD_NUMBER: _ClassVar[int]
    UNDERRUNS_FIELD_NUMBER: _ClassVar[int]
    done: bool
    granted_position: int
    next_frame: int
    played_position: int
    received_position: int
    start_frame: int
    underruns: int
    def __init__(self, granted_position: _Optional[int] = ..., received_position: _Optional[int] = ..., played_position: _Optional[int] = ..., next_frame: _Optional[int] = ..., underruns: _Optional[int] = ..., start_frame: _Optional[int] = ..., done: bool = ...) -> None: ...

class PlayRequest(_message.Message):
    __slots__ = ["audio", "config", "end_of_sound", "flush", "idle"]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    END_OF_SOUND_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FIELD_NUMBER: _ClassVar[int]
    IDLE_FIELD_NUMBER: _ClassVar[int]
    audio: _common_pb2.AudioChunk
    config: PlayConfig
    end_of_sound: EndOfSound
    flush: Flush
    idle: Idle
    def __init__(self, config: _Optional[_Union[PlayConfig, _Mapping]] = ..., audio: _Optional[_Union[_common_pb2.AudioChunk, _Mapping]] = ..., flush: _Optional[_Union[Flush, _Mapping]] = ..., idle: _Optional[_Union[Idle, _Mapping]] = ..., end_of_sound: _Optional[_Union[EndOfSound, _Mapping]] = ...) -> None: ...

class PlayResponse(_message.Message):
    __slots__ = ["opened", "progress", "report"]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    opened: PlayOpened
    progress: PlayProgress
    report: _action_pb2.ActionReport
    def __init__(self, opened: _Optional[_Union[PlayOpened, _Mapping]] = ..., progress: _Optional[_Union[PlayProgress, _Mapping]] = ..., report: _Optional[_Union[_action_pb2.ActionReport, _Mapping]] = ...) -> None: ...

class RecordConfig(_message.Message):
    __slots__ = ["channel_map", "chunk_frames", "frames", "granted_position", "late_policy", "reattach_action_id", "reattachable", "resume_position", "sample_format", "source", "start"]
    CHANNEL_MAP_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FRAMES_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    GRANTED_POSITION_FIELD_NUMBER: _ClassVar[int]
    LATE_POLICY_FIELD_NUMBER: _ClassVar[int]
    REATTACHABLE_FIELD_NUMBER: _ClassVar[int]
    REATTACH_ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    RESUME_POSITION_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    channel_map: _common_pb2.ChannelMap
    chunk_frames: int
    frames: int
    granted_position: int
    late_policy: _common_pb2.LatePolicy
    reattach_action_id: str
    reattachable: bool
    resume_position: int
    sample_format: _common_pb2.SampleFormat
    source: _common_pb2.RecordSource
    start: _common_pb2.Start
    def __init__(self, sample_format: _Optional[_Union[_common_pb2.SampleFormat, str]] = ..., start: _Optional[_Union[_common_pb2.Start, _Mapping]] = ..., late_policy: _Optional[_Union[_common_pb2.LatePolicy, str]] = ..., frames: _Optional[int] = ..., channel_map: _Optional[_Union[_common_pb2.ChannelMap, _Mapping]] = ..., source: _Optional[_Union[_common_pb2.RecordSource, str]] = ..., chunk_frames: _Optional[int] = ..., granted_position: _Optional[int] = ..., reattachable: bool = ..., reattach_action_id: _Optional[str] = ..., resume_position: _Optional[int] = ...) -> None: ...

class RecordOpened(_message.Message):
    __slots__ = ["action_id", "channels", "next_position", "sample_rate_hz", "start_frame", "stream_id"]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_POSITION_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    START_FRAME_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    action_id: str
    channels: int
    next_position: int
    sample_rate_hz: float
    start_frame: int
    stream_id: str
    def __init__(self, action_id: _Optional[str] = ..., channels: _Optional[int] = ..., next_position: _Optional[int] = ..., stream_id: _Optional[str] = ..., sample_rate_hz: _Optional[float] = ..., start_frame: _Optional[int] = ...) -> None: ...

class RecordProgress(_message.Message):
    __slots__ = ["end_position", "next_frame", "recorded_position", "sent_position", "start_frame"]
    END_POSITION_FIELD_NUMBER: _ClassVar[int]
    NEXT_FRAME_FIELD_NUMBER: _ClassVar[int]
    RECORDED_POSITION_FIELD_NUMBER: _ClassVar[int]
    SENT_POSITION_FIELD_NUMBER: _ClassVar[int]
    START_FRAME_FIELD_NUMBER: _ClassVar[int]
    end_position: int
    next_frame: int
    recorded_position: int
    sent_position: int
    start_frame: int
    def __init__(self, recorded_position: _Optional[int] = ..., sent_position: _Optional[int] = ..., next_frame: _Optional[int] = ..., start_frame: _Optional[int] = ..., end_position: _Optional[int] = ...) -> None: ...

class RecordRequest(_message.Message):
    __slots__ = ["config", "grant", "stop"]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    config: RecordConfig
    grant: Grant
    stop: StopRecording
    def __init__(self, config: _Optional[_Union[RecordConfig, _Mapping]] = ..., grant: _Optional[_Union[Grant, _Mapping]] = ..., stop: _Optional[_Union[StopRecording, _Mapping]] = ...) -> None: ...

class RecordResponse(_message.Message):
    __slots__ = ["audio", "gap", "opened", "progress", "report"]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    audio: _common_pb2.AudioChunk
    gap: _action_pb2.Gap
    opened: RecordOpened
    progress: RecordProgress
    report: _action_pb2.ActionReport
    def __init__(self, opened: _Optional[_Union[RecordOpened, _Mapping]] = ..., audio: _Optional[_Union[_common_pb2.AudioChunk, _Mapping]] = ..., gap: _Optional[_Union[_action_pb2.Gap, _Mapping]] = ..., progress: _Optional[_Union[RecordProgress, _Mapping]] = ..., report: _Optional[_Union[_action_pb2.ActionReport, _Mapping]] = ...) -> None: ...

class StopRecording(_message.Message):
    __slots__ = ["frame"]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: int
    def __init__(self, frame: _Optional[int] = ...) -> None: ...

class StreamRecordingRequest(_message.Message):
    __slots__ = ["config"]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: RecordConfig
    def __init__(self, config: _Optional[_Union[RecordConfig, _Mapping]] = ...) -> None: ...

class StreamRecordingResponse(_message.Message):
    __slots__ = ["audio", "gap", "opened", "progress", "report"]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    audio: _common_pb2.AudioChunk
    gap: _action_pb2.Gap
    opened: RecordOpened
    progress: RecordProgress
    report: _action_pb2.ActionReport
    def __init__(self, opened: _Optional[_Union[RecordOpened, _Mapping]] = ..., audio: _Optional[_Union[_common_pb2.AudioChunk, _Mapping]] = ..., gap: _Optional[_Union[_action_pb2.Gap, _Mapping]] = ..., progress: _Optional[_Union[RecordProgress, _Mapping]] = ..., report: _Optional[_Union[_action_pb2.ActionReport, _Mapping]] = ...) -> None: ...
