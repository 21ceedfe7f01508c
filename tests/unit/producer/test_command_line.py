"""The command line: options, the version, and one line with exit code 2 for a mistake."""

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from newsreel import __version__
from newsreel.common import cli, kafka, retrying
from producer.__main__ import publish
from producer.settings import Settings


@pytest.fixture(autouse=True)
def own_streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep later tests from logging to the stream that pytest captures for this one."""
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    yield
    structlog.reset_defaults()


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the producer with wrong arguments; returns the line that it prints."""

    def call(*arguments: object) -> str:
        assert cli.run("producer", publish, list(map(str, arguments))) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("producer: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return call


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--topic", "a b"),
        ("--topic", ".."),
        ("--truth-topic", "a b"),
        ("--partitions", 0),
        ("--split", "dev"),
        ("--remove", "headers,body"),
        ("--speedup", 0),
        ("--limit", 0),
        ("--repeat", "x"),
        ("--rate", 0),
        ("--arrivals", "gauss"),
        ("--encoding", "utf-99"),
        ("--quoting", "some"),
        ("--bad-rows", "keep"),
        ("--metrics-port", 70000),
    ],
)
def test_impossible_value(fail: Callable[..., str], option: str, value: object) -> None:
    """An impossible value is named with its option."""
    line = fail(option, value)
    assert option in line
    assert repr(str(value)) in line


def test_impossible_scenario(fail: Callable[..., str]) -> None:
    """The error about an unknown scenario lists the known ones."""
    assert "there is no 'sorted'; choose of shuffled, as-is" in fail("--scenario", "sorted")


def test_two_clocks(fail: Callable[..., str]) -> None:
    """The options --rate and --speedup exclude each other."""
    assert "--rate and --speedup both set" in fail("--rate", 5, "--speedup", 5)


def test_two_topics_of_one_name(fail: Callable[..., str]) -> None:
    """A name that another topic of the stream has is refused."""
    expected = "the topics of documents and truth have the same name, 'news'"
    assert expected in fail("--topic", "news", "--truth-topic", "news")


def test_speed_of_a_stream_without_order(fail: Callable[..., str]) -> None:
    """The option --speedup needs documents in the order of their times."""
    assert "give --scenario chronological" in fail("--scenario", "shuffled", "--speedup", 5)


def test_unknown_option(fail: Callable[..., str]) -> None:
    """The error about an unknown option names the most similar one."""
    assert "--reapet 2 (did you mean --repeat?)" in fail("--reapet", 2)


def test_missing_file(fail: Callable[..., str]) -> None:
    """A corpus that does not exist is reported before Kafka is needed."""
    assert "no such file or folder" in fail("--corpus", "nowhere.csv")


def test_busy_metrics_port(fail: Callable[..., str], tmp_path: Path) -> None:
    """A metrics port in use is reported before Kafka is needed."""
    corpus = tmp_path / "own.csv"
    corpus.write_text("text\na\n")
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        assert "Address already in use" in fail("--corpus", corpus, "--metrics-port", port)


def test_unreachable_broker(fail: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that does not answer is reported before 20 Newsgroups is loaded."""
    monkeypatch.setattr(kafka, "CONNECT_TIMEOUT_MS", 300)
    monkeypatch.setattr(retrying, "START_SECONDS", 0.0)
    message = "no Kafka broker answers at '127.0.0.1:1'; start one, or name another with"
    assert message in fail("--bootstrap-servers", "127.0.0.1:1")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The help lists every option, and each has a description."""
    with pytest.raises(SystemExit) as caught:
        cli.run("producer", publish, ["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for name, field in Settings.model_fields.items():
        if name in {"sasl_password", "sasl_oauth_token"}:
            continue  # other users would see it in the list of processes
        assert f"--{name.replace('_', '-')} " in shown
        assert field.description
    assert re.search(r"usage: python -m producer", shown)


def test_version() -> None:
    """The version is shown without Kafka's client or any other slow import."""
    code = (
        "import sys, producer.__main__ as command; sys.argv[1:] = ['--version']\n"
        "try: command.main()\n"
        "finally: print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, modules = run.stdout.splitlines()
    assert version == f"newsreel {__version__}"
    slow = {"kafka", "numpy", "prometheus_client", "sklearn", "torch"}
    assert not slow & set(modules.split())


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options can be set in the environment; flags take precedence."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "broker:9092")
    monkeypatch.setenv("PRODUCER_RATE", "5")
    monkeypatch.setenv("PRODUCER_REMOVE", "headers,quotes")
    settings = cli.parse(Settings, ["--rate", "7"])
    assert settings.bootstrap_servers == "broker:9092"
    assert settings.rate == 7
    assert settings.remove == "headers,quotes"
    assert cli.parse(Settings, ["--bootstrap-servers", "x:1"]).bootstrap_servers == "x:1"
