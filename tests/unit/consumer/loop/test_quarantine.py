"""Micro-batches that cannot be learned become dead letters, and leave the learner unchanged."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import torch
from helpers import Build, Saved, apply_update, documents
from hypothesis import given, settings
from hypothesis import strategies as st
from loops import RecordingLearner, build_loop, numbered, read, resume

from consumer.features.extractor import Extractor, Features, extract
from consumer.kafka.batch import Origin
from consumer.learners.protocol import (
    MAX_LOSS,
    Learner,
    Predictions,
    RejectedError,
    StagedUpdate,
    TrainingBatch,
)
from consumer.loop.prequential import Loop
from consumer.loop.quarantine import (
    LARGEST_RUN,
    LARGEST_STREAK,
    DivergedError,
    NotFiniteError,
    Quarantine,
)
from consumer.monitoring.progress import Progress
from consumer.monitoring.summary import summarize
from newsreel.events.document import Document, encode
from newsreel.events.errors import Reason

NOTHING = TrainingBatch([], [])

BLEND = ("latent", "analytic", "bayes")

Diverging = Callable[..., Loop]


class DivergingLearner:
    """A learner whose training batches with some ids have a loss out of bounds."""

    def __init__(self, learner: Learner, bad: Iterable[str], loss: float = math.nan) -> None:
        self._learner = learner
        self._bad = set(bad)
        self._loss = loss

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        ids = {bytes(row["id"].tolist()).decode() for row in new.features}
        if ids & self._bad:
            return StagedUpdate(self._loss, lambda: None)
        update: StagedUpdate = self._learner.propose(new, replayed, predictions)
        return update

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)


class NanExtractor:
    """An extractor that sets a feature of some documents to NaN."""

    def __init__(self, extractor: Extractor, bad: Iterable[str], feature: str) -> None:
        self._extractor = extractor
        self._bad = set(bad)
        self._feature = feature

    def tokenize_many(self, documents: Sequence[Document]) -> list[Features]:
        self._documents = documents
        rows: list[Features] = self._extractor.tokenize_many(documents)
        return rows

    def extract_many(self, read: Sequence[Features]) -> list[Features]:
        rows: list[Features] = self._extractor.extract_many(read)
        return [
            row | {self._feature: torch.full_like(row[self._feature], math.nan)}
            if document.id in self._bad
            else row
            for document, row in zip(self._documents, rows, strict=True)
        ]


@pytest.fixture(scope="session")
def diverging() -> Diverging:
    """Build a loop whose learner diverges on some ids."""

    def call(bad: Iterable[str], loss: float = math.nan, **options: Any) -> Loop:
        return build_loop(learner=DivergingLearner(RecordingLearner(), bad, loss), **options)

    return call


@settings(deadline=None)
@given(
    labels=st.lists(st.sampled_from(["a", "b", None]), max_size=40),
    groups=st.lists(st.integers(0, 9), max_size=30),
    size=st.integers(1, 9),
    bad=st.sets(st.integers(0, 39), max_size=3),
)
def test_micro_batches_are_learned_or_dead_letters(
    diverging: Diverging,
    labels: list[str | None],
    groups: list[int],
    size: int,
    bad: set[int],
) -> None:
    """Each labelled document is learned and in the buffer, or it is a dead letter."""
    loop = diverging(map(str, bad), batch_size=size, replay_ratio=0.0)
    steps = read(loop, numbered(labels), groups=groups)
    batches = [
        [n for n in range(s, min(s + size, len(labels))) if labels[n]] for s in range(0, 40, size)
    ]
    good = [batch for batch in batches if batch and not bad & set(batch)]
    rejected = [batch for batch in batches if bad & set(batch)]
    assert loop.classifier.learner.learned == [[str(n) for n in batch] for batch in good]
    letters = [letter for step in steps for letter in step.dead_letters]
    assert [letter.offset for letter in letters] == [*itertools.chain(*rejected)]
    assert {letter.reason for letter in letters} <= {Reason.DIVERGED}
    assert len(loop.replay_buffer) == sum(map(len, good))
    assert loop.evaluator.scores().whole.documents == sum(label is not None for label in labels)
    progress = Progress()
    for step in steps:
        progress.observe(step)
        assert not (step.learned and step.dead_letters)
    assert (progress.records, progress.steps) == (len(labels), len(good))
    assert summarize(progress.snapshot(), None)["quarantined_documents"] == len(letters)


@pytest.mark.parametrize("loss", [math.nan, math.inf, MAX_LOSS * 1.01])
def test_losses_out_of_bounds(diverging: Diverging, loss: float) -> None:
    """A step whose loss is NaN or too large is not learned; its dead letters have the loss."""
    loop = diverging(["2"], loss, batch_size=2)
    steps = read(loop, numbered("abab"))
    assert [len(step.dead_letters) for step in steps] == [0, 2]
    assert [step.learned is None for step in steps] == [False, True]
    assert f"{loss:.4g} nats" in steps[1].dead_letters[0].detail
    assert [len(step.predictions) for step in steps] == [2, 2]  # documents are still predicted


def test_the_largest_loss_is_learned() -> None:
    """A loss of exactly the limit is learned."""
    assert apply_update(StagedUpdate(MAX_LOSS, lambda: None)) == MAX_LOSS


DOCUMENTS = [
    Document("1", "ein Text", "ä", datetime(2026, 1, 1, 12, tzinfo=UTC)),
    Document("topic/0/7", " \n", "a"),  # a long text may begin with spaces
    Document(
        "2", "text", "x" * 256, datetime(1890, 1, 1, tzinfo=timezone(timedelta(seconds=3208)))
    ),
]


def test_dead_letters_are_documents() -> None:
    """A dead letter has the encoded document and its topic, partition and offset."""
    origins = [Origin(0, 7), Origin(3, 8), Origin(1, 1 << 40)]
    letters = Quarantine("news").set_aside(zip(DOCUMENTS, origins, strict=True), "why")
    for document, origin, letter in zip(DOCUMENTS, origins, letters, strict=True):
        assert (letter.topic, letter.partition, letter.offset) == ("news", *origin)
        assert (letter.headers, letter.reason, letter.detail) == ([], Reason.DIVERGED, "why")
        if document.text.strip():
            record = encode(document, "test")
            assert (letter.key, letter.value) == (record.key, record.value)
        else:
            assert letter.value == b'{"text":" \\n","label":"a"}'


def test_five_rejected_steps_in_a_row(diverging: Diverging) -> None:
    """Five rejected micro-batches in a row end the run with the options to change."""
    bad = list(map(str, range(4, 40)))
    steps = read(diverging(bad, batch_size=2), numbered("ab" * 6))
    assert [len(step.dead_letters) for step in steps] == [0, 0, *[2] * (LARGEST_STREAK - 1)]
    with pytest.raises(
        DivergedError, match=r"^5 micro-batches in a row[^\n]*--learning-rate[^\n]*$"
    ):
        read(diverging(bad, batch_size=2), numbered("ab" * 7))


def test_applied_step_resets_the_count(diverging: Diverging) -> None:
    """Rejected micro-batches with applied ones between them do not end a run."""
    bad = [str(number) for number in range(60) if number % LARGEST_STREAK]
    steps = read(diverging(bad, batch_size=1), numbered("abc" * 20))
    assert sum(step.learned is not None for step in steps) == 60 / LARGEST_STREAK


def test_unlabelled_micro_batch_does_not_reset_the_count(diverging: Diverging) -> None:
    """A micro-batch without labels does not count as applied."""
    loop = diverging(map(str, range(10)), batch_size=1)
    with pytest.raises(DivergedError):
        read(loop, numbered(["a", None] * LARGEST_STREAK))


def test_count_survives_a_restart(diverging: Diverging) -> None:
    """Three rejected steps before a restart and two after it are five in a row."""
    stopped = diverging(map(str, range(40)), batch_size=2)
    read(stopped, numbered("ab" * 3), ends=False)
    for more, fails in ((1, False), (2, True)):
        restarted = diverging(map(str, range(40)), batch_size=2)
        resume(restarted, stopped)
        if fails:
            with pytest.raises(DivergedError):
                read(restarted, numbered("ab" * more))
        else:
            assert len(read(restarted, numbered("ab" * more))[0].dead_letters) == 2


@pytest.mark.parametrize(
    ("kind", "feature", "averaging"),
    [
        ("latent", "hidden", 0.9),
        ("latent", "hidden", 0.0),
        ("analytic", "pooled", 0.9),
        ("blend", "hidden", 0.9),
        ("blend", "pooled", 0.9),
        ("blend", "frequencies", 0.9),
    ],
)
def test_document_that_is_not_finite_costs_itself(
    build: Build, saved: Saved, kind: str, feature: str, averaging: float
) -> None:
    """Learner and buffer equal those of a stream in which it has no label, bit for bit."""
    usual = documents(40)
    unusual = [Document(f"strange {n}", f"rocket {n}", "a label seen once") for n in range(7)]
    without, with_bad = [], []
    for bad, label, states in (([], None, without), (["bad"], "sport", with_bad)):
        model = build(kind, averaging=averaging)
        extractor = NanExtractor(model.extractor, bad, feature)
        loop = build_loop(8, 0.0, extractor=extractor, learner=model.learner)
        inserted = [*unusual[:3], Document("bad", "goal", label), *unusual[3:]]
        steps = read(loop, [*usual[:24], *inserted, *usual[24:]])
        states += [
            saved(loop.classifier.learner),
            saved(loop.replay_buffer),
            [step.learned for step in steps if step.learned],
        ]
    assert with_bad == without
    (letter,) = [letter for step in steps for letter in step.dead_letters]
    assert (letter.offset, letter.reason) == (27, Reason.NOT_FINITE)
    assert feature in letter.detail
    assert "'bad'" in letter.detail
    assert [step.learned and step.learned.documents for step in steps] == [8, 8, 8, 7, 8, 8]
    assert steps[3].predictions[3].predicted.label in {None, "sport", "space"}
    assert math.isfinite(steps[-1].scores.whole.log_loss)


@pytest.mark.parametrize("size", [1, 4])
def test_documents_that_are_not_finite_do_not_end_a_run(build: Build, size: int) -> None:
    """Micro-batches of nothing else do not count as rejected steps, until too many texts are so."""
    bad = [f"bad {n}" for n in range(LARGEST_RUN)]
    strange = [Document(id_, "goal", "sport") for id_ in bad]
    model = build("latent")
    loop = build_loop(
        size, extractor=NanExtractor(model.extractor, bad, "hidden"), learner=model.learner
    )
    steps = read(loop, [*strange[:-1], *documents(4), strange[-1]], ends=False)
    assert sum(len(step.dead_letters) for step in steps) >= LARGEST_RUN - 1
    assert {letter.reason for step in steps for letter in step.dead_letters} == {Reason.NOT_FINITE}
    with pytest.raises(NotFiniteError, match=r"^the features of 100 documents[^\n]*--precision"):
        read(loop, strange)


def test_count_of_documents_left_out_survives_a_restart(build: Build) -> None:
    """Documents in a row that are not finite are counted across a restart."""
    quarantine, restarted = Quarantine("news"), Quarantine("news")
    document = Document("bad", "goal", "sport")
    for number in range(LARGEST_RUN - 1):
        quarantine.leave_out(document, Origin(0, number), "why")
    restarted.load_state_dict(quarantine.state_dict())
    with pytest.raises(NotFiniteError):
        restarted.leave_out(document, Origin(0, LARGEST_RUN), "why")


class NanLearner:
    """A learner whose predictions of some rows of a batch of eight are NaN."""

    def __init__(self, learner: Learner, rows: Sequence[int]) -> None:
        self._learner = learner
        self._rows = list(rows)

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        predictions: Predictions = self._learner.predict_many(features)
        if len(features) == 8:
            predictions.probabilities[self._rows] = math.nan
        return predictions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)


@pytest.mark.parametrize(
    ("rows", "reason", "count"),
    [([2], Reason.NOT_FINITE, 1), (range(8), Reason.DIVERGED, 8)],
)
def test_predictions_that_are_not_finite(
    build: Build, rows: Sequence[int], reason: Reason, count: int
) -> None:
    """One such prediction costs its document; where all are so, the step is rejected."""
    model = build("bayes")
    loop = build_loop(8, extractor=model.extractor, learner=model.learner)
    read(loop, documents(8), ends=False)
    loop = replace(
        loop, classifier=replace(loop.classifier, learner=NanLearner(model.learner, rows))
    )
    (step,) = read(loop, documents(8), ends=False)
    assert [letter.reason for letter in step.dead_letters] == [reason] * count
    assert (step.learned.documents if step.learned else 0) == 8 - count
    assert all(math.isfinite(share) for each in step.predictions for _, share in each.top)


def test_nan_prediction(build: Build) -> None:
    """A prediction of NaN has no label and probability 0; scores stay finite."""
    model = build("latent")
    extractor = NanExtractor(model.extractor, ["doc-9"], "hidden")
    loop = build_loop(8, extractor=extractor, learner=model.learner)
    steps = read(loop, documents(24))
    predicted = steps[1].predictions[1].predicted
    assert (predicted.label, predicted.probability, predicted.truth) == (None, 0.0, 0.0)
    assert math.isfinite(steps[-1].scores.whole.log_loss)
    assert [step.learned and step.learned.documents for step in steps] == [8, 7, 8]


@pytest.mark.parametrize("experts", [*itertools.permutations(BLEND)])
def test_all_experts_or_none(build: Build, saved: Saved, experts: tuple[str, ...]) -> None:
    """If one expert of a blend rejects a step, no expert learns; the error names the expert."""
    model = build("blend", experts=experts)
    features = extract(model.extractor, documents(16))
    targets = [number % 2 for number in range(8)]
    learner = model.learner
    apply_update(
        learner.propose(
            TrainingBatch(features[:8], targets), NOTHING, learner.predict_many(features[:8])
        )
    )
    before, predictions = saved(learner), learner.predict_many(features[8:])
    features[8]["hidden"] = torch.full_like(features[8]["hidden"], math.nan)
    with pytest.raises(RejectedError, match=r"^latent: the mean loss is nan nats"):
        learner.propose(TrainingBatch(features[8:], [0, 1, 2, 3] * 2), NOTHING, predictions)
    assert saved(learner) == before
    predictions = learner.predict_many(features[:8])
    assert predictions.probabilities.shape == (8, 2)
    apply_update(
        learner.propose(TrainingBatch(features[:8], [0, 1, 2, 3] * 2), NOTHING, predictions)
    )
    assert learner.predict_many(features[:8]).probabilities.shape == (8, 4)
