"""A client that requests predictions from a consumer while the consumer learns."""

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
"""Seconds between two requests of the live page for progress."""


@contextmanager
def requesting(port: int, texts: Sequence[str], pause: float) -> Iterator[list[float]]:
    """Request one prediction after the other until the block ends.

    Parameters
    ----------
    pause
        Seconds between two predictions; if not 0, each is followed by a request for progress, as
        of the live page.

    Yields
    ------
    list of float
        Seconds that each prediction took.
    """
    seconds: list[float] = []
    stopped = threading.Event()

    def request() -> None:
        client = HTTPConnection("127.0.0.1", port, timeout=60)
        for text in cycle(texts):
            if stopped.is_set():
                return
            started = time.perf_counter()
            try:
                client.request("POST", "/predict", json.dumps({"text": text}), JSON)
                answer = client.getresponse()
                answer.read()
                waited = time.perf_counter() - started
                if pause:
                    client.request("GET", "/progress")
                    client.getresponse().read()
            except (OSError, HTTPException):  # the consumer is starting, or has ended
                client.close()
                stopped.wait(RETRY_SECONDS)
                continue
            if answer.status != HTTPStatus.OK:
                stopped.wait(RETRY_SECONDS)
                continue
            seconds.append(waited)
            stopped.wait(pause)

    thread = threading.Thread(target=request, daemon=True)
    thread.start()
    try:
        yield seconds
    finally:
        stopped.set()
        thread.join()
