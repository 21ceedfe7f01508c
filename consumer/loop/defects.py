"""Find documents of a micro-batch that can't be learned: their numbers are not finite."""

from collections.abc import Mapping

import numpy as np

from consumer.features.extractor import Features
from consumer.learners.prediction import PredictedBatch
from newsreel.events.errors import shorten


def defects_of(predicted: PredictedBatch) -> Mapping[int, str]:
    """Return what is wrong with labelled documents that can't be learned, by their row.

    If no prediction of a document with finite features is finite, the model is at fault, and none
    of these documents is named.
    """
    defects: dict[int, str] = {}
    sound: list[int] = []
    for row, document in enumerate(predicted.documents):
        if document.label is None:
            continue
        feature = _not_finite(predicted.features[row])
        if feature is None:
            sound.append(row)
        else:
            defects[row] = f"{feature} of {shorten(document.id)} is not finite"
    finite = [bool(np.isfinite(row).all()) for row in predicted.predictions.probabilities]
    if any(finite[row] for row in sound):
        for row in sound:
            if not finite[row]:
                id_ = shorten(predicted.documents[row].id)
                defects[row] = f"the prediction of {id_} is not finite"
    return dict(sorted(defects.items()))


def _not_finite(features: Features) -> str | None:
    """Return the name of a feature that is not finite; None if all are finite."""
    return next((name for name, feature in features.items() if not feature.isfinite().all()), None)
