"""Someone who asks a consumer while it learns."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from itertools import cycle

JSON = {"content-type": "application/json"}

RETRY_SECONDS = 0.1

PAGE_SECONDS = 1.5
"""The live page asks so often how it goes."""


@contextmanager
def asking(port: int, texts: Sequence[str], pause: float) -> Iterator[list[float]]:
    """Ask one question after the other until the block ends; yields the seconds they take.

    Between two of them, pause; with a pause, ask how it goes, too.
    """
    seconds: list[float] = []
    over = threading.Event()

    def ask() -> None:
        client = HTTPConnection("127.0.0.1", port, timeout=60)
        for text in cycle(texts):
            if over.is_set():
                return
            started = time.perf_counter()
            try:
                client.request("POST", "/predict", json.dumps({"text": text}), JSON)
                answer = client.getresponse()
                answer.read()
            except (OSError, HTTPException):  # it is starting, or has ended
                client.close()
                over.wait(RETRY_SECONDS)
                continue
            if answer.status != HTTPStatus.OK:
                over.wait(RETRY_SECONDS)
                continue
            seconds.append(time.perf_counter() - started)
            if pause:
                client.request("GET", "/progress")
                client.getresponse().read()
                over.wait(pause)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield seconds
    finally:
        over.set()
        thread.join()
