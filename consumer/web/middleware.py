"""Refuse HTTP requests that are too large, too slow, or without the token."""

import asyncio
import hmac
from collections.abc import Collection

import h11
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

BODY_BYTES = 1 << 20
"""Size of the largest body."""

REQUEST_SECONDS = 10.0
"""Seconds in which a client must send a whole request."""

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Paths that need no token: orchestrators poll them."""


class BearerAuth:
    """Answers 401 to requests without the token.

    Parameters
    ----------
    application
        Application that receives admitted requests.
    token
        Token that is expected as ``Authorization: Bearer <token>``.
    open_paths
        Paths that need no token.
    """

    def __init__(self, application: ASGIApp, token: str, open_paths: Collection[str]) -> None:
        self._application = application
        self._expected = b"Bearer " + token.encode()
        self._open = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit a request, or refuse it."""
        if scope["type"] == "http" and scope["path"] not in self._open:
            given = Headers(scope=scope).get("authorization", "").encode("latin-1")
            # The duration of == would reveal how many characters of a guess are right.
            if not hmac.compare_digest(given, self._expected):
                answer = PlainTextResponse(
                    "a bearer token is needed", 401, {"www-authenticate": "Bearer"}
                )
                await answer(scope, receive, send)
                return
        await self._application(scope, receive, send)


class LimitBody:
    """Answers 413 to bodies over 1 MiB; reads other bodies whole, so that no handler waits for one.

    Parameters
    ----------
    application
        Application that receives admitted requests.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit a request, or refuse it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        body = bytearray()
        more = True
        # h11 has refused lengths that are not numbers.
        too_large = int(length) > BODY_BYTES
        while more and not too_large:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            too_large = len(body) > BODY_BYTES
        if too_large:
            answer = PlainTextResponse("at most 1 MiB", 413, {"connection": "close"})
            await answer(scope, receive, send)
            return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def receive_again() -> Message:
            return whole.pop() if whole else await receive()

        await self._application(scope, receive_again, send)


class RequestTimeout(H11Protocol):
    """Closes connections that do not send a whole request in time.

    uvicorn itself waits without limit for the first request, and for the rest of a request.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit of a request."""
        super().connection_made(transport)
        self._start_timer()

    def on_response_complete(self) -> None:
        """Start the time limit of the next request."""
        super().on_response_complete()
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the time limit."""
        self._cancel_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._cancel_timer()
        self._timer = self.loop.call_later(REQUEST_SECONDS, self._close_if_slow)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _close_if_slow(self) -> None:
        # A response that is still in the write buffer waits for a client that does not read it.
        slow = self.conn.their_state in {h11.IDLE, h11.SEND_BODY}
        if slow or self.transport.get_write_buffer_size():
            self.transport.abort()
