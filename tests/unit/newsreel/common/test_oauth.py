"""Tokens of OAUTHBEARER: from files and commands; what goes wrong is said, a token never is."""

import shlex
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from newsreel.common import kafka, oauth
from newsreel.common.kafka import BrokerUnreachableError, Connection
from newsreel.common.oauth import TokenError, TokenProvider

SECRET = "eyJhbGciOiJub25lIn0.c2VjcmV0."


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def complaint(provider: TokenProvider) -> str:
    with capture_logs() as lines, pytest.raises(TokenError) as refused:
        provider.token()
    (line,) = lines
    message = str(refused.value)
    assert line["error"] == message
    assert SECRET not in message
    assert len(message.splitlines()) == 1
    return message


def test_command_runs_again_after_ten_seconds(tmp_path: Path) -> None:
    """Connections that are made together share a token; later ones get a new one."""
    file, now = tmp_path / "runs", [100.0]
    command = f"echo x >> {shlex.quote(str(file))}; echo token-$(wc -l < {shlex.quote(str(file))})"
    provider = oauth.from_command(["sh", "-c", command], clock=lambda: now[0])
    assert [provider.token(), provider.token()] == ["token-1", "token-1"]
    now[0] += oauth.REUSE_SECONDS
    assert provider.token() == "token-2"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (f"import sys; print('{SECRET}'); sys.exit('{SECRET}')", "ended with exit code 1"),
        (f"print('{SECRET} two')", "has characters that no token has"),
        (f"print('{SECRET}\\n{SECRET}')", "has characters that no token has"),
        (f"print('{SECRET}\\x01auth=other')", "has characters that no token has"),
        ("", "is empty"),
        ("import sys; sys.stdout.buffer.write(bytes([255]))", "is not text"),
        ("import os; os.kill(os.getpid(), 9)", "ended with a signal"),
        (f"import time; print('{SECRET}', flush=True); time.sleep(60)", "no token in 0 s"),
    ],
)
def test_command_without_a_token(code: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that fails, hangs or prints something else is described, not shown."""
    if "sleep" in code:
        monkeypatch.setattr(oauth, "COMMAND_SECONDS", 0.4)
    assert reason in complaint(oauth.from_command(python(code)))


def test_missing_command() -> None:
    """A command that does not exist is not shown either: it may be a token in the wrong place."""
    assert "can't be run: No such file" in complaint(oauth.from_command([SECRET]))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "can't be read: No such file"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "can't be read: the file is not text"),
        (b"two words", "has characters that no token has"),
    ],
)
def test_file_without_a_token(content: bytes | None, reason: str, tmp_path: Path) -> None:
    """A file without a token is described; neither its name nor its content is shown."""
    file = tmp_path / SECRET
    if content is not None:
        file.write_bytes(content)
    assert reason in complaint(oauth.from_file(file))


def test_log_of_an_outage() -> None:
    """Clients try again quickly; the log says why at most once a minute."""
    now = [100.0]
    provider = TokenProvider(
        lambda: "",
        "--sasl-oauth-token-file",
        clock=lambda: now[0],
    )
    with capture_logs() as lines:
        for seconds in (0.0, 1.0, 58.0, 2.0):
            now[0] += seconds
            with pytest.raises(TokenError):
                provider.token()
    assert [line["event"] for line in lines] == 2 * ["can't sign in to Kafka, trying again"]


def test_start_without_a_token() -> None:
    """A program without a token ends at once, before it looks for a broker."""
    security = {"sasl_oauth_token_provider": oauth.from_text("")}
    with (
        pytest.raises(
            BrokerUnreachableError, match="can't sign in to Kafka at 'nowhere:1': the token"
        ),
        kafka.admin(Connection("nowhere:1", security)),
    ):
        pass
