"""Tokens for Kafka's SASL mechanism OAUTHBEARER, from a file or from a command."""

import math
import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from kafka.errors import KafkaConnectionError
from kafka.net.sasl.oauth import AbstractTokenProvider

COMMAND_SECONDS = 10.0
"""Seconds that a command may take."""

REUSE_SECONDS = 10.0
"""Seconds in which the connections of a program share the token of a command."""

LOG_SECONDS = 60.0
"""Seconds between two log lines about a missing token."""

TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")

log = structlog.get_logger()


class TokenError(KafkaConnectionError):  # type: ignore[misc]
    """There is no token to sign in to Kafka with.

    Clients try again, as they do when a broker is away. The message never has the output of the
    command or the content of the file, which may be secret.
    """

    def __str__(self) -> str:
        return str(self.args[0])


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Gives a token to each connection that signs in.

    Parameters
    ----------
    read
        Returns the token, perhaps with white space around it.
    origin
        Option that the token comes from, for messages.
    clock
        Seconds that only go forward.
    """

    def __init__(
        self, read: Callable[[], str], origin: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._read = read
        self._origin = origin
        self._clock = clock
        self._logged = -math.inf

    def check(self) -> str:
        """Return the token of this moment.

        Raises
        ------
        TokenError
            There is no token.
        """
        token = self._read().strip()
        if not TOKEN.fullmatch(token):
            what = "has characters that no token has" if token else "is empty"
            raise TokenError(f"the token of {self._origin} {what}")
        return token

    def token(self) -> str:
        """Return the token of this moment; without one, say so in the log.

        Raises
        ------
        TokenError
            There is no token.
        """
        try:
            return self.check()
        except TokenError as error:
            now = self._clock()
            if now >= self._logged + LOG_SECONDS:
                self._logged = now
                log.warning("can't sign in to Kafka, trying again", error=str(error))
            raise


def from_text(text: str) -> TokenProvider:
    """Use one token for all connections."""
    return TokenProvider(lambda: text, "KAFKA_SASL_OAUTH_TOKEN")


def from_file(path: Path) -> TokenProvider:
    """Read the token from a file, again for each connection: another program may renew it."""

    def read() -> str:
        try:
            return path.read_text()
        except (OSError, ValueError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or "the file is not text"
            raise TokenError(f"--sasl-oauth-token-file can't be read: {reason}") from None

    return TokenProvider(read, "--sasl-oauth-token-file")


def from_command(
    words: Sequence[str], clock: Callable[[], float] = time.monotonic
) -> TokenProvider:
    """Run a command that prints the token; its token serves all connections for ten seconds.

    Parameters
    ----------
    words
        Program and arguments; no shell reads them.
    clock
        Seconds that only go forward.
    """
    lock = threading.Lock()
    last: tuple[float, str] | None = None

    def read() -> str:
        nonlocal last
        with lock:
            if last is None or clock() >= last[0] + REUSE_SECONDS:
                last = clock(), _output(words)
            return last[1]

    return TokenProvider(read, "--sasl-oauth-token-command")


def _output(words: Sequence[str]) -> str:
    """Return what a command prints."""
    option = "the command of --sasl-oauth-token-command"
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command
            words,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise TokenError(f"{option} printed no token in {COMMAND_SECONDS:.0f} s") from None
    except subprocess.CalledProcessError as error:
        ended = f"exit code {error.returncode}" if error.returncode > 0 else "a signal"
        raise TokenError(f"{option} ended with {ended}; run it by hand to see why") from None
    except OSError as error:
        raise TokenError(f"{option} can't be run: {error.strerror}") from None
    except ValueError:
        raise TokenError(f"{option} prints something that is not text") from None
    return done.stdout
