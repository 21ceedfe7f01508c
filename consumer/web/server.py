"""HTTP beside the loop: metrics, health and progress."""

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
from newsreel.common.errors import UserError

CONNECTIONS = 64
"""More at once are answered 503."""

KEEP_ALIVE_SECONDS = 5

HEADER_BYTES = 16 << 10

log = structlog.get_logger()

Check = Callable[[], str | None]
"""Says what is wrong, or None."""


class PortError(UserError):
    """The HTTP port can't be had."""


def monitoring(
    registry: CollectorRegistry,
    alive: Check,
    ready: Check,
    shown: Callable[[], None] = lambda: None,
) -> list[Route]:
    """Build what every program serves to be watched.

    ``/metrics`` for Prometheus; ``/healthz`` and ``/readyz`` answer 200, or 503 and what is wrong.
    ``shown`` is called when metrics were read, before they are answered.
    """

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        text = encode(registry)
        shown()
        return Response(text, headers={"content-type": content_type})

    def health(check: Check) -> Callable[[Request], Awaitable[Response]]:
        # Not in a thread: it must not wait for one, however many others do.
        async def answer(_: Request) -> Response:
            complaint = check()
            return PlainTextResponse(complaint or "ok", 503 if complaint else 200)

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

    With a token, whoever does not bear it is answered ``open_paths`` only.

    Raises
    ------
    PortError
        The port is taken, or may not be used.
    """
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise PortError(
            f"can't listen on {host}:{port} ({error.strerror}); name another port with --http-port"
            " (0 picks a free one), or another --http-host"
        ) from error
    # asyncio does so for sockets that name their protocol, which this one does not: each answer's
    # body would wait for the client to acknowledge its headers, 40 ms.
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
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
