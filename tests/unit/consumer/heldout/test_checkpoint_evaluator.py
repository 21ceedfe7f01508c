"""A checkpoint is examined by what it says itself, and nothing is left of the one before."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers import accepted, documents

from consumer.checkpoints.manifest import CheckpointError
from consumer.checkpoints.state import take_snapshot
from consumer.checkpoints.store import CheckpointStore
from consumer.evaluation.evaluator import Evaluator, LabelProbability, Prediction
from consumer.features import encoder
from consumer.features.config import HardwareConfig
from consumer.features.extractor import extract
from consumer.heldout.checkpoint_evaluator import CheckpointEvaluator
from consumer.labels import LabelSet
from consumer.learners.factory import (
    BuiltModel,
)
from consumer.learners.protocol import TrainingBatch
from newsreel.events.document import Document

MACHINE = HardwareConfig("cpu", "fp32", "torch")

HELD_OUT = documents(30, start=1000)

Save = Callable[[BuiltModel, Sequence[Document]], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write what a learner is after it has learned documents; returns the checkpoint's folder."""
    store = CheckpointStore(tmp_path, keep=9)

    def call(assembled: BuiltModel, learned: Sequence[Document]) -> Path:
        labels, evaluator = LabelSet(9), Evaluator()
        for start in range(0, len(learned), 16):
            some = learned[start : start + 16]
            features = extract(assembled.extractor, some)
            lesson = TrainingBatch(features, [labels.add(str(one.label)) for one in some])
            predictions = assembled.learner.predict_many(features)
            accepted(assembled.learner.propose(lesson, TrainingBatch([], []), predictions))
            evaluator.update(Prediction(one, LabelProbability("sport", 1.0, 1.0)) for one in some)
        parts = {"labels": labels, "learner": assembled.learner, "evaluator": evaluator}
        about: dict[str, Any] = {"topic": "t", "group": "g", "positions": {}}
        id_ = store.save(
            take_snapshot(parts),
            documents=len(learned),
            describes=assembled.describes | {"replay": "reservoir"},
            **about,
        )
        return tmp_path / id_

    return call


def test_scores_of_a_checkpoint(build: Any, save: Save) -> None:
    """What is learned is known of documents that were not; the gap is what was claimed beyond."""
    folder = save(build("bayes"), documents(96))
    examination = CheckpointEvaluator(MACHINE, 0).examine(folder, HELD_OUT)
    assert examination.scores.accuracy > 0.9
    assert examination.scores.documents == 30
    assert examination.labels == ["sport", "space"]
    assert examination.gap == 0.5 - examination.scores.accuracy
    assert examination.written == (folder / "manifest.json").stat().st_mtime
    assert examination.manifest.documents == 96


@pytest.mark.parametrize("learner", ["blend", "finetune", "ngram"])
def test_in_any_order(learner: str, build: Any, save: Save) -> None:
    """An older checkpoint after a newer one, with fewer labels, is the same as before it."""
    one_label = [one for one in documents(64) if one.label == "sport"]
    older = save(build(learner), one_label)
    newer = save(build(learner), documents(96))
    examiner = CheckpointEvaluator(MACHINE, 1 << 30)
    found = [examiner.examine(folder, HELD_OUT) for folder in (older, newer, older)]
    assert found[0].labels == found[2].labels == ["sport"]
    assert found[0].scores == found[2].scores != found[1].scores
    assert CheckpointEvaluator(MACHINE, 0).examine(newer, HELD_OUT).scores == found[1].scores


def test_frozen_layers_read_a_document_once(
    build: Any, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many checkpoints are examined on it; a document that is new is read, too."""
    folders = [save(build("blend"), documents(count)) for count in (32, 64)]
    read: list[str] = []
    tokenize = encoder.Encoder.tokenize

    def spied(self: encoder.Encoder, texts: Sequence[str]) -> Any:
        read.extend(texts)
        return tokenize(self, texts)

    examiner = CheckpointEvaluator(MACHINE, 1 << 30)
    examiner.examine(folders[0], HELD_OUT[:1])  # which tries its encoder
    monkeypatch.setattr(encoder.Encoder, "tokenize", spied)
    for folder in folders:
        examiner.examine(folder, HELD_OUT[:20])
    examiner.examine(folders[1], HELD_OUT[:21])
    assert len(read) == len(set(read)) == 20


def test_another_model(build: Any, save: Save) -> None:
    """When checkpoints become those of another learner, it is put together anew."""
    examiner = CheckpointEvaluator(MACHINE, 1 << 30)
    alone = [
        examiner.examine(save(build(it), documents(64)), HELD_OUT) for it in ("bayes", "ngram")
    ]
    assert alone[0].manifest.describes["learner"] == "bayes"
    assert alone[0].scores.log_loss != alone[1].scores.log_loss


def test_another_encoder(build: Any, save: Save) -> None:
    """A checkpoint of an encoder that is not this one is refused."""
    assembled = build("analytic")
    assembled = replace(assembled, describes=assembled.describes | {"model_weights": "0" * 64})
    with pytest.raises(CheckpointError, match="weights of --model"):
        CheckpointEvaluator(MACHINE, 0).examine(save(assembled, documents(16)), HELD_OUT)
