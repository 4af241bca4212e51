"""A TCP proxy whose bytes arrive late: python slow_proxy.py HOST:PORT ONE_WAY_SECONDS.

It prints the port that it listens on and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import collections
import os
import socket
import sys


async def carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_seconds: float
) -> None:
    """Pass on what comes, each piece after the same delay."""
    loop = asyncio.get_running_loop()
    pieces: collections.deque[tuple[float, bytes]] = collections.deque()
    more = asyncio.Event()

    async def deliver() -> None:
        while True:
            while not pieces:
                more.clear()
                await more.wait()
            due, piece = pieces.popleft()
            await asyncio.sleep(due - loop.time())
            if not piece:
                writer.close()
                return
            writer.write(piece)
            await writer.drain()

    delivery = loop.create_task(deliver())
    try:
        piece = b"-"
        while piece:
            piece = await reader.read(1 << 16)
            pieces.append((loop.time() + delay_seconds, piece))
            more.set()
        await delivery
    except OSError:
        delivery.cancel()
        writer.close()


async def serve(target: str, delay_seconds: float) -> None:
    """Listen until the standard input ends."""
    host, _, port = target.rpartition(":")

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        for one in (writer, far_writer):
            connection = one.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(
            carry(reader, far_writer, delay_seconds),
            carry(far_reader, writer, delay_seconds),
            return_exceptions=True,
        )

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    os._exit(0)  # connections that are still open are of no interest


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], float(sys.argv[2])))
