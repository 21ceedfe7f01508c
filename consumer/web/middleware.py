"""Which HTTP requests are let in: those of a bounded size, in time, and with the token."""

import asyncio
import hmac
from collections.abc import Collection

import h11
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

BODY_BYTES = 1 << 20

REQUEST_SECONDS = 10.0

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""What is answered without a token: orchestrators ask for it."""


class BearerAuth:
    """Answers 401 to whoever does not bear the token.

    Parameters
    ----------
    application
        What is behind it.
    token
        Expected as ``Authorization: Bearer <token>``.
    open_paths
        What is answered without it.
    """

    def __init__(self, application: ASGIApp, token: str, open_paths: Collection[str]) -> None:
        self._application = application
        self._expected = b"Bearer " + token.encode()
        self._open = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and scope["path"] not in self._open:
            given = Headers(scope=scope).get("authorization", "").encode("latin-1")
            # The time that == takes would tell how much of a guess is right.
            if not hmac.compare_digest(given, self._expected):
                answer = PlainTextResponse(
                    "a bearer token is needed", 401, {"www-authenticate": "Bearer"}
                )
                await answer(scope, receive, send)
                return
        await self._application(scope, receive, send)


class LimitBody:
    """Answers 413 to bodies over 1 MiB; reads the others whole, so that a handler never waits.

    Parameters
    ----------
    application
        What is behind it.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        body = bytearray()
        more = True
        # h11 has refused lengths that are no number.
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
    """Cuts connections that don't send a whole request in time.

    uvicorn itself waits for ever for the first one, and for the rest of any that has begun.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._cut)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def _cut(self) -> None:
        # An answer that is still to be sent waits for a client that does not read it.
        slow = self.conn.their_state in {h11.IDLE, h11.SEND_BODY}
        if slow or self.transport.get_write_buffer_size():
            self.transport.abort()
