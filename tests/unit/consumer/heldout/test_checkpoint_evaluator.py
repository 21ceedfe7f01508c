"""A checkpoint is evaluated with the model that it describes, whatever came before it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers import Build, apply_update, documents

from consumer.checkpoints.manifest import CheckpointError
from consumer.checkpoints.state import take_snapshot
from consumer.checkpoints.store import CheckpointStore
from consumer.evaluation.evaluator import Evaluator, LabelProbability, Prediction
from consumer.features import encoder
from consumer.features.config import HardwareConfig
from consumer.features.extractor import extract
from consumer.heldout.checkpoint_evaluator import CheckpointEvaluator
from consumer.labels import LabelSet
from consumer.learners.factory import BuiltModel
from consumer.learners.protocol import TrainingBatch
from newsreel.events.document import Document

HARDWARE = HardwareConfig("cpu", "fp32", "torch")

HELD_OUT = documents(30, start=1000)

Save = Callable[[BuiltModel, Sequence[Document]], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Train a model on documents, write a checkpoint and return its folder."""
    store = CheckpointStore(tmp_path, keep=9)

    def call(model: BuiltModel, learned: Sequence[Document]) -> Path:
        labels, evaluator = LabelSet(9), Evaluator()
        for start in range(0, len(learned), 16):
            batch_documents = learned[start : start + 16]
            features = extract(model.extractor, batch_documents)
            targets = [labels.add(str(document.label)) for document in batch_documents]
            batch = TrainingBatch(features, targets)
            predictions = model.learner.predict_many(features)
            apply_update(model.learner.propose(batch, TrainingBatch([], []), predictions))
            guess = LabelProbability("sport", 1.0, 1.0)
            evaluator.update(Prediction(document, guess) for document in batch_documents)
        parts = {"labels": labels, "learner": model.learner, "evaluator": evaluator}
        about: dict[str, Any] = {"topic": "t", "group": "g", "positions": {}}
        id_ = store.save(
            take_snapshot(parts),
            documents=len(learned),
            describes=model.describes | {"replay": "reservoir"},
            **about,
        )
        return tmp_path / id_

    return call


def test_scores_of_a_checkpoint(build: Build, save: Save) -> None:
    """A trained model knows held-out documents; the gap is prequential minus held-out accuracy."""
    folder = save(build("bayes"), documents(96))
    evaluation = CheckpointEvaluator(HARDWARE, 0).evaluate(folder, HELD_OUT)
    assert evaluation.scores.accuracy > 0.9
    assert evaluation.scores.documents == 30
    assert evaluation.labels == ["sport", "space"]
    assert evaluation.gap == 0.5 - evaluation.scores.accuracy
    assert evaluation.written == (folder / "manifest.json").stat().st_mtime
    assert evaluation.manifest.documents == 96


@pytest.mark.parametrize("learner", ["blend", "finetune", "ngram"])
def test_order_of_checkpoints(learner: str, build: Build, save: Save) -> None:
    """An older checkpoint has the same scores before and after a newer one with more labels."""
    one_label = [document for document in documents(64) if document.label == "sport"]
    older = save(build(learner), one_label)
    newer = save(build(learner), documents(96))
    evaluator = CheckpointEvaluator(HARDWARE, 1 << 30)
    found = [evaluator.evaluate(folder, HELD_OUT) for folder in (older, newer, older)]
    assert found[0].labels == found[2].labels == ["sport"]
    assert found[0].scores == found[2].scores != found[1].scores
    assert CheckpointEvaluator(HARDWARE, 0).evaluate(newer, HELD_OUT).scores == found[1].scores


def test_features_of_frozen_layers_are_cached(
    build: Build, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document is encoded once for all checkpoints; a new document is encoded, too."""
    folders = [save(build("blend"), documents(count)) for count in (32, 64)]
    tokenized: list[str] = []
    tokenize = encoder.Encoder.tokenize

    def spied(self: encoder.Encoder, texts: Sequence[str]) -> Any:
        tokenized.extend(texts)
        return tokenize(self, texts)

    evaluator = CheckpointEvaluator(HARDWARE, 1 << 30)
    evaluator.evaluate(folders[0], HELD_OUT[:1])  # tries its encoder
    monkeypatch.setattr(encoder.Encoder, "tokenize", spied)
    for folder in folders:
        evaluator.evaluate(folder, HELD_OUT[:20])
    evaluator.evaluate(folders[1], HELD_OUT[:21])
    assert len(tokenized) == len(set(tokenized)) == 20


def test_another_model(build: Build, save: Save) -> None:
    """A checkpoint of another learner gets a model of its own."""
    evaluator = CheckpointEvaluator(HARDWARE, 1 << 30)
    bayes, ngram = (
        evaluator.evaluate(save(build(learner), documents(64)), HELD_OUT)
        for learner in ("bayes", "ngram")
    )
    assert bayes.manifest.describes["learner"] == "bayes"
    assert bayes.scores.log_loss != ngram.scores.log_loss


def test_another_encoder(build: Build, save: Save) -> None:
    """A checkpoint of an encoder with other weights is refused."""
    model = build("analytic")
    model = replace(model, describes=model.describes | {"model_weights": "0" * 64})
    with pytest.raises(CheckpointError, match="weights of --model"):
        CheckpointEvaluator(HARDWARE, 0).evaluate(save(model, documents(16)), HELD_OUT)
