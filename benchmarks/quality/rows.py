"""The rows of the benchmark. A library is imported when its row is built, and only then."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from benchmarks.model import Model, Reference

C = TypeVar("C", Model, Reference)

Build = Callable[[Sequence[str], int], C]
"""Takes all labels of the corpus, for libraries that must be told, and a seed."""


@dataclass(frozen=True)
class Row(Generic[C]):
    """A title for people, and where its `Build` is, as ``module:name``."""

    title: str
    where: str

    def build(self, labels: Sequence[str], seed: int) -> C:
        """Build it.

        Raises
        ------
        ModuleNotFoundError
            Its library is not installed.
        """
        module, _, name = self.where.partition(":")
        build: Build[C] = getattr(import_module(module), name)
        return build(labels, seed)


ROWS: Mapping[str, Row[Model]] = {
    "newsreel": Row("**newsreel** (default: blend)", "benchmarks.newsreel:default"),
    "newsreel-thorough": Row(
        "newsreel, thorough: all activations, a replay for each document",
        "benchmarks.newsreel:thorough",
    ),
    "newsreel-latent": Row("newsreel, latent replay alone", "benchmarks.newsreel:latent"),
    "newsreel-analytic": Row("newsreel, analytic alone", "benchmarks.newsreel:analytic"),
    "newsreel-bayes": Row("newsreel, naive Bayes alone", "benchmarks.newsreel:bayes"),
    "newsreel-ngram": Row("newsreel, n-gram softmax alone", "benchmarks.newsreel:ngram"),
    "newsreel-finetune": Row("newsreel, fine-tuning 2 layers", "benchmarks.newsreel:finetune"),
    "newsreel-adapters": Row("newsreel, LoRA in all layers", "benchmarks.newsreel:adapters"),
    "with-ngram": Row("blend with n-gram softmax in it", "benchmarks.newsreel:with_ngram"),
    "without-gradients": Row(
        "blend without gradient steps", "benchmarks.newsreel:without_gradients"
    ),
    "without-balance": Row(
        "blend with a reservoir that is not balanced", "benchmarks.newsreel:without_balance"
    ),
    "without-replay": Row("blend without replay", "benchmarks.newsreel:without_replay"),
    "without-adjustment": Row(
        "blend without logit adjustment", "benchmarks.newsreel:without_adjustment"
    ),
    "without-average": Row("blend without weight averaging", "benchmarks.newsreel:without_average"),
    "plain-loop": Row(
        "plain loop: SGD, one at a time, no replay, fp32", "benchmarks.newsreel:plain"
    ),
    "river-softmax": Row("River, TF-IDF, softmax", "benchmarks.peers.river:softmax"),
    "river-naive-bayes": Row("River, counts, naive Bayes", "benchmarks.peers.river:multinomial"),
    "sklearn-sgd": Row("scikit-learn, hashing, SGD", "benchmarks.peers.scikit_learn:HashingSGD"),
    "vowpal-wabbit": Row("Vowpal Wabbit", "benchmarks.peers.vowpal_wabbit:OneAgainstAll"),
}

REFERENCES: Mapping[str, Row[Reference]] = {
    "linear-svc": Row(
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
"""What `--quick` compares, in less than 10 minutes on two cores."""


def title(name: str) -> str:
    """Return the title of a row, or its name where there is no such row any more."""
    rows: Mapping[str, Row[Any]] = {**ROWS, **REFERENCES}
    return rows[name].title if name in rows else name
