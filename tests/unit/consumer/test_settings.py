"""Options of the consumer: their values, defaults and dependencies."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from consumer.evaluate import cores
from consumer.settings import RATES, EvaluateSettings, Settings
from newsreel.common import cli
from newsreel.common.cli import UsageError


@pytest.mark.parametrize(("given", "layers"), [("0", 0), ("3", 3), ("all", "all")])
def test_layers(given: str, layers: int | str) -> None:
    """The option --layers takes a number, or "all"."""
    assert cli.parse(Settings, ["--layers", given]).layers == layers


@pytest.mark.parametrize("experts", ["latent", "analytic,bayes", "latent,analytic,bayes,ngram"])
def test_experts(experts: str) -> None:
    """The option --experts takes any combination of experts."""
    assert cli.parse(Settings, ["--experts", experts]).experts == experts


@pytest.mark.parametrize(
    ("given", "hour"),
    [
        ("2026-01-05", 0),
        ("2026-01-05T12:00", 12),
        ("2026-01-05 12:00Z", 12),
        ("2026-01-05T12:00+02:00", 10),
    ],
)
def test_from_a_time(given: str, hour: int) -> None:
    """The option --from takes times in ISO 8601, which are UTC unless they name a zone."""
    expected = datetime(2026, 1, 5, hour, tzinfo=UTC)
    assert cli.parse(Settings, ["--from", given]).from_ == expected


def test_from_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The option --from has a variable like any other; by default a topic is read whole."""
    assert cli.parse(Settings, []).from_ == "earliest"
    monkeypatch.setenv("CONSUMER_FROM", "latest")
    assert cli.parse(Settings, []).from_ == "latest"


def test_defaults() -> None:
    """By default a run is reproducible: replay does not depend on the lag."""
    chosen = cli.parse(Settings, [])
    assert (chosen.learner, chosen.experts) == ("blend", "latent,analytic,bayes")
    assert chosen.target_lag is None


def test_names_of_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Topics are named after the topic of documents, unless an option or a variable names them."""
    monkeypatch.setenv("CONSUMER_DRIFT_TOPIC", "ml.drift")
    chosen = cli.parse(Settings, ["--topic", "tickets", "--predictions-topic", "ml.predictions"])
    names = chosen.topics
    assert (names.documents, names.dead_letters) == ("tickets", "tickets.dead-letters")
    assert (names.predictions, names.drift) == ("ml.predictions", "ml.drift")


@pytest.mark.parametrize("option", ["predictions", "dead-letters", "drift", "labels", "heldout"])
def test_two_topics_of_one_name(option: str) -> None:
    """A name that another topic of the stream has is refused."""
    with pytest.raises(UsageError) as refused:
        cli.parse(Settings, [f"--{option}-topic", "documents"])
    expected = f"the topics of documents and {option} have the same name, 'documents'"
    assert str(refused.value).startswith(expected)


@pytest.mark.parametrize("optimizer", RATES)
def test_rates_follow_the_optimizer(optimizer: str) -> None:
    """Each optimizer has its own default learning rates."""
    chosen = cli.parse(Settings, ["--optimizer", optimizer])
    assert (chosen.learning_rate, chosen.head_learning_rate) == RATES[chosen.optimizer]
    given = cli.parse(Settings, ["--optimizer", optimizer, "--learning-rate", "0.5"])
    assert (given.learning_rate, given.head_learning_rate) == (0.5, RATES[given.optimizer][1])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--layers", "-1"),
        ("--layers", "most"),
        ("--optimizer", "adam"),
        ("--learner", "bert"),
        ("--experts", "latent,bert"),
        ("--experts", "blend"),
        ("--runtime", "onnx"),
        ("--adapters", "-1"),
        ("--learn-tokens", "1"),
        ("--averaging", "1"),
        ("--logit-adjustment", "-1"),
        ("--ridge", "0"),
        ("--target-lag", "0"),
        ("--precision", "fp16"),
        ("--batch-size", "0"),
        ("--replay", "none"),
        ("--replay-ratio", "-1"),
        ("--learning-rate", "0"),
        ("--http-port", "65536"),
        ("--stop-after", "0"),
        ("--from", "now"),
        ("--from", "1767614400"),
        ("--from", "2999-01-01"),
        ("--from", "1969-12-31T23:59Z"),
        ("--checkpoint-every", "0"),
    ],
)
def test_impossible_values(option: str, value: str) -> None:
    """The error about an impossible value names its option and no other."""
    with pytest.raises(UsageError) as refused:
        cli.parse(Settings, [option, value])
    message = str(refused.value)
    assert message.count("--") == 2  # the option, and --help
    assert message.startswith(option)
    assert repr(value) in message


def test_evaluate_needs_a_checkpoint() -> None:
    """Evaluation requires --checkpoint; all other options have defaults."""
    with pytest.raises(UsageError, match=r"--checkpoint .*is required"):
        cli.parse(EvaluateSettings, [])
    chosen = cli.parse(EvaluateSettings, ["--checkpoint", "folder"])
    assert chosen.checkpoint == Path("folder")
    assert chosen.topic == "documents.heldout"


def test_cores_of_an_evaluator() -> None:
    """Beside a learner an evaluator uses one core by default; alone it uses all cores."""

    def threads(*options: str) -> int:
        return cores(cli.parse(EvaluateSettings, ["--checkpoint", "folder", *options]))

    assert threads("--watch") == 1
    assert threads("--watch", "--threads", "3") == 3
    assert threads() == torch.get_num_threads()
    with pytest.raises(UsageError, match=r"--threads .*'0'"):
        threads("--threads", "0")


def test_http_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token comes from the environment or a file, and is not shown."""
    file = tmp_path / "token"
    file.write_text("open sesame\n")
    from_file = cli.parse(Settings, ["--http-token-file", str(file)])
    monkeypatch.setenv("CONSUMER_HTTP_TOKEN", "open sesame")
    for parsed in (from_file, cli.parse(Settings, [])):
        assert parsed.http_token is not None
        assert parsed.http_token.get_secret_value() == "open sesame"
        assert "sesame" not in repr(parsed)
    with pytest.raises(UsageError, match="choose one"):
        cli.parse(Settings, ["--http-token-file", str(file)])


@pytest.mark.parametrize("argv", [["--http-token", "sesame"], ["--http-tokn=sesame"]])
def test_http_token_as_a_flag(argv: list[str]) -> None:
    """A token as a flag is refused; the message names the alternatives, not the token."""
    with pytest.raises(UsageError, match=r"CONSUMER_HTTP_TOKEN.*--http-token-file") as refused:
        cli.parse(Settings, argv)
    assert "sesame" not in str(refused.value)


def test_empty_http_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty token is refused, as it would let no client in."""
    monkeypatch.setenv("CONSUMER_HTTP_TOKEN", "")
    with pytest.raises(UsageError, match=r"^CONSUMER_HTTP_TOKEN is wrong, but "):
        cli.parse(Settings, [])
    monkeypatch.delenv("CONSUMER_HTTP_TOKEN")
    (tmp_path / "token").touch()
    with pytest.raises(UsageError, match=r"^--http-token-file is empty"):
        cli.parse(Settings, ["--http-token-file", str(tmp_path / "token")])


def test_option_that_may_be_meant_for_a_token() -> None:
    """The error about an unknown option omits its value if that may be a secret."""
    with pytest.raises(UsageError, match=r"^unrecognized arguments: --token \(did") as refused:
        cli.parse(Settings, ["--token", "sesame"])
    assert "sesame" not in str(refused.value)


def test_token_outside_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that a header cannot contain is refused at the start."""
    monkeypatch.setenv("CONSUMER_HTTP_TOKEN", "geheim€")
    with pytest.raises(UsageError, match="use ASCII only") as caught:
        cli.parse(Settings, [])
    assert "geheim" not in str(caught.value)
