"""Serve HTTP in a thread beside the loop, and the routes that every program has."""

import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from consumer.web import middleware
from newsreel.common import listening
from newsreel.common.errors import UserError

CONNECTIONS = 64
"""Number of connections at a time; further connections are answered 503."""

KEEP_ALIVE_SECONDS = 5

HEADER_BYTES = 16 << 10

log = structlog.get_logger()

Check = Callable[[], str | None]
"""Returns what is wrong, or None."""


class PortError(UserError):
    """The HTTP port is taken, or may not be used."""


def monitoring(
    registry: CollectorRegistry,
    alive: Check,
    ready: Check,
    on_metrics: Callable[[], None] = lambda: None,
) -> list[Route]:
    """Build the routes ``/metrics``, ``/healthz`` and ``/readyz``.

    Parameters
    ----------
    registry
        Metrics of ``/metrics``.
    alive, ready
        Checks of ``/healthz`` and ``/readyz``, which answer 200, or 503 and what is wrong.
    on_metrics
        Called after the metrics are read and before they are sent.
    """

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        text = encode(registry)
        on_metrics()
        return Response(text, headers={"content-type": content_type})

    def health(check: Check) -> Callable[[Request], Awaitable[Response]]:
        # A coroutine: a check must not wait for a free thread, however many requests do.
        async def answer(_: Request) -> Response:
            problem = check()
            return PlainTextResponse(problem or "ok", 503 if problem else 200)

        return answer

    return [
        Route("/metrics", metrics),
        Route("/healthz", health(alive)),
        Route("/readyz", health(ready)),
    ]


@contextmanager
def serve(
    application: ASGIApp,
    host: str,
    port: int,
    token: SecretStr | None = None,
    open_paths: Collection[str] = middleware.OPEN_PATHS,
) -> Iterator[str]:
    """Serve in a thread until the block ends; yields the address.

    Parameters
    ----------
    application
        Application to serve.
    host, port
        Address to listen on; port 0 picks a free port.
    token
        Token that requests must bear; None admits every request.
    open_paths
        Paths that need no token.

    Raises
    ------
    PortError
        The port is taken, or may not be used.
    """
    try:
        listener = listening.listen(host, port)
    except OSError as error:
        raise PortError(
            f"can't listen on {listening.at(host, port)} ({listening.reason(error, host)}); name"
            " another port with --http-port (0 picks a free one), or another --http-host"
        ) from error
    # asyncio sets this option only for sockets that name their protocol. Without it, a response's
    # body waits 40 ms for the client to acknowledge the headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    guarded: ASGIApp = middleware.LimitBody(application)
    if token is None and not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
        log.warning("open to the network, as there is no --http-token-file", host=host)
    if token is not None:
        guarded = middleware.BearerAuth(guarded, token.get_secret_value(), open_paths)
    config = uvicorn.Config(
        guarded,
        http=middleware.RequestTimeout,
        ws="none",
        log_level="warning",
        lifespan="off",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=HEADER_BYTES,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="http", daemon=True)
    thread.start()
    try:
        yield f"http://{listening.at(host, listener.getsockname()[1])}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
