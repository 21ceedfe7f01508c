"""A proxy before a broker that loses what passes: whole connections, parts of frames, answers."""

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
"""API key, version and correlation id, with which each request begins."""

PORT = struct.Struct(">i")

LONGEST_DELAY = 0.3

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: closing sends a reset."""


class CutError(OSError):
    """A connection is cut, on purpose."""


class Proxy:
    """Passes frames between clients and one broker until the ``with`` block ends.

    Brokers tell clients to which address to go on: where that is the broker's own, the proxy puts
    its port in place of the broker's, so that clients stay with it. (The port follows the host in
    each answer that names brokers, whatever its version.)

    Parameters
    ----------
    broker
        Host and port that clients would go to without it.
    chances
        How probable each fault is, for each frame: "delay" an answer, "reset" the connection before
        a request is passed on, "truncate" an answer, lose an answer whole ("lose").
    certain
        API keys of Kafka whose first answers are lost, and how many: a commit whose fate the
        client does not get to know.
    random
        Draws the faults.
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
        """What clients connect to."""
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
                return  # closed
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
            for work in (self._requests, self._answers):
                threading.Thread(target=self._pump, args=(work, pair, apis), daemon=True).start()

    def _pump(
        self,
        work: Callable[[socket.socket, socket.socket, dict[int, int]], None],
        pair: tuple[socket.socket, socket.socket],
        apis: dict[int, int],
    ) -> None:
        with suppress(OSError):  # one side, or a fault, ended it
            work(*pair, apis)
        for end in pair:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        with self._lock:
            self._sockets.difference_update(pair)

    def _requests(self, client: socket.socket, broker: socket.socket, apis: dict[int, int]) -> None:
        while True:
            frame = _frame(client)
            api, _, correlation = REQUEST.unpack_from(frame)
            apis[correlation] = api
            if self._strikes("reset"):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                raise CutError
            broker.sendall(SIZE.pack(len(frame)) + frame)

    def _answers(self, client: socket.socket, broker: socket.socket, apis: dict[int, int]) -> None:
        while True:
            frame = self._readdressed(_frame(broker))
            api = apis.pop(SIZE.unpack_from(frame)[0], -1)
            if self._strikes("delay"):
                time.sleep(self._random.uniform(0, LONGEST_DELAY))
            if self._lost_for_sure(api) or self._strikes("lose"):
                raise CutError
            whole = SIZE.pack(len(frame)) + frame
            if self._strikes("truncate"):
                client.sendall(whole[: len(whole) // 2])
                raise CutError
            client.sendall(whole)

    def _strikes(self, fault: str) -> bool:
        with self._lock:
            so = self._random.random() < self._chances.get(fault, 0.0)
            self.faults[fault] += so
        return so

    def _lost_for_sure(self, api: int) -> bool:
        with self._lock:
            so = self._certain[api] > 0
            self._certain[api] -= so
            self.faults["lose"] += so
        return so

    def _readdressed(self, frame: bytes) -> bytes:
        host, port = self._broker
        ours = self._listener.getsockname()[1]
        return frame.replace(host.encode() + PORT.pack(port), host.encode() + PORT.pack(ours))


def _frame(source: socket.socket) -> bytes:
    return _exactly(source, SIZE.unpack(_exactly(source, SIZE.size))[0])


def _exactly(source: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = source.recv(min(count, 1 << 16))
        if not part:
            raise CutError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
