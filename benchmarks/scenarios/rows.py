"""Who is compared: newsreel with its reaction and without, and peers that adapt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from benchmarks.model import Model
from consumer.features.extractor import CachedFeatures, Extractor

ROOM = 3 << 30
"""Bytes of features that are kept from one stream to the next: all are of the same texts."""

Share = Callable[[Extractor], Extractor]


@dataclass(frozen=True, slots=True)
class Row:
    """A title for people, and newsreel's options, or a peer as ``module:name``."""

    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    peer: str | None = None

    def build(self, seed: int, share: Share) -> Model:
        """Build it; rows of newsreel that have an encoder ``share`` what it reads.

        Raises
        ------
        ModuleNotFoundError
            Its library is not installed.
        """
        from benchmarks import newsreel  # noqa: PLC0415 - takes seconds

        if self.peer is not None:
            module, _, name = self.peer.partition(":")
            made: Model = getattr(import_module(module), name)([], seed)
            return made
        if self.options.get("learner") == "ngram":
            return newsreel.build(**self.options)([], seed)
        return newsreel.build(share, **self.options)([], seed)


ROWS: Mapping[str, Row] = {
    "newsreel": Row("**newsreel** (forget)"),
    "nothing": Row("newsreel, no reaction", {"on_drift": "nothing"}),
    "ngram": Row("newsreel, n-gram softmax", {"learner": "ngram", "on_drift": "nothing"}),
    "river-adwin": Row("River, naive Bayes with ADWIN", peer="benchmarks.peers.river:retraining"),
    "river-forest": Row(
        "River, adaptive random forest", peer="benchmarks.peers.river_forest:build"
    ),
}


def sharing() -> Share:
    """Make what gives all rows the extractor of the first, with what it has read."""
    shared: list[Extractor] = []

    def share(extractor: Extractor) -> Extractor:
        if not shared:
            shared.append(CachedFeatures(extractor, ROOM))
        return shared[0]

    return share
