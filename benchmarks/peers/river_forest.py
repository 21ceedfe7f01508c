"""River: an adaptive random forest, on what an encoder makes of a text."""

from collections.abc import Sequence
from functools import cache

from river import compose, forest

from benchmarks import newsreel
from benchmarks.peers.river import Pipeline
from consumer.features.extractor import CachedFeatures, Extractor, extract
from consumer.features.frozen import POOLED_LAYERS
from newsreel.events.document import Document

TREES = 10

ROOM = 1 << 30
"""Bytes of features that are kept."""


def build(_labels: Sequence[str], seed: int) -> Pipeline:
    """Feed vectors of texts into an adaptive random forest: words are too many for its trees.

    The vectors are those of newsreel's encoder as it comes, the mean of its last layer. Gomes et
    al. (2017), "Adaptive random forests for evolving data stream classification".
    """
    classifier = forest.ARFClassifier(n_models=TREES, seed=seed)
    return Pipeline(
        compose.FuncTransformer(_vector) | classifier,
        lambda: sum(tree.n_nodes for tree in classifier.models),
        {"pipeline": "mean of the encoder's last layer | ARFClassifier", "trees": TREES},
    )


def _vector(text: str) -> dict[int, float]:
    (features,) = extract(_extractor(), [Document("", text)])
    pooled = features["pooled"][0]
    width = len(pooled) // (POOLED_LAYERS + 2)
    return dict(enumerate(pooled[(POOLED_LAYERS - 1) * width : POOLED_LAYERS * width].tolist()))


@cache
def _extractor() -> Extractor:
    """Read each text once, however many streams it comes in."""
    return CachedFeatures(newsreel.build_loop(learner="analytic").classifier.extractor, ROOM)
