"""Rows of the scenarios: newsreel with and without its reaction to drift, and adaptive peers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks.model import Model

if TYPE_CHECKING:  # the names of rows are needed where the memory of torch must not count
    from benchmarks.newsreel import Wrap


@dataclass(frozen=True, slots=True)
class ScenarioRow:
    """A learner: its title in reports, and newsreel's options or a peer as ``module:name``."""

    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    peer: str | None = None

    def build(self, seed: int, wrap: "Wrap") -> Model:
        """Build the learner.

        Parameters
        ----------
        wrap
            Applied to the extractor of newsreel's rows with an encoder.

        Raises
        ------
        ModuleNotFoundError
            The peer's library is not installed.
        """
        from benchmarks import newsreel  # noqa: PLC0415 - imports torch, which takes seconds

        if self.peer is not None:
            module, _, name = self.peer.partition(":")
            model: Model = getattr(import_module(module), name)([], seed)
            return model
        if self.options.get("learner") == "ngram":
            return newsreel.build(**self.options)([], seed)
        return newsreel.build(wrap, **self.options)([], seed)


ROWS: Mapping[str, ScenarioRow] = {
    "newsreel": ScenarioRow("**newsreel** (forget)"),
    "nothing": ScenarioRow("newsreel, no reaction", {"on_drift": "nothing"}),
    "ngram": ScenarioRow("newsreel, n-gram softmax", {"learner": "ngram", "on_drift": "nothing"}),
    "river-adwin": ScenarioRow(
        "River, naive Bayes with ADWIN", peer="benchmarks.peers.river:retraining"
    ),
    "river-forest": ScenarioRow(
        "River, adaptive random forest", peer="benchmarks.peers.river_forest:build"
    ),
}
