"""HTTP beside the loop: metrics, health and progress."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from service.errors import UserError

Check = Callable[[], str | None]
"""Says what is wrong, or None."""


class PortError(UserError):
    """The HTTP port can't be had."""


def app(
    registry: CollectorRegistry,
    progress: Callable[[], dict[str, Any]],
    alive: Check,
    ready: Check,
) -> Starlette:
    """Build the application.

    ``/metrics`` for Prometheus; ``/healthz`` and ``/readyz`` answer 200, or 503 and what is wrong;
    ``/progress`` is JSON for people and the demo.
    """

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    def health(check: Check) -> Callable[[Request], Response]:
        def answer(_: Request) -> Response:
            complaint = check()
            return PlainTextResponse(complaint or "ok", 503 if complaint else 200)

        return answer

    def show_progress(_: Request) -> Response:
        return JSONResponse(progress())

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/healthz", health(alive)),
            Route("/readyz", health(ready)),
            Route("/progress", show_progress),
        ]
    )


@contextmanager
def serve(application: Starlette, host: str, port: int) -> Iterator[str]:
    """Serve in a thread until the block ends; yields the address.

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
    config = uvicorn.Config(application, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="http", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
