"""The consumer's command line: what its options accept, and what depends on what."""

from pathlib import Path

import pytest
import torch

from consumer.evaluate import cores
from consumer.settings import RATES, EvaluateSettings, Settings
from newsreel.common import cli
from newsreel.common.cli import UsageError


@pytest.mark.parametrize(("given", "layers"), [("0", 0), ("3", 3), ("all", "all")])
def test_layers(given: str, layers: int | str) -> None:
    """Layers are a number, or all of them."""
    assert cli.parse(Settings, ["--layers", given]).layers == layers


@pytest.mark.parametrize("experts", ["latent", "analytic,bayes", "latent,analytic,bayes,ngram"])
def test_experts(experts: str) -> None:
    """A blend is of any of the experts."""
    assert cli.parse(Settings, ["--experts", experts]).experts == experts


def test_defaults() -> None:
    """What is not asked for is a run that can be repeated: replay does not depend on time."""
    chosen = cli.parse(Settings, [])
    assert (chosen.learner, chosen.experts) == ("blend", "latent,analytic,bayes")
    assert chosen.target_lag is None


@pytest.mark.parametrize("optimizer", RATES)
def test_rates_follow_the_optimizer(optimizer: str) -> None:
    """Each optimizer brings its own rates, unless they are given."""
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
        ("--checkpoint-every", "0"),
    ],
)
def test_impossible_values(option: str, value: str) -> None:
    """An impossible value is the only thing that is complained of, with the option it is of."""
    with pytest.raises(UsageError) as refused:
        cli.parse(Settings, [option, value])
    message = str(refused.value)
    assert message.count("--") == 2  # the option, and --help
    assert message.startswith(option)
    assert repr(value) in message


def test_evaluate_needs_a_checkpoint() -> None:
    """What is to be examined must be named; everything else has a default."""
    with pytest.raises(UsageError, match=r"--checkpoint .*is required"):
        cli.parse(EvaluateSettings, [])
    chosen = cli.parse(EvaluateSettings, ["--checkpoint", "here"])
    assert chosen.checkpoint == Path("here")
    assert chosen.topic == "documents.heldout"


def test_cores_of_an_evaluator() -> None:
    """Beside a learner an evaluator uses one core by default; alone it uses all cores."""

    def threads(*options: str) -> int:
        return cores(cli.parse(EvaluateSettings, ["--checkpoint", "here", *options]))

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
    """A token is no flag, and is not repeated."""
    with pytest.raises(UsageError, match=r"CONSUMER_HTTP_TOKEN.*--http-token-file") as refused:
        cli.parse(Settings, argv)
    assert "sesame" not in str(refused.value)


def test_empty_http_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is empty by accident lets nobody in: the consumer does not start."""
    monkeypatch.setenv("CONSUMER_HTTP_TOKEN", "")
    with pytest.raises(UsageError, match=r"^CONSUMER_HTTP_TOKEN is wrong, but "):
        cli.parse(Settings, [])
    monkeypatch.delenv("CONSUMER_HTTP_TOKEN")
    (tmp_path / "token").touch()
    with pytest.raises(UsageError, match=r"^--http-token-file is empty"):
        cli.parse(Settings, ["--http-token-file", str(tmp_path / "token")])


def test_option_that_may_be_meant_for_a_token() -> None:
    """What follows an unknown option is not repeated if that may be a secret."""
    with pytest.raises(UsageError, match=r"^unrecognized arguments: --token \(did") as refused:
        cli.parse(Settings, ["--token", "sesame"])
    assert "sesame" not in str(refused.value)


def test_a_token_that_no_header_can_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused at the start, and not at each request."""
    monkeypatch.setenv("CONSUMER_HTTP_TOKEN", "geheim€")
    with pytest.raises(UsageError, match="use ASCII only") as caught:
        cli.parse(Settings, [])
    assert "geheim" not in str(caught.value)
