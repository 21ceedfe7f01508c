"""A proxy in front of a broker that breaks connections, truncates frames and loses responses."""

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random
from types import TracebackType
from typing import Self

SIZE = struct.Struct(">i")

REQUEST = struct.Struct(">hhi")
"""API key, version and correlation id at the start of a request."""

PORT = struct.Struct(">i")

LONGEST_DELAY = 0.3

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 seconds: closing the socket sends a reset."""


class CutError(OSError):
    """A fault of the proxy breaks a connection."""


class Proxy:
    """Passes frames between clients and one broker until the ``with`` block ends.

    Responses name the addresses of brokers. The proxy replaces the broker's port in them with its
    own port, so that clients keep using the proxy. (The port follows the host in all versions of
    these responses.)

    Parameters
    ----------
    broker
        Host and port of the broker.
    chances
        Probability of each fault by frame: "delay" a response, "reset" the connection before a
        request is forwarded, "truncate" a response, "lose" a response.
    certain
        Number of first responses that are lost for sure, by API key of Kafka.
    random
        Random generator of the faults.
    """

    def __init__(
        self, broker: str, chances: dict[str, float], certain: dict[int, int], random: Random
    ) -> None:
        host, _, port = broker.rpartition(":")
        self._broker = (host, int(port))
        self._chances = chances
        self._certain = Counter(certain)
        self._random = random
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: set[socket.socket] = set()
        self.faults: Counter[str] = Counter()

    @property
    def address(self) -> str:
        """Host and port that clients connect to."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.close()
        with self._lock:
            for connection in self._sockets:
                connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # the listener is closed
            try:
                broker = socket.create_connection(self._broker, timeout=5)
            except OSError:
                client.close()
                continue
            broker.settimeout(None)
            apis: dict[int, int] = {}
            pair = client, broker
            with self._lock:
                self._sockets.update(pair)
            for work in (self._forward_requests, self._forward_responses):
                threading.Thread(target=self._pump, args=(work, pair, apis), daemon=True).start()

    def _pump(
        self,
        work: Callable[[socket.socket, socket.socket, dict[int, int]], None],
        pair: tuple[socket.socket, socket.socket],
        apis: dict[int, int],
    ) -> None:
        with suppress(OSError):  # a peer or a fault closed the connection
            work(*pair, apis)
        for end in pair:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        with self._lock:
            self._sockets.difference_update(pair)

    def _forward_requests(
        self, client: socket.socket, broker: socket.socket, apis: dict[int, int]
    ) -> None:
        while True:
            frame = _read_frame(client)
            api, _, correlation = REQUEST.unpack_from(frame)
            apis[correlation] = api
            if self._strikes("reset"):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                raise CutError
            broker.sendall(SIZE.pack(len(frame)) + frame)

    def _forward_responses(
        self, client: socket.socket, broker: socket.socket, apis: dict[int, int]
    ) -> None:
        while True:
            frame = self._with_own_port(_read_frame(broker))
            api = apis.pop(SIZE.unpack_from(frame)[0], -1)
            if self._strikes("delay"):
                time.sleep(self._random.uniform(0, LONGEST_DELAY))
            if self._loses_for_sure(api) or self._strikes("lose"):
                raise CutError
            response = SIZE.pack(len(frame)) + frame
            if self._strikes("truncate"):
                client.sendall(response[: len(response) // 2])
                raise CutError
            client.sendall(response)

    def _strikes(self, fault: str) -> bool:
        with self._lock:
            strikes = self._random.random() < self._chances.get(fault, 0.0)
            self.faults[fault] += strikes
        return strikes

    def _loses_for_sure(self, api: int) -> bool:
        with self._lock:
            loses = self._certain[api] > 0
            self._certain[api] -= loses
            self.faults["lose"] += loses
        return loses

    def _with_own_port(self, frame: bytes) -> bytes:
        host, port = self._broker
        own = self._listener.getsockname()[1]
        return frame.replace(host.encode() + PORT.pack(port), host.encode() + PORT.pack(own))


def _read_frame(source: socket.socket) -> bytes:
    return _read_exactly(source, SIZE.unpack(_read_exactly(source, SIZE.size))[0])


def _read_exactly(source: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = source.recv(min(count, 1 << 16))
        if not part:
            raise CutError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
