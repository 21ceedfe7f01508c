"""HTTP: metrics, health, progress; and a port that is taken."""

import json
import socket
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from starlette.testclient import TestClient

from consumer import server
from consumer.progress import Progress
from consumer.server import PortError


def client(
    registry: CollectorRegistry | None = None,
    progress: Callable[[], dict[str, Any]] = dict,
    alive: str | None = None,
    ready: str | None = None,
) -> TestClient:
    return TestClient(
        server.app(registry or CollectorRegistry(), progress, lambda: alive, lambda: ready)
    )


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        (None, "text/plain", plain),
        ("text/plain", "text/plain", plain),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text", openmetrics),
    ],
)
def test_metrics(accept: str | None, content_type: str, parse: Any) -> None:
    """The page is in the format that was asked for, with the values of now."""
    registry = CollectorRegistry()
    counter = Counter("newsreel_things", "Things", registry=registry)
    asking = client(registry)
    for expected in (0.0, 3.0):
        counter.inc(expected)
        answer = asking.get("/metrics", headers={} if accept is None else {"accept": accept})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(content_type)
        values = {s.name: s.value for family in parse(answer.text) for s in family.samples}
        assert values["newsreel_things_total"] == expected


@pytest.mark.parametrize(
    ("path", "other"), [("/healthz", {"ready": "not yet"}), ("/readyz", {"alive": "dead"})]
)
def test_health(path: str, other: dict[str, str]) -> None:
    """A check that is content answers 200, whatever the other one says."""
    answer = client(**other).get(path)
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.mark.parametrize(
    ("path", "complaint"),
    [("/healthz", {"alive": "no poll for 61 s"}), ("/readyz", {"ready": "no partition"})],
)
def test_ill_health(path: str, complaint: dict[str, str]) -> None:
    """A check that complains answers 503 with the complaint."""
    answer = client(**complaint).get(path)
    assert (answer.status_code, answer.text) == (503, *complaint.values())


def test_progress(consumer: Any, numbered: Any) -> None:
    """Progress is JSON of the moment at which it is asked for."""
    progress = Progress(clock=lambda: 0.0)
    asking = client(progress=progress.snapshot)
    assert asking.get("/progress").json()["documents"] == 0
    for step in consumer().read(numbered("ab" * 9)):
        progress.observe(step)
    answer = asking.get("/progress")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["documents"] == 18


@pytest.mark.parametrize("path", ["/", "/metric", "/healthz/x"])
def test_nothing_else(path: str) -> None:
    """There is nothing at other addresses."""
    assert client().get(path).status_code == 404


def test_nothing_can_be_written() -> None:
    """No address takes anything."""
    for path in ("/metrics", "/healthz", "/readyz", "/progress"):
        assert client().post(path).status_code == 405


def test_serve() -> None:
    """It serves at the address it names until the block ends, and leaves no server behind."""
    application = server.app(CollectorRegistry(), lambda: {"a": 1}, lambda: None, lambda: None)
    with server.serve(application, "127.0.0.1", 0) as address:
        with urllib.request.urlopen(address + "/progress", timeout=10) as answer:
            assert json.load(answer) == {"a": 1}
        port = int(address.rpartition(":")[2])
    assert "http" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass


def test_port_taken() -> None:
    """A port that is taken is named, with the option that names another."""
    application = server.app(CollectorRegistry(), dict, lambda: None, lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(PortError, match=rf"^can't listen on 127.0.0.1:{port} .*--http-port"),
            server.serve(application, "127.0.0.1", port),
        ):
            pass


def test_address_of_another_machine() -> None:
    """An address that is not this machine's is told in one line."""
    application = server.app(CollectorRegistry(), dict, lambda: None, lambda: None)
    with (
        pytest.raises(PortError, match=r"^can't listen on 203\.0\.113\.1:0 [^\n]*$"),
        server.serve(application, "203.0.113.1", 0),
    ):
        pass
