"""The mixing loop, in the cache and from main memory."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import mix_probe
from bench_context import Bench
from bench_table import Figure, Row, interleave, median_ratio

TARGETS = ("//tests/benchmark:libmix_probe.so",)

UNIT = "ns/sample/voice"
RIVAL = "rtmixer"
# Many times the caches of a machine of today.
MEMORY_BYTES = 512 << 20
# Of a sound that all voices share: a few tens of milliseconds, which stay in the nearest cache.
SHORT_SOUND_FRAMES = 2048
# Of one measurement: short beside the slices of a scheduler, so that most see none of it.
CHUNK_NANOS = 1e6
ROUNDS = 150


@dataclasses.dataclass(frozen=True)
class Setup:
    """What sounds.

    Parameters
    ----------
    name : str
        Of the channel maps.
    outputs : int
    channel_maps : sequence of sequence of int
        Of the voices that play one sound together, counted from 1.
    voices : int
        How many of them in all.
    block_frames : int
    """

    name: str
    outputs: int
    channel_maps: Sequence[Sequence[int]]
    voices: int
    block_frames: int

    @property
    def channels(self) -> int:
        """Of each voice."""
        return len(self.channel_maps[0])

    @property
    def samples(self) -> int:
        """How many samples a block adds up."""
        return self.voices * self.channels * self.block_frames

    def map_of(self, voice: int) -> Sequence[int]:
        """Return the channel map of a voice."""
        return self.channel_maps[voice % len(self.channel_maps)]

    def sound_of(self, voice: int) -> int:
        """Return which sound a voice plays."""
        return voice // len(self.channel_maps)

    def __str__(self) -> str:
        return f"{self.voices} voices, blocks of {self.block_frames}, {self.name}"


def stereo(voices: int, block_frames: int) -> Setup:
    """Return stereo voices on a stereo device."""
    return Setup("same map", 2, ((1, 2),), voices, block_frames)


def channels(count: int, voices: int) -> Setup:
    """Return voices of many channels on a device of as many."""
    return Setup(f"{count} channels", count, (range(1, count + 1),), voices, 64)


_SETUPS = (
    *(stereo(voices, block) for voices in (1, 64, 256, 1000) for block in (64, 256)),
    Setup("swapped map", 2, ((2, 1),), 64, 64),
    Setup("mono to all", 2, ((1,), (2,)), 64, 64),
    channels(8, 64),
    channels(64, 64),
)


def our_mixer(
    library: ctypes.CDLL, setup: Setup, sound_frames: int, shared: bool
) -> mix_probe.OurMixer:
    """Make our mixer, in which everything sounds, of one sound or of sounds of their own."""
    ours = mix_probe.OurMixer(library, setup.outputs, setup.block_frames, setup.voices)
    sounds: list[int] = []
    for voice in range(setup.voices):
        sound = 0 if shared else setup.sound_of(voice)
        if sound == len(sounds):
            sounds.append(ours.add_sound(setup.channels, sound_frames))
        ours.add_voice(sounds[sound], setup.map_of(voice), mix_probe.stagger(setup.sound_of(voice)))
    ours.submit()
    ours.run(8)
    return ours


def rival_mixer(
    library: ctypes.CDLL, setup: Setup, sound_frames: int, shared: bool
) -> mix_probe.RivalMixer:
    """Make the original's mixer, in which the same sounds."""
    rival = mix_probe.RivalMixer(library, setup.outputs, setup.block_frames)
    length = sound_frames * setup.channels
    sounds = 1 if shared else setup.sound_of(setup.voices - 1) + 1
    memory = mix_probe.floats(length * sounds)
    parts = [memory[i * length : (i + 1) * length] for i in range(sounds)]
    rival.add_actions(
        [
            (
                parts[0 if shared else setup.sound_of(voice)],
                mix_probe.stagger(setup.sound_of(voice)) * setup.channels,
            )
            for voice in range(setup.voices)
        ],
        [setup.map_of(voice) for voice in range(setup.voices)],
    )
    rival.run(1)
    return rival


def memory_frames(setup: Setup) -> int:
    """Return how long the sounds are that fill MEMORY_BYTES together."""
    sounds = setup.sound_of(setup.voices - 1) + 1
    return MEMORY_BYTES // 4 // setup.channels // sounds


def chunk(run: Callable[[int], float], samples: int) -> Callable[[], float]:
    """Return what measures some blocks, as time per sample."""
    blocks = mix_probe.blocks_lasting(run, CHUNK_NANOS)
    return lambda: run(blocks) / samples


def cached(bench: Bench) -> Iterator[Row]:
    """Voices that loop over one short sound: our mixer and the original's callback."""
    library = mix_probe.load(bench.bin)
    for setup in _SETUPS:
        ours = our_mixer(library, setup, SHORT_SOUND_FRAMES, shared=True)
        rival = rival_mixer(library, setup, SHORT_SOUND_FRAMES, shared=True)
        values = interleave(
            {
                "ours": chunk(ours.run, setup.samples),
                "rival": chunk(rival.run, setup.samples),
            },
            bench.rounds(ROUNDS),
        )
        ours.close()
        times = median_ratio(values["rival"], values["ours"])
        yield Row(
            "mixing in the cache",
            str(setup),
            UNIT,
            Figure.of(values["ours"]),
            "at least 12 times faster",
            times >= 12,
            RIVAL,
            Figure.of(values["rival"]),
            times,
        )


def from_memory(bench: Bench) -> Iterator[Row]:
    """Voices with long sounds of their own: the original's callback, and plain reading."""
    library = mix_probe.load(bench.bin)
    plain = mix_probe.ReadAdd(library, MEMORY_BYTES // 4)
    for setup in _SETUPS:
        sound_frames = memory_frames(setup)
        ours = our_mixer(library, setup, sound_frames, shared=False)
        rival = rival_mixer(library, setup, sound_frames, shared=False)
        measure_ours = chunk(ours.run, setup.samples)
        values = interleave(
            {
                "ours": measure_ours,
                "rival": chunk(rival.run, setup.samples),
                "plain": lambda: plain.run(1 << 22 >> 2),
            },
            bench.rounds(ROUNDS),
        )
        ours.close()
        figure = Figure.of(values["ours"])
        least = 5 if setup.voices >= 1000 else 4
        times = median_ratio(values["rival"], values["ours"])
        yield Row(
            "mixing from main memory",
            str(setup),
            UNIT,
            figure,
            f"at least {least} times faster",
            times >= least,
            RIVAL,
            Figure.of(values["rival"]),
            times,
        )
        share = median_ratio(values["plain"], values["ours"])
        yield Row(
            "mixing from main memory",
            str(setup),
            UNIT,
            figure,
            "at least 0.85 of its bandwidth",
            share >= 0.85,
            "read and add",
            Figure.of(values["plain"]),
            share,
        )


CASES = {"mix-cached": cached, "mix-memory": from_memory}
