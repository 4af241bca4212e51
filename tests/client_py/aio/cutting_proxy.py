"""A TCP proxy that cuts, silences, or slows down the connections through it."""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType
from typing import Optional


class CuttingProxy:
    """Stands between a client and a server on the loopback interface.

    Parameters
    ----------
    target
        The server, "127.0.0.1:40123".
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._host, self._port = host, int(port)
        self._server: Optional[asyncio.Server] = None
        self._links: set[_Link] = set()
        self._server_told = asyncio.Event()
        self._server_told.set()
        self._cuts_after: list[int] = []
        self.cuts = 0
        self._silence_after: Optional[int] = None
        self._bytes_per_second: Optional[float] = None
        self._lost: frozenset[int] = frozenset()
        self.target = ""
        self.connections = 0

    async def __aenter__(self) -> CuttingProxy:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.target = f"127.0.0.1:{port}"
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.refuse()
        self.tell_server(True)
        self.cut()

    def redirect(self, target: str) -> None:
        """Lead new connections to another server."""
        host, _, port = target.rpartition(":")
        self._host, self._port = host, int(port)

    def cut(self) -> None:
        """Reset all connections; new ones are welcome."""
        for link in list(self._links):
            link.cut()

    def tell_server(self, told: bool) -> None:
        """Let the server hear of cuts, as it does by default.

        Otherwise the client alone does, and the server keeps the connection, on which nothing comes
        any more, until this is true again.
        """
        if told:
            self._server_told.set()
        else:
            self._server_told.clear()

    def cut_after(self, *sizes: int) -> None:
        """Reset all connections once so many more bytes have passed, in whatever message.

        Further sizes count from the cut before; `cuts` counts the cuts.
        """
        self._cuts_after = list(sizes)

    def silence(self) -> None:
        """Let nothing pass on the present connections any more; new ones work."""
        for link in self._links:
            link.silent = True

    def silence_answers(self) -> None:
        """As `silence`, but what the client says still passes."""
        for link in self._links:
            link.answers_silent = True

    def silence_after(self, size: int) -> None:
        """Silence all present connections once so many more bytes have passed."""
        self._silence_after = size

    def throttle(self, bytes_per_second: float) -> None:
        """Let no connection carry more, each way."""
        self._bytes_per_second = bytes_per_second

    def lose(self, *numbers: int) -> None:
        """Let nothing pass on these connections, counted from 1, as when the network loses them."""
        self._lost = frozenset(numbers)

    async def refuse(self) -> None:
        """Take no new connections any more."""
        assert self._server is not None
        self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, far_writer, self._server_told)
        link.silent = self.connections in self._lost
        self._links.add(link)
        try:
            await asyncio.gather(
                self._carry(link, reader, far_writer), self._carry(link, far_reader, writer)
            )
        finally:
            link.cut()
            self._links.discard(link)

    async def _carry(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while True:
                piece = await reader.read(1 << 16)
                if not piece:
                    link.cut()
                    return
                if link.silent or (link.answers_silent and writer is link.near):
                    continue
                if self._cuts_after:
                    self._cuts_after[0] -= len(piece)
                    if self._cuts_after[0] <= 0:
                        writer.write(piece[: self._cuts_after.pop(0) or len(piece)])
                        self.cuts += 1
                        self.cut()
                        return
                if self._silence_after is not None:
                    self._silence_after -= len(piece)
                    if self._silence_after <= 0:
                        writer.write(piece[: self._silence_after or len(piece)])
                        self._silence_after = None
                        self.silence()
                        continue
                if self._bytes_per_second is not None:
                    await asyncio.sleep(len(piece) / self._bytes_per_second)
                writer.write(piece)
                await writer.drain()
        except OSError:
            link.cut()


class _Link:
    def __init__(
        self, near: asyncio.StreamWriter, far: asyncio.StreamWriter, server_told: asyncio.Event
    ) -> None:
        self.silent = False
        self.answers_silent = False
        self.near, self._far = near, far
        self._server_told = server_told
        self._telling: Optional[asyncio.Task[None]] = None
        for writer in (near, far):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def cut(self) -> None:
        self.near.transport.abort()
        if self._server_told.is_set():
            self._far.transport.abort()
        elif self._telling is None:
            self._telling = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        await self._server_told.wait()
        self._far.transport.abort()
