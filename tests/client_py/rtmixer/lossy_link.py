"""A TCP proxy behind a long and lossy cable: python lossy_link.py HOST:PORT ONE_WAY_SECONDS LOSS.

The two halves of the proxy are in network namespaces of this process' own, joined by a cable that
delivers every IP packet after the same delay or, by chance, never; so TCP sees what it would see
far away. Needs root. It prints the port that it listens on and ends with its standard input.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import fcntl
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN_WITHOUT_HEADER = 0x0001 | 0x1000
_ADDRESSES = ("10.77.0.1", "10.77.0.2")

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def make_end(index: int) -> tuple[int, int]:
    """Return a new namespace with one end of the cable, and the cable's end."""
    _checked(_libc.unshare(_CLONE_NEWNET))
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", b"cable", _IFF_TUN_WITHOUT_HEADER))
    for command in (
        ["link", "set", "lo", "up"],
        ["address", "add", f"{_ADDRESSES[index]}/24", "dev", "cable"],
        ["link", "set", "cable", "up"],
    ):
        subprocess.run(["ip", *command], check=True)
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY), tun


def carry_packets(tuns: list[int], delay_seconds: float, loss: float) -> None:
    """Be the cable."""
    chance = random.Random(1)
    packets: collections.deque[tuple[float, int, bytes]] = collections.deque()
    while True:
        wait = max(0.0, packets[0][0] - time.monotonic()) if packets else None
        for tun in select.select(tuns, [], [], wait)[0]:
            while True:
                try:
                    packet = os.read(tun, 1 << 16)
                except BlockingIOError:
                    break
                if chance.random() >= loss:
                    to = tuns[1] if tun == tuns[0] else tuns[0]
                    packets.append((time.monotonic() + delay_seconds, to, packet))
        while packets and packets[0][0] <= time.monotonic():
            _, to, packet = packets.popleft()
            with contextlib.suppress(BlockingIOError):  # one more lost packet
                os.write(to, packet)


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass on bytes until there are no more."""
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            sink.sendall(piece)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def join(near: socket.socket, namespace: int, target: tuple[str, int]) -> None:
    """Join a connection with one that is made in a namespace."""
    _checked(_libc.setns(namespace, _CLONE_NEWNET))
    far = socket.create_connection(target)
    for one in (near, far):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=pump, args=(near, far), daemon=True).start()
    pump(far, near)


def accept(listener: socket.socket, namespace: int, target: tuple[str, int]) -> None:
    """Join every connection that comes; none waits for another one's lost packets."""
    while True:
        near, _ = listener.accept()
        threading.Thread(target=join, args=(near, namespace, target), daemon=True).start()


def main() -> None:
    """Build it all and wait for the end of the standard input."""
    host, _, port = sys.argv[1].rpartition(":")
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    listener = socket.create_server(("127.0.0.1", 0))
    near, near_tun = make_end(0)
    _, far_tun = make_end(1)
    far_listener = socket.create_server((_ADDRESSES[1], 0))
    for target, args in (
        (carry_packets, ([near_tun, far_tun], float(sys.argv[2]), float(sys.argv[3]))),
        (accept, (listener, near, far_listener.getsockname())),
        (accept, (far_listener, home, (host, int(port)))),
    ):
        threading.Thread(target=target, args=args, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
