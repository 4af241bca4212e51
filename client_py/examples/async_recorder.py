#!/usr/bin/env python3
"""Record into a file of any length, with asyncio, and show the level meanwhile.

async_recorder.py take.wav --inputs 1 2          # until Ctrl-C
"""

import argparse
import asyncio
import signal
import sys

import numpy as np
import soundfile

import rtmixd.aio


async def record(args: argparse.Namespace) -> int:
    async with rtmixd.aio.Client(args.target) as client:
        rate_hz = (await client.stream()).sample_rate_hz
        frames = None if args.seconds is None else round(args.seconds * rate_hz)
        async with client.session(label="async_recorder") as session:
            recorder = await session.open_record(args.inputs, frames=frames)
            # Ctrl-C ends the recording; what is on its way is still written.
            asyncio.get_running_loop().add_signal_handler(
                signal.SIGINT, lambda: asyncio.ensure_future(recorder.stop())
            )
            meter = asyncio.create_task(show_level(client, args.inputs))
            with soundfile.SoundFile(
                args.file, "w", round(rate_hz), len(args.inputs), subtype="FLOAT"
            ) as file:
                async for samples in recorder:
                    # Writing may take its time; the stream is read on meanwhile.
                    await asyncio.to_thread(file.write, samples)
            meter.cancel()
            report = await recorder.wait()
    print(f"\n{args.file}: {report}")
    return 0 if report.ok else 1


async def show_level(client: rtmixd.aio.Client, inputs: list) -> None:
    async for levels in client.meters(interval=0.2):
        peak = max(levels.inputs[i - 1].peak for i in inputs)
        print(f"\rpeak {20 * np.log10(max(peak, 1e-6)):6.1f} dB", end="", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="WAV to write")
    parser.add_argument("--target", help="HOST[:PORT]; default: RTMIXD_TARGET, otherwise this host")
    parser.add_argument("--inputs", type=int, nargs="+", default=[1])
    parser.add_argument("--seconds", type=float, help="how long; default: until Ctrl-C")
    return asyncio.run(record(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
