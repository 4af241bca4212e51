"""What programs for rtmixer use of sounddevice, for the devices of an rtmixd server.

The server is the one of `rtmixd.rtmixer.default`. There is no `play`, `rec`, `Stream` and so on:
`rtmixd.Session` has `play`, `rec`, `playrec` and streams.
"""

from __future__ import annotations

import operator as _operator
import os as _os
import time as _time
from collections.abc import Iterable
from numbers import Real as _Real
from typing import Any, Optional, Union

from rtmixd import _loop, _methods, errors
from rtmixd._rtmixer_settings import default as _settings
from rtmixd._security import Security as _Security
from rtmixd.aio._connection import DEVICE_SECONDS as _DEVICE_SECONDS
from rtmixd.aio._connection import Connection as _Connection
from rtmixd.v1 import device_pb2, server_info_pb2, stream_pb2

__all__ = [
    "DeviceList",
    "PortAudioError",
    "check_input_settings",
    "check_output_settings",
    "default",
    "get_portaudio_version",
    "query_devices",
    "query_hostapis",
    "sleep",
]

#: The version of sounddevice whose interface this is like.
__version__ = "0.5.6"

_SAMPLE_BYTES = {"float32": 4, "int32": 4, "int24": 3, "int16": 2, "int8": 1, "uint8": 1}
_PAGE = 1000
# PortAudio's codes, and what it says to them.
_UNANTICIPATED = -9999
_PORT_AUDIO_WORDS = {
    -9997: "Invalid sample rate",
    -9998: "Invalid number of channels",
    -9985: "Device unavailable",
}


class PortAudioError(Exception):
    """The server's sound device, or the server itself, refused.

    Attributes
    ----------
    args : tuple
        The text; then, where they are known, PortAudio's code; then the index of the host API and
        that host's own code and text.
    """

    def __str__(self) -> str:
        text = str(self.args[0]) if self.args else ""
        if len(self.args) > 1:
            text += f" [PaErrorCode {self.args[1]}]"
        if len(self.args) > 2:
            _, code, host_text = self.args[2]
            text += f": '{host_text}' [host error {code}]"
        return text


class _Pair:
    """A value for the input and one for the output; each may be left to whoever knows."""

    _INDICES = {"input": 0, "output": 1}  # noqa: RUF012

    def __init__(self, fallback: Any) -> None:
        self._fallback = fallback
        self._values: list[Any] = [None, None]

    def __getitem__(self, index: Union[int, str]) -> Any:
        position = self._INDICES.get(index, index) if isinstance(index, str) else index
        assert isinstance(position, int)
        value = self._values[position]
        return self._fallback()[position] if value is None else value

    def __setitem__(self, index: Union[int, str], value: Any) -> None:
        position = self._INDICES.get(index, index) if isinstance(index, str) else index
        assert isinstance(position, int)
        self._values[position] = value

    def __len__(self) -> int:
        return 2

    def __repr__(self) -> str:
        return f"[{self[0]!r}, {self[1]!r}]"


class _Default:
    """Defaults for streams and queries; see `default`."""

    _PAIRS = ("device", "channels", "dtype", "latency", "extra_settings")
    _SINGLES = (
        "samplerate",
        "blocksize",
        "clip_off",
        "dither_off",
        "never_drop_input",
        "prime_output_buffers_using_stream_callback",
    )

    device: Any
    channels: Any
    dtype: Any
    latency: Any
    extra_settings: Any
    samplerate: Any
    blocksize: Any
    clip_off: Any
    dither_off: Any
    never_drop_input: Any
    prime_output_buffers_using_stream_callback: Any

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Set all back to what they were at first."""
        state = vars(self)
        state["device"] = _Pair(_default_devices)
        state["channels"] = _Pair(lambda: (None, None))
        state["dtype"] = _Pair(lambda: ("float32", "float32"))
        state["latency"] = _Pair(lambda: ("high", "high"))
        state["extra_settings"] = _Pair(lambda: (None, None))
        state["samplerate"] = None
        state["blocksize"] = 0
        for name in self._SINGLES[2:]:
            state[name] = False

    @property
    def hostapi(self) -> int:
        """Index of the host API of the default devices."""
        apis = query_hostapis()
        for index, api in enumerate(apis):
            if api["default_output_device"] in tuple(self.device):
                return index
        return 0

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._PAIRS:
            vars(self)[name]._values[:] = split(value)
        elif name in self._SINGLES:
            vars(self)[name] = value
        else:
            raise AttributeError(f"'default' object has no attribute {name!r}")


class DeviceList(tuple[Any, ...]):
    """All devices, as dictionaries; shown one per line."""

    __slots__ = ()

    def __repr__(self) -> str:
        apis = query_hostapis()
        devices = _default_devices()
        lines = []
        for device in self:
            index = device["index"]
            mark = (" ", ">", "<", "*")[(index == devices[0]) + 2 * (index == devices[1])]
            lines.append(
                f"{mark} {index:{len(str(len(self)))}} {device['name']}, "
                f"{apis[device['hostapi']]['name']} ({device['max_input_channels']} in, "
                f"{device['max_output_channels']} out)"
            )
        return "\n".join(lines)


def query_devices(
    device: Union[int, str, tuple[Any, Any], None] = None, kind: Optional[str] = None
) -> Any:
    """Ask for the devices of the server's host.

    Parameters
    ----------
    device : int or str, optional
        Index, or parts of the name and host API in their order.
    kind : {'input', 'output'}, optional
        The default device of a direction.

    Returns
    -------
    dict or DeviceList
        One device if it was asked for, otherwise all. Keys: ``name``, ``index``, ``hostapi`` (an
        index), ``max_input_channels``, ``max_output_channels``, ``default_low_input_latency`` and
        the other three (seconds), ``default_samplerate`` (Hz).

    Raises
    ------
    ValueError
        If no device matches, or more than one, or it lacks the direction.
    PortAudioError
        If there is no device of that index, or the server cannot be reached.
    """
    if kind not in ("input", "output", None):
        raise ValueError(f"Invalid kind: {kind!r}")
    devices = _ask(_Directory.devices)
    if device is None and kind is None:
        return DeviceList(devices)
    index = find_device(device, kind)
    if not 0 <= index < len(devices):
        raise PortAudioError(f"Error querying device {index}")
    found = devices[index]
    if kind and found[f"max_{kind}_channels"] < 1:
        raise ValueError(f"Not an {kind} device: {found['name']!r}")
    return found


def query_hostapis(index: Optional[int] = None) -> Any:
    """Ask for the host APIs of the server's host.

    Parameters
    ----------
    index : int, optional
        Which.

    Returns
    -------
    dict or tuple of dict
        One, or all. Keys: ``name``, ``devices`` (indices), ``default_input_device`` and
        ``default_output_device`` (an index, or -1).

    Raises
    ------
    PortAudioError
        If there is none of that index, or the server cannot be reached.
    """
    apis = _ask(_Directory.host_apis)
    if index is None:
        return tuple(apis)
    index = _operator.index(index)
    if not 0 <= index < len(apis):
        raise PortAudioError(f"Error querying host API {index}")
    return apis[index]


def check_input_settings(
    device: Union[int, str, None] = None,
    channels: Optional[int] = None,
    dtype: Optional[str] = None,
    extra_settings: Any = None,
    samplerate: Optional[float] = None,
) -> None:
    """Find out whether a recording stream could be opened on the server.

    Parameters
    ----------
    device : int or str, optional
        Index or name.
    channels : int, optional
        How many.
    dtype : str, optional
        One that sounddevice knows; streams are float32.
    extra_settings : None
        There are none.
    samplerate : float, optional
        In Hz.

    Raises
    ------
    PortAudioError
        If it could not.
    ValueError
        If no device matches, or `dtype` is none.
    """
    _check_settings("input", device, channels, dtype, extra_settings, samplerate)


def check_output_settings(
    device: Union[int, str, None] = None,
    channels: Optional[int] = None,
    dtype: Optional[str] = None,
    extra_settings: Any = None,
    samplerate: Optional[float] = None,
) -> None:
    """Find out whether a playing stream could be opened on the server.

    See `check_input_settings`.
    """
    _check_settings("output", device, channels, dtype, extra_settings, samplerate)


def sleep(msec: float) -> None:
    """Wait for `msec` milliseconds."""
    _time.sleep(max(0.0, msec / 1000))


def get_portaudio_version() -> tuple[int, str]:
    """Say what stands in for PortAudio.

    Returns
    -------
    int
        The version of PortAudio whose interface this is like, 19.6.0 as 0x130600.
    str
        Which server it is.
    """
    return 0x130600, _ask(_Directory.version)


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"rtmixd.sounddevice has no {name!r}: of sounddevice it has what programs for rtmixer use; "
        "see rtmixd.Session for playing and recording arrays"
    )


# What rtmixd.rtmixer uses, too.


def split(value: Any) -> tuple[Any, Any]:
    """Return a value for the input and one for the output.

    Raises
    ------
    ValueError
        If it is neither one value nor a pair.
    """
    if isinstance(value, (str, bytes)):
        return value, value
    try:
        first, second = value
    except TypeError:
        return value, value
    except ValueError as error:
        text = f"Only single values and pairs are allowed, not {value!r}"
        raise ValueError(text) from error
    return first, second


def find_device(wanted: Any, kind: Optional[str]) -> int:
    """Return the index of the device that `wanted`, an index or a name, means.

    Raises
    ------
    ValueError
        If no device matches, or more than one.
    """
    if wanted is None:
        wanted = default.device
    sides = split(wanted)
    if kind is None:
        if sides[0] != sides[1]:
            text = f"Input and output device are different: {wanted!r}"
            raise ValueError(text)
        wanted = sides[0]
    else:
        wanted = sides[kind == "output"]
    if isinstance(wanted, int):
        return wanted
    apis = query_hostapis()
    matches: list[tuple[int, str]] = []
    exact: list[int] = []
    words = wanted.lower().split()
    for device in query_devices():
        if kind and device[f"max_{kind}_channels"] < 1:
            continue
        full = f"{device['name']}, {apis[device['hostapi']]['name']}"
        if not _contains_in_order(full.lower(), words):
            continue
        matches.append((device["index"], full))
        if wanted.lower() in (device["name"].lower(), full.lower()):
            exact.append(device["index"])
    what = kind or "input/output"
    if not matches:
        raise ValueError(f"No {what} device matching {wanted!r}")
    if len(matches) == 1:
        return matches[0][0]
    if len(exact) == 1:
        return exact[0]
    lines = "\n".join(f"[{index}] {name}" for index, name in matches)
    raise ValueError(f"Multiple {what} devices found for {wanted!r}:\n{lines}")


def direction_settings(
    kind: str, device: Any, channels: Any, latency: Any, dtype: Any, extra_settings: Any
) -> tuple[device_pb2.DirectionSettings, Optional[int]]:
    """Return how to open a direction of a stream, and the index of its device if one was named."""
    side = kind == "output"
    channels = _one(channels, default.channels, side)
    dtype = _one(dtype, default.dtype, side)
    latency = _one(latency, default.latency, side)
    if _one(extra_settings, default.extra_settings, side) is not None:
        raise ValueError("there are no extra settings for a server's stream")
    if str(dtype) not in _SAMPLE_BYTES:
        raise ValueError(f"Invalid {kind} sample format")
    named = device if device is not None else default.device._values
    index = None
    if split(named)[side] is not None:
        index = query_devices(find_device(named, kind))["index"]
    settings = device_pb2.DirectionSettings()
    if index is not None:
        settings.device = str(index)
    if channels is not None:
        if channels < 1:
            raise PortAudioError("Invalid number of channels", -9998)
        settings.channels = channels
    if latency in ("low", "high"):
        settings.latency_class = (
            device_pb2.LATENCY_CLASS_LOW if latency == "low" else device_pb2.LATENCY_CLASS_HIGH
        )
    elif isinstance(latency, _Real):
        settings.latency_seconds = float(latency)
    else:
        raise TypeError(f"must be real number, not {type(latency).__name__}")
    return settings, index


def translate(error: errors.RtmixdError, doing: str = "") -> Exception:
    """Turn an error of the server into one that sounddevice might raise."""
    text = str(error)
    code = _UNANTICIPATED
    if isinstance(error, errors.DeviceError) and error.host_error_code:
        code = error.host_error_code
        text = error.host_error_text
    elif "sample_rate" in error.field:
        code = -9997
    elif error.field.endswith("channels"):
        code = -9998
    elif isinstance(error, (errors.Busy, errors.Disconnected, errors.NoStream)):
        code = -9985
    words = _PORT_AUDIO_WORDS.get(code, "")
    if not text.startswith(words):
        text = f"{words}: {text}"
    return PortAudioError(f"{doing}: {text}" if doing else text, code)


def _one(value: Any, fallback: Any, side: bool) -> Any:
    chosen = split(value)[side]
    return fallback[int(side)] if chosen is None else chosen


def _contains_in_order(text: str, words: Iterable[str]) -> bool:
    at = 0
    for word in words:
        at = text.find(word, at)
        if at < 0:
            return False
        at += len(word)
    return True


def _check_settings(
    kind: str, device: Any, channels: Any, dtype: Any, extra_settings: Any, samplerate: Any
) -> None:
    direction, _ = direction_settings(kind, device, channels, None, dtype, extra_settings)
    rate_hz = default.samplerate if samplerate is None else samplerate
    settings = device_pb2.StreamSettings(sample_rate_hz=rate_hz or 0)
    getattr(settings, kind).CopyFrom(direction)
    _ask(lambda directory: directory.check(settings))


def _default_devices() -> tuple[int, int]:
    """Return the indices of the devices that are used if none is named; -1 where there is none."""
    return _ask(_Directory.default_devices)  # type: ignore[no-any-return]


class _Directory:
    """Asks a server about its devices."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    async def _ask_device(self, method: Any, request: Any) -> Any:
        return await self._connection.call(method, request, timeout=_DEVICE_SECONDS, retry=True)

    async def _devices(self) -> list[device_pb2.Device]:
        devices: list[device_pb2.Device] = []
        token = ""
        while True:
            request = device_pb2.ListDevicesRequest(page_size=_PAGE, page_token=token)
            answer = await self._ask_device(_methods.LIST_DEVICES, request)
            devices += answer.devices
            token = answer.next_page_token
            if not token:
                return devices

    async def _host_apis(self) -> list[device_pb2.HostApi]:
        request = device_pb2.ListHostApisRequest()
        answer = await self._ask_device(_methods.LIST_HOST_APIS, request)
        return list(answer.host_apis)

    async def devices(self) -> list[dict[str, Any]]:
        apis = {api.id: index for index, api in enumerate(await self._host_apis())}
        return [
            {
                "name": one.name,
                "index": index,
                "hostapi": apis.get(one.host_api_id, 0),
                "max_input_channels": one.max_input_channels,
                "max_output_channels": one.max_output_channels,
                "default_low_input_latency": one.default_low_input_latency_seconds,
                "default_low_output_latency": one.default_low_output_latency_seconds,
                "default_high_input_latency": one.default_high_input_latency_seconds,
                "default_high_output_latency": one.default_high_output_latency_seconds,
                "default_samplerate": one.default_sample_rate_hz,
            }
            for index, one in enumerate(await self._devices())
        ]

    async def host_apis(self) -> list[dict[str, Any]]:
        devices = await self._devices()
        indices = {one.id: index for index, one in enumerate(devices)}
        return [
            {
                "name": api.name,
                "devices": [n for n, one in enumerate(devices) if one.host_api_id == api.id],
                "default_input_device": indices.get(api.default_input_device_id, -1),
                "default_output_device": indices.get(api.default_output_device_id, -1),
            }
            for api in await self._host_apis()
        ]

    async def default_devices(self) -> tuple[int, int]:
        """Those of the stream that is there, otherwise the first that any host API names."""
        request = stream_pb2.GetStreamRequest()
        stream = (await self._connection.call(_methods.GET_STREAM, request, retry=True)).stream
        found = [-1, -1]
        if stream.HasField("input_device"):
            found[0] = stream.input_device.index
        if stream.HasField("output_device"):
            found[1] = stream.output_device.index
        for api in await self.host_apis():
            for side, name in enumerate(("default_input_device", "default_output_device")):
                if found[side] < 0:
                    found[side] = api[name]
        return found[0], found[1]

    async def check(self, settings: Any) -> None:
        request = device_pb2.CheckSettingsRequest(settings=settings)
        await self._ask_device(_methods.CHECK_SETTINGS, request)

    async def version(self) -> str:
        request = server_info_pb2.GetServerInfoRequest()
        info = await self._connection.call(_methods.GET_SERVER_INFO, request, retry=True)
        return f"rtmixd {info.server_version} on {info.host_name}"


# One connection for all questions to a server.
_connections: dict[str, _Connection] = {}
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_connections.clear)


async def _answer(question: Any, target: Optional[str]) -> Any:
    connection = _Connection(target, security=_Security.of())
    if connection.target in _connections:
        connection = _connections[connection.target]
    else:
        _connections[connection.target] = connection
        _loop.close_at_exit(connection)
    return await question(_Directory(connection))


def _ask(question: Any) -> Any:
    try:
        return _loop.run(_answer(question, _settings.target))
    except errors.RtmixdError as error:
        raise translate(error) from error


default = _Default()
