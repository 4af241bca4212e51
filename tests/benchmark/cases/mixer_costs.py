"""What gains, fades, waiting actions and large batches cost the mixer, beside its plain mix."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import mix_probe
import numpy as np
from bench_context import Bench
from bench_table import Figure, Row, interleave, median_ratio

from cases import mixing

TARGETS = mixing.TARGETS

BLOCK_FRAMES = 64
VOICES = 64
# A fade that goes on while it is measured.
LONG_FADE_FRAMES = 1 << 40
PENDING = (0, 1000, 100_000, 1_000_000)
BATCH_ACTIONS = 10_000
PERIOD_NANOS = BLOCK_FRAMES / mix_probe.RATE_HZ * 1e9


def _voices(
    library: ctypes.CDLL,
    sound_frames: int,
    shared: bool,
    gain: float,
    fade_frames: int,
    shape: int,
    in_step: bool = False,
) -> mix_probe.OurMixer:
    ours = mix_probe.OurMixer(library, 2, BLOCK_FRAMES, VOICES)
    sound = ours.add_sound(2, sound_frames)
    for voice in range(VOICES):
        if voice > 0 and not shared:
            sound = ours.add_sound(2, sound_frames)
        # Fades of one length, which begin together, are one fade.
        length = fade_frames + (voice if fade_frames and not in_step else 0)
        ours.add_voice(sound, (1, 2), mix_probe.stagger(voice), gain, length, shape)
    ours.submit()
    ours.run(8)
    return ours


def gains(bench: Bench) -> Iterator[Row]:
    """Voices with a gain, and voices in the midst of a fade, beside the plain mix."""
    library = mix_probe.load(bench.bin)
    samples = VOICES * 2 * BLOCK_FRAMES
    long = LONG_FADE_FRAMES
    for where, sound_frames, shared in (
        ("in the cache", mixing.SHORT_SOUND_FRAMES, True),
        ("from main memory", mixing.MEMORY_BYTES // 8 // VOICES, False),
    ):
        mixers = {
            "plain": _voices(library, sound_frames, shared, 1.0, 0, 0),
            "with a gain": _voices(library, sound_frames, shared, 0.3, 0, 0),
            "with linear fades of their own": _voices(library, sound_frames, shared, 0.9, long, 0),
            "with equal-power fades of their own": _voices(
                library, sound_frames, shared, 0.9, long, 1
            ),
            "with a linear fade in step": _voices(
                library, sound_frames, shared, 0.9, long, 0, in_step=True
            ),
            "with an equal-power fade in step": _voices(
                library, sound_frames, shared, 0.9, long, 1, in_step=True
            ),
        }
        chunks = {name: mixing.chunk(mixer.run, samples) for name, mixer in mixers.items()}
        values = interleave(chunks, bench.rounds(mixing.ROUNDS))
        for mixer in mixers.values():
            mixer.close()
        for name, figures in values.items():
            if name == "plain":
                continue
            ratio = median_ratio(figures, values["plain"])
            yield Row(
                f"mixing {name}",
                f"{VOICES} voices, blocks of {BLOCK_FRAMES}, {where}",
                mixing.UNIT,
                Figure.of(figures),
                "at most 1.3 of plain",
                ratio <= 1.3,
                "our plain mix",
                Figure.of(values["plain"]),
                ratio,
            )


def pending(bench: Bench) -> Iterator[Row]:
    """One voice that sounds, and up to a million that wait: what a block costs."""
    library = mix_probe.load(bench.bin)
    counts = [count for count in PENDING if not bench.short or count <= 100_000]
    contenders = {}
    mixers = []
    for count in counts:
        ours = mix_probe.OurMixer(library, 2, BLOCK_FRAMES, count + 1)
        sound = ours.add_sound(2, mixing.SHORT_SOUND_FRAMES)
        ours.add_voice(sound, (1, 2), 0)
        ours.submit()
        ours.add_pending(sound, (1, 2), count)
        mixers.append(ours)
        contenders[f"ours {count}"] = mixing.chunk(ours.run, 1)
        rival = mix_probe.RivalMixer(library, 2, BLOCK_FRAMES)
        samples = mix_probe.floats(2 * mixing.SHORT_SOUND_FRAMES)
        rival.add_actions([(samples, 0)], [(1, 2)])
        rival.add_pending(samples, count)
        contenders[f"rival {count}"] = mixing.chunk(rival.run, 1)
    values = interleave(contenders, bench.rounds(100))
    for mixer in mixers:
        mixer.close()
    for count in counts:
        ratio = median_ratio(values[f"ours {count}"], values["ours 0"])
        yield Row(
            "one block",
            f"{count} pending",
            "ns",
            Figure.of(values[f"ours {count}"]),
            "at most 1.05 of none pending",
            ratio <= 1.05 if count else None,
            mixing.RIVAL,
            Figure.of(values[f"rival {count}"]),
            ratio,
        )


def _worst(repeats: list[np.ndarray]) -> Figure:
    """Return the figure of the block that costs most, by its median over the repeats."""
    blocks = np.array(repeats)
    worst = int(np.argmax(np.median(blocks, axis=0)))
    return Figure.of(blocks[:, worst] / 1000)


def batch(bench: Bench) -> Iterator[Row]:
    """A batch of ten thousand actions: the block that costs most while it is taken up."""
    library = mix_probe.load(bench.bin)
    quarter = PERIOD_NANOS / 4 / 1000

    def row(what: str, blocks: int, repeats: list[np.ndarray]) -> Row:
        figure = _worst(repeats)
        return Row(
            f"{BATCH_ACTIONS} actions",
            f"{what}, the worst of {blocks} blocks of {BLOCK_FRAMES}",
            "us",
            figure,
            f"at most {quarter:.0f} us, a quarter of the period",
            figure.median <= quarter,
        )

    for what, spacing_frames, blocks in (
        (
            "a batch taken up, a start on every frame",
            1,
            BATCH_ACTIONS // BLOCK_FRAMES + 8,
        ),
        ("a batch taken up, all start together", 0, 16),
    ):
        ours = mix_probe.OurMixer(library, 2, BLOCK_FRAMES, BATCH_ACTIONS)
        sound = ours.add_sound(1, BLOCK_FRAMES)
        repeats = []
        for _ in range(bench.rounds(15)):
            for i in range(BATCH_ACTIONS):
                ours.add_shot(sound, (1 + i % 2,), i * spacing_frames)
            ours.submit_now()
            repeats.append(ours.time_blocks(blocks))
            ours.poll()
        ours.close()
        yield row(what, blocks, repeats)

    ours = mix_probe.OurMixer(library, 2, BLOCK_FRAMES, BATCH_ACTIONS)
    sound = ours.add_sound(1, BLOCK_FRAMES)
    for i in range(BATCH_ACTIONS):
        ours.add_shot(sound, (1 + i % 2,), i)
    ours.submit(1 << 40)
    repeats = []
    blocks = 48
    for _ in range(bench.rounds(15)):
        ours.cancel_last()
        repeats.append(ours.time_blocks(blocks))
    ours.close()
    yield row("cancelled one by one", blocks, repeats)


CASES = {"mix-gains": gains, "mix-pending": pending, "mix-batch": batch}
