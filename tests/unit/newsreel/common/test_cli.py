"""Command lines: precedence of settings, and one clear line for every mistake."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
import structlog
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kafka.errors import TopicAuthorizationFailedError
from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, CliSuppress, SettingsConfigDict

from newsreel import __version__
from newsreel.common import cli
from newsreel.common.cli import UsageError
from newsreel.common.errors import UserError


class Options(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="MODEST_",
        cli_prog_name="modest",
        cli_kebab_case=True,
        cli_avoid_json=True,
        cli_implicit_flags=True,
    )

    bootstrap_servers: str = Field(
        "localhost:9092",
        validation_alias=AliasChoices("bootstrap-servers", "KAFKA_BOOTSTRAP_SERVERS"),
    )
    folder: Path
    batch_size: int = Field(16, ge=1)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(
        default_factory=lambda known: {"adamw": 0.1, "sgd": 1.0}[known["optimizer"]], gt=0
    )
    stop: int = 10
    key: CliSuppress[SecretStr | None] = Field(None, max_length=5)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)


def parse(*argv: str) -> Options:
    return cli.parse(Options, ["--folder", "here", *argv])


def refusal(*argv: str) -> str:
    with pytest.raises(UsageError) as refused:
        parse(*argv)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    return message


def test_flags_then_environment_then_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag takes precedence over its environment variable, the variable over the default."""
    assert parse().batch_size == 16
    monkeypatch.setenv("MODEST_BATCH_SIZE", "32")
    assert parse().batch_size == 32
    assert parse("--batch-size", "64").batch_size == 64


def test_alias_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared option of several programs is read from the shared variable."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "one:1")
    assert parse().bootstrap_servers == "one:1"
    assert parse("--bootstrap-servers", "two:2").bootstrap_servers == "two:2"


def test_unknown_option_with_suggestion() -> None:
    """The error about a misspelt option names the most similar one."""
    message = refusal("--batch-sise", "3")
    assert "--batch-sise" in message
    assert "did you mean --batch-size?" in message
    assert message.endswith("see --help")


def test_unknown_option_without_suggestion() -> None:
    """Nothing is suggested for an option that resembles no other."""
    message = refusal("--zzz")
    assert "--zzz" in message
    assert "did you mean" not in message


@pytest.mark.parametrize("argv", [["stray"], ["--batch-size"]])
def test_misplaced_words(argv: list[str]) -> None:
    """The error about a stray word, or an option without a value, names the word."""
    assert argv[0] in refusal(*argv)


def test_several_mistakes_in_one_line() -> None:
    """One line reports all bad values, each with flag, variable and value."""
    message = refusal("--batch-size", "0", "--stop", "soon")
    assert "--batch-size (or MODEST_BATCH_SIZE)" in message
    assert "greater than or equal to 1" in message
    assert "'0'" in message
    assert "--stop (or MODEST_STOP)" in message
    assert "'soon'" in message


def test_no_consequential_errors() -> None:
    """A default that depends on a bad value is not reported as an error."""
    message = refusal("--optimizer", "adam")
    assert "'adamw' or 'sgd'" in message
    assert "--learning-rate" not in message


def test_bad_value_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error about a bad environment variable names the variable."""
    monkeypatch.setenv("MODEST_BATCH_SIZE", "many")
    assert "MODEST_BATCH_SIZE" in refusal()


def test_missing_option() -> None:
    """The error about a missing required option names its variable."""
    with pytest.raises(UsageError, match=r"^--folder \(or MODEST_FOLDER\) is required"):
        cli.parse(Options, [])


def test_long_value_is_cut() -> None:
    """An error line has a bounded length, whatever the length of the value."""
    assert len(refusal("--batch-size", "x" * 10_000)) < 300


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["--batch-size", "--optimizer", "--stop", "1", "--"]) | st.text()))
@example(["a\nb"])
def test_any_arguments(argv: list[str]) -> None:
    """Any command line is accepted, refused in one line, or shows the help."""
    try:
        parse(*argv)
    except UsageError as error:
        refused = error
    except SystemExit as end:
        code = end.code
        assert not code
        return
    else:
        return
    assert len(str(refused).splitlines()) == 1


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The option --version shows the version, even if a required option is missing."""
    with pytest.raises(SystemExit) as end:
        cli.parse(Options, ["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"newsreel {__version__}\n"


def test_user_error_ends_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A UserError gives exit code 2 and one line on standard error, without a traceback."""

    def main(argv: Sequence[str]) -> None:
        raise UserError(f"no {argv[0]} here; bring one")

    assert cli.run("modest", main, ["sugar"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "modest: no sugar here; bring one\n"
    assert captured.out == ""


def test_kafka_error_ends_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An error of Kafka gives exit code 2 and one line on standard error, without a traceback."""

    def main(_: Sequence[str]) -> None:
        raise TopicAuthorizationFailedError("documents")

    assert cli.run("modest", main, []) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("modest: ")
    assert "TopicAuthorizationFailedError" in captured.err
    assert len(captured.err.splitlines()) == 1


def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Success gives exit code 0 and Ctrl-C 130, both without output."""

    def interrupted(_: Sequence[str]) -> None:
        raise KeyboardInterrupt

    assert cli.run("modest", lambda _: None, []) == 0
    assert cli.run("modest", interrupted, []) == 130
    assert capsys.readouterr() == ("", "")


def test_bugs_are_not_swallowed() -> None:
    """An unexpected exception keeps its traceback."""

    def broken(_: Sequence[str]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cli.run("modest", broken, [])


def test_misspelt_environment_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A variable that resembles an option's is logged; any other is ignored."""
    monkeypatch.setenv("MODEST_BATCHSIZE", "32")
    monkeypatch.setenv("MODEST_PORT_8000_TCP", "tcp://10.0.0.1:8000")
    with structlog.testing.capture_logs() as logged:
        parse()
    assert [(line["name"], line["did_you_mean"]) for line in logged] == [
        ("MODEST_BATCHSIZE", "MODEST_BATCH_SIZE")
    ]


def test_secrets_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error about an impossible secret names its variable and not its value."""
    monkeypatch.setenv("MODEST_KEY", "open sesame")
    message = refusal("--stop", "soon")
    assert "MODEST_KEY is wrong, but " in message
    assert "--stop (or MODEST_STOP) is 'soon'" in message
    assert "sesame" not in message


def test_misspelt_variable_of_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that resembles a shared one of Kafka is logged."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVER", "one:1")
    with structlog.testing.capture_logs() as logged:
        parse()
    assert [line["did_you_mean"] for line in logged] == ["KAFKA_BOOTSTRAP_SERVERS"]
