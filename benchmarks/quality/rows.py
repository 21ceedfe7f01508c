"""Rows of the benchmark: learners by name. Building a row imports its library."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from benchmarks.model import Model, Reference

C = TypeVar("C", Model, Reference)

Build = Callable[[Sequence[str], int], C]
"""Function of all labels of the corpus, which some libraries must know, and a seed."""


@dataclass(frozen=True)
class QualityRow(Generic[C]):
    """A learner: its title in reports, and its `Build` as ``module:name``."""

    title: str
    target: str

    def build(self, labels: Sequence[str], seed: int) -> C:
        """Build the learner.

        Raises
        ------
        ModuleNotFoundError
            The learner's library is not installed.
        """
        module, _, name = self.target.partition(":")
        build: Build[C] = getattr(import_module(module), name)
        return build(labels, seed)


ROWS: Mapping[str, QualityRow[Model]] = {
    "newsreel": QualityRow("**newsreel** (default: blend)", "benchmarks.newsreel:default"),
    "newsreel-thorough": QualityRow(
        "newsreel, thorough: all activations, a replay for each document",
        "benchmarks.newsreel:thorough",
    ),
    "newsreel-latent": QualityRow("newsreel, latent replay alone", "benchmarks.newsreel:latent"),
    "newsreel-analytic": QualityRow("newsreel, analytic alone", "benchmarks.newsreel:analytic"),
    "newsreel-bayes": QualityRow("newsreel, naive Bayes alone", "benchmarks.newsreel:bayes"),
    "newsreel-ngram": QualityRow("newsreel, n-gram softmax alone", "benchmarks.newsreel:ngram"),
    "newsreel-finetune": QualityRow(
        "newsreel, fine-tuning 2 layers", "benchmarks.newsreel:finetune"
    ),
    "newsreel-adapters": QualityRow("newsreel, LoRA in all layers", "benchmarks.newsreel:adapters"),
    "with-ngram": QualityRow("blend with n-gram softmax in it", "benchmarks.newsreel:with_ngram"),
    "without-gradients": QualityRow(
        "blend without gradient steps", "benchmarks.newsreel:without_gradients"
    ),
    "without-balance": QualityRow(
        "blend with a reservoir that is not balanced", "benchmarks.newsreel:without_balance"
    ),
    "without-replay": QualityRow("blend without replay", "benchmarks.newsreel:without_replay"),
    "without-adjustment": QualityRow(
        "blend without logit adjustment", "benchmarks.newsreel:without_adjustment"
    ),
    "without-average": QualityRow(
        "blend without weight averaging", "benchmarks.newsreel:without_average"
    ),
    "plain-loop": QualityRow(
        "plain loop: SGD, one at a time, no replay, fp32", "benchmarks.newsreel:plain"
    ),
    "river-softmax": QualityRow("River, TF-IDF, softmax", "benchmarks.peers.river:softmax"),
    "river-naive-bayes": QualityRow(
        "River, counts, naive Bayes", "benchmarks.peers.river:multinomial"
    ),
    "sklearn-sgd": QualityRow(
        "scikit-learn, hashing, SGD", "benchmarks.peers.scikit_learn:HashingSGD"
    ),
    "vowpal-wabbit": QualityRow("Vowpal Wabbit", "benchmarks.peers.vowpal_wabbit:OneAgainstAll"),
}

REFERENCES: Mapping[str, QualityRow[Reference]] = {
    "linear-svc": QualityRow(
        "scikit-learn, TF-IDF, LinearSVC (offline)", "benchmarks.peers.scikit_learn:OfflineSVC"
    ),
}

NAMES: tuple[str, ...] = (*ROWS, *REFERENCES)

SLOW_OR_ABLATION = (
    "newsreel-adapters",
    "newsreel-thorough",
    *(name for name in ROWS if name.startswith(("with-", "without-"))),
)

QUICK_NAMES: tuple[str, ...] = tuple(name for name in NAMES if name not in SLOW_OR_ABLATION)
"""Rows of `--quick`, which takes less than 10 minutes on two cores."""


def title(name: str) -> str:
    """Return the title of a row, or its name if the row no longer exists."""
    rows: Mapping[str, QualityRow[Any]] = {**ROWS, **REFERENCES}
    return rows[name].title if name in rows else name
