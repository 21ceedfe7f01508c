"""River: an adaptive random forest on the vectors of an encoder."""

from collections.abc import Sequence
from functools import cache

from river import compose, forest

from benchmarks import newsreel
from benchmarks.peers.river import Pipeline
from consumer.features.extractor import CachedFeatures, Extractor, extract
from consumer.features.frozen import POOLED_LAYERS
from newsreel.events.document import Document

TREES = 10

CACHE_BYTES = 1 << 30
"""Room for the features of texts."""


def build(_labels: Sequence[str], seed: int) -> Pipeline:
    """Build an adaptive random forest on vectors of texts; for counts of words it is too slow.

    A vector is the mean of the last layer of newsreel's pretrained encoder. Gomes et al. (2017),
    "Adaptive random forests for evolving data stream classification".
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
    """Return one extractor for all streams, which caches the features of each text."""
    return CachedFeatures(newsreel.build_loop(learner="analytic").classifier.extractor, CACHE_BYTES)
