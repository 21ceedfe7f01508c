"""The HTTP server: metrics, health checks, and the requests that are refused."""

import json
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import structlog
from loops import build_loop, numbered, read
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from consumer.monitoring.progress import Progress
from consumer.web import middleware, server
from consumer.web.server import PortError


def monitored(
    registry: CollectorRegistry | None = None,
    progress: Callable[[], dict[str, Any]] = dict,
    alive: str | None = None,
    ready: str | None = None,
) -> Starlette:
    """Build an application with the routes of every program, and a route with JSON."""

    def show(_: Request) -> JSONResponse:
        return JSONResponse(progress())

    routes = server.monitoring(registry or CollectorRegistry(), lambda: alive, lambda: ready)
    return Starlette(routes=[*routes, Route("/progress", show)])


def client(
    registry: CollectorRegistry | None = None,
    progress: Callable[[], dict[str, Any]] = dict,
    alive: str | None = None,
    ready: str | None = None,
) -> TestClient:
    return TestClient(monitored(registry, progress, alive, ready))


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        (None, "text/plain", plain),
        ("text/plain", "text/plain", plain),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text", openmetrics),
    ],
)
def test_metrics(accept: str | None, content_type: str, parse: Any) -> None:
    """Metrics have the requested format and the current values."""
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
    """A check without a problem answers 200, whatever the other check returns."""
    answer = client(**other).get(path)
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.mark.parametrize(
    ("path", "problem"),
    [("/healthz", {"alive": "no poll for 61 s"}), ("/readyz", {"ready": "no partition"})],
)
def test_failing_check(path: str, problem: dict[str, str]) -> None:
    """A check with a problem answers 503 with the problem."""
    answer = client(**problem).get(path)
    assert (answer.status_code, answer.text) == (503, *problem.values())


def test_progress() -> None:
    """Progress is JSON with the current values."""
    progress = Progress(clock=lambda: 0.0)
    asking = client(progress=progress.snapshot)
    assert asking.get("/progress").json()["documents"] == 0
    for step in read(build_loop(), numbered("ab" * 9)):
        progress.observe(step)
    answer = asking.get("/progress")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["documents"] == 18


@pytest.mark.parametrize("path", ["/", "/metric", "/healthz/x"])
def test_unknown_path(path: str) -> None:
    """Unknown paths answer 404."""
    assert client().get(path).status_code == 404


def test_post() -> None:
    """Routes for reading refuse POST."""
    for path in ("/metrics", "/healthz", "/readyz", "/progress"):
        assert client().post(path).status_code == 405


def test_serve() -> None:
    """The server answers at the yielded address until the block ends."""
    application = monitored(progress=lambda: {"a": 1})
    with server.serve(application, "127.0.0.1", 0) as address:
        with urllib.request.urlopen(address + "/progress", timeout=10) as answer:
            assert json.load(answer) == {"a": 1}
        port = int(address.rpartition(":")[2])
    assert "http" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass


def test_port_taken() -> None:
    """The error of a taken port names the port and the option."""
    application = monitored()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(PortError, match=rf"^can't listen on 127.0.0.1:{port} .*--http-port"),
            server.serve(application, "127.0.0.1", port),
        ):
            pass


def test_address_of_another_machine() -> None:
    """An address of another machine is an error of one line."""
    application = monitored()
    with (
        pytest.raises(PortError, match=r"^can't listen on 203\.0\.113\.1:0 [^\n]*$"),
        server.serve(application, "203.0.113.1", 0),
    ):
        pass


@pytest.mark.parametrize("host", ["::", "::1", "[::1]", "localhost"])
def test_ipv6(host: str) -> None:
    """The server listens on IPv6 addresses, and yields a valid URL."""
    with server.serve(monitored(), host, 0, SecretStr("x")) as address:
        url = urllib.parse.urlsplit(address)
        assert url.hostname == host.strip("[]")
        assert status(f"{address}/healthz") == 200
        if host == "::":  # every address, so that probes of IPv4 go on
            assert status(f"http://127.0.0.1:{url.port}/healthz") == 200


@contextmanager
def serving(token: str | None = None) -> Iterator[str]:
    """Serve all routes, and a route that answers the size of its body."""

    async def size(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    application = monitored()
    whole = Starlette(routes=[*application.routes, Route("/size", size, methods=["POST"])])
    secret = None if token is None else SecretStr(token)
    with server.serve(whole, "127.0.0.1", 0, secret) as address:
        yield address


def status(address: str, authorization: str | None = None, body: bytes | None = None) -> int:
    headers = {} if authorization is None else {"Authorization": authorization}
    request = urllib.request.Request(address, headers=headers, data=body)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@contextmanager
def connected(address: str) -> Iterator[socket.socket]:
    host, _, port = address.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        yield connection


def answer_to(address: str, *parts: bytes) -> bytes:
    """Send bytes and return all bytes that are answered."""
    with connected(address) as connection:
        with suppress(OSError):  # the server may close the connection meanwhile
            for part in parts:
                connection.sendall(part)
        received = b""
        with suppress(OSError):
            while part := connection.recv(1 << 16):
                received += part
        return received


@pytest.mark.parametrize("path", ["/metrics", "/progress", "/nowhere"])
@pytest.mark.parametrize(
    ("authorization", "let_in"),
    [
        ("Bearer open sesame", True),
        (None, False),
        ("", False),
        ("Bearer ", False),
        ("Bearer open", False),
        ("Bearer open sesame!", False),
        ("Basic open sesame", False),
        ("open sesame", False),
    ],
)
def test_token(path: str, authorization: str | None, let_in: bool) -> None:  # noqa: FBT001
    """Without the token, only health checks are answered; other paths answer 401, not 404."""
    with serving("open sesame") as address:
        expected = {"/nowhere": 404}.get(path, 200) if let_in else 401
        assert status(address + path, authorization) == expected
        assert status(address + "/healthz") == 200
        assert status(address + "/readyz") == 200


def test_no_token() -> None:
    """If no token is set, every request is answered."""
    with serving() as address:
        assert status(address + "/metrics") == 200


@pytest.mark.parametrize("token", ["Schl\u00fcssel", "x" * 5000])
def test_any_token(token: str) -> None:
    """A token may have any length and any characters that a header can carry in UTF-8."""
    with serving(token) as address:
        right = ("Bearer " + token).encode().decode("latin-1")
        assert status(address + "/metrics", right) == 200
        assert status(address + "/metrics", "Bearer \u00ff") == 401


@pytest.mark.parametrize(
    ("host", "token", "warnings"),
    [
        ("127.0.0.1", None, 0),
        ("::1", None, 0),
        ("0.0.0.0", None, 1),
        ("::", None, 1),
        ("0.0.0.0", "open sesame", 0),
    ],
)
def test_open_to_the_network(host: str, token: str | None, warnings: int) -> None:
    """An address that is open to the network without a token is logged as a warning."""
    application = monitored()
    secret = None if token is None else SecretStr(token)
    with structlog.testing.capture_logs() as logged, server.serve(application, host, 0, secret):
        pass
    assert len([line for line in logged if line["log_level"] == "warning"]) == warnings


def chunks(size: int) -> Iterator[bytes]:
    for start in range(0, size, 1 << 16):
        part = b"x" * min(1 << 16, size - start)
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


@pytest.mark.parametrize(("size", "expected"), [(1 << 20, b"200"), ((1 << 20) + 1, b"413")])
def test_size_of_bodies(size: int, expected: bytes) -> None:
    """A body may have 1 MiB, with or without a content length."""
    head = b"POST /size HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    with serving() as address:
        request = head + b"Content-Length: %d\r\n\r\n" % size
        body = [b"x" * size] if expected == b"200" else []
        for answer in (
            answer_to(address, request, *body),
            answer_to(address, head + b"Transfer-Encoding: chunked\r\n\r\n", *chunks(size)),
        ):
            assert answer.startswith(b"HTTP/1.1 " + expected)
            assert expected == b"413" or answer.endswith(str(size).encode())


@pytest.mark.parametrize("path", [b"/metrics", b"/healthz", b"/nowhere"])
def test_endless_body(path: bytes) -> None:
    """A body without an end is refused on every path."""
    with serving() as address:
        head = b"GET %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % path
        assert answer_to(address, head, *chunks(2 << 20)).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nCookie: " + b"x" * (1 << 17) + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00 this is TLS\r\n\r\n",
        b"G\xc3\x89T / HTTP/1.1\r\n\r\n",
    ],
    ids=["length-word", "length-negative", "headers", "tls", "method"],
)
def test_invalid_request(request_: bytes) -> None:
    """Invalid lengths, endless headers and other protocols answer 400; the server continues."""
    with serving() as address:
        answer = answer_to(address, request_)
        assert answer.startswith(b"HTTP/1.1 400") or answer == b""
        assert status(address + "/healthz") == 200


def closed(connection: socket.socket) -> bool:
    """Return whether the server has closed a connection without sending more."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.setblocking(True)


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET /metrics HTTP/1.1\r\nHost:",
        b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
    ],
    ids=["silent", "headers", "body"],
)
def test_slow_clients_are_cut(beginning: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not send a whole request in time is closed, even if it keeps sending."""
    monkeypatch.setattr(middleware, "REQUEST_SECONDS", 0.5)
    with serving() as address, connected(address) as connection:
        connection.sendall(beginning)
        start = time.monotonic()
        while not closed(connection) and time.monotonic() < start + 5:
            time.sleep(0.1)
            with suppress(OSError):
                connection.sendall(b"x" if beginning else b"")
        assert time.monotonic() - start < 3


def healthy(connection: socket.socket) -> bool:
    """Send another request over an open connection, and read the whole response."""
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while not answer.endswith(b"ok"):
        part = connection.recv(1 << 16)
        if not part:
            return False
        answer += part
    return answer.startswith(b"HTTP/1.1 200")


def test_idle_connections_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle connection is closed after a while."""
    monkeypatch.setattr(server, "KEEP_ALIVE_SECONDS", 0.5)
    with serving() as address, connected(address) as connection:
        for _ in range(2):
            assert healthy(connection)
        start = time.monotonic()
        assert connection.recv(1 << 16) == b""
        assert time.monotonic() - start < 3


def test_requests_in_time_are_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection stays open while requests keep arriving."""
    monkeypatch.setattr(middleware, "REQUEST_SECONDS", 0.6)
    with serving() as address, connected(address) as connection:
        for _ in range(5):
            assert healthy(connection)
            time.sleep(0.3)


def test_too_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection beyond the limit is answered 503, until other connections are closed."""
    monkeypatch.setattr(server, "CONNECTIONS", 3)
    with serving() as address:
        with connected(address), connected(address), connected(address):
            time.sleep(0.2)
            assert status(address + "/healthz") == 503
        deadline = time.monotonic() + 5
        while status(address + "/healthz") != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
