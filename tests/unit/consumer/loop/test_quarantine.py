"""What can't be learned is set aside, and the learner is as if it had never come."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import torch
from helpers import apply_update, documents
from hypothesis import given, settings
from hypothesis import strategies as st
from loops import RecordingLearner, build_loop, numbered, read, resume

from consumer.features.extractor import Features, extract
from consumer.kafka.batch import Origin
from consumer.learners.protocol import (
    MAX_LOSS,
    Predictions,
    RejectedError,
    StagedUpdate,
    TrainingBatch,
)
from consumer.loop.quarantine import LARGEST_STREAK, DivergedError, Quarantine
from consumer.monitoring.progress import Progress
from consumer.monitoring.summary import summarize
from newsreel.events.document import Document, decode, encode
from newsreel.events.errors import Reason

NOTHING = TrainingBatch([], [])

BLEND = ("latent", "analytic", "bayes")


class Refusing:
    """A learner that proposes what another does, but for lessons of some ids: those break it."""

    def __init__(self, learner: Any, bad: Iterable[str], loss: float = math.nan) -> None:
        self._learner = learner
        self._bad = set(bad)
        self._loss = loss

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        ids = {bytes(row["id"].tolist()).decode() for row in new.features}
        if ids & self._bad:
            return StagedUpdate(self._loss, lambda: None)
        proposal: StagedUpdate = self._learner.propose(new, replayed, predictions)
        return proposal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)


class Poisoning:
    """An extractor that is right, but for some documents: a feature of theirs is no number."""

    def __init__(self, extractor: Any, bad: Iterable[str], feature: str) -> None:
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
def refusing() -> Callable[..., Any]:
    """Build consumers whose learner breaks on some ids."""

    def make(bad: Iterable[str], loss: float = math.nan, **how: Any) -> Any:
        return build_loop(learner=Refusing(RecordingLearner(), bad, loss), **how)

    return make


@settings(deadline=None)
@given(
    labels=st.lists(st.sampled_from(["a", "b", None]), max_size=40),
    groups=st.lists(st.integers(0, 9), max_size=30),
    size=st.integers(1, 9),
    bad=st.sets(st.integers(0, 39), max_size=3),
)
def test_micro_batches_are_learned_or_dead_letters(
    refusing: Any,
    labels: list[str | None],
    groups: list[int],
    size: int,
    bad: set[int],
) -> None:
    """A document with a label is in a lesson and the buffer, or it is a dead letter."""
    reader = refusing(map(str, bad), batch_size=size, replay_ratio=0.0)
    steps = read(reader, numbered(labels), groups=groups)
    known = [
        [n for n in range(s, min(s + size, len(labels))) if labels[n]] for s in range(0, 40, size)
    ]
    good = [batch for batch in known if batch and not bad & set(batch)]
    refused = [batch for batch in known if bad & set(batch)]
    assert reader.classifier.learner.learned == [[str(n) for n in batch] for batch in good]
    letters = [letter for step in steps for letter in step.dead_letters]
    assert [letter.offset for letter in letters] == [*itertools.chain(*refused)]
    assert {letter.reason for letter in letters} <= {Reason.DIVERGED}
    assert len(reader.replay_buffer) == sum(map(len, good))
    assert reader.evaluator.scores().whole.documents == sum(label is not None for label in labels)
    shown = Progress()
    for step in steps:
        shown.observe(step)
        assert not (step.learned and step.dead_letters)
    assert (shown.records, shown.steps) == (len(labels), len(good))
    assert summarize(shown.snapshot(), None)["quarantined_documents"] == len(letters)


@pytest.mark.parametrize("loss", [math.nan, math.inf, MAX_LOSS * 1.01])
def test_losses_out_of_bounds(refusing: Any, loss: float) -> None:
    """A loss that is no number or beyond all bounds is not learned, and the letter says it."""
    reader = refusing(["2"], loss, batch_size=2)
    steps = read(reader, numbered("abab"))
    assert [len(step.dead_letters) for step in steps] == [0, 2]
    assert [step.learned is None for step in steps] == [False, True]
    assert f"{loss:.4g} nats" in steps[1].dead_letters[0].detail
    assert [len(step.predictions) for step in steps] == [2, 2]  # predictions stand


def test_the_largest_loss_is_learned() -> None:
    """The bound itself is within bounds."""
    assert apply_update(StagedUpdate(MAX_LOSS, lambda: None)) == MAX_LOSS


DOCUMENTS = [
    Document("1", "ein Text", "ä", datetime(2026, 1, 1, 12, tzinfo=UTC)),
    Document("topic/0/7", " \n", "a"),  # what was cut off a long text need not be blank
    Document(
        "2", "text", "x" * 256, datetime(1890, 1, 1, tzinfo=timezone(timedelta(seconds=3208)))
    ),
]


def test_letters_are_documents() -> None:
    """A dead letter holds the document as the wire contract writes it, and where it came from."""
    origins = [Origin(0, 7), Origin(3, 8), Origin(1, 1 << 40)]
    letters = Quarantine("news").set_aside(zip(DOCUMENTS, origins, strict=True), "why")
    for document, origin, letter in zip(DOCUMENTS, origins, letters, strict=True):
        assert (letter.topic, letter.partition, letter.offset) == ("news", *origin)
        assert (letter.headers, letter.reason, letter.detail) == ([], Reason.DIVERGED, "why")
        if document.text.strip():
            record = encode(document, "test")
            assert (letter.key, letter.value) == (record.key, record.value)
            assert decode(letter.key, letter.value, [], default_id="") == document
        else:
            assert letter.value == b'{"text":" \\n","label":"a"}'


def test_five_in_a_row(refusing: Any) -> None:
    """When micro-batch after micro-batch fails, it is the model: one line says what to do."""
    bad = list(map(str, range(4, 40)))
    steps = read(refusing(bad, batch_size=2), numbered("ab" * 6))
    assert [len(step.dead_letters) for step in steps] == [0, 0, *[2] * (LARGEST_STREAK - 1)]
    with pytest.raises(
        DivergedError, match=r"^5 micro-batches in a row[^\n]*--learning-rate[^\n]*$"
    ):
        read(refusing(bad, batch_size=2), numbered("ab" * 7))


def test_one_that_is_learned_begins_anew(refusing: Any) -> None:
    """Bad micro-batches with good ones between them never stop a run."""
    bad = [str(number) for number in range(60) if number % LARGEST_STREAK]
    steps = read(refusing(bad, batch_size=1), numbered("abc" * 20))
    assert sum(step.learned is not None for step in steps) == 60 / LARGEST_STREAK


def test_one_that_teaches_nothing_does_not(refusing: Any) -> None:
    """A micro-batch without labels is no sign that the model is well."""
    reader = refusing(map(str, range(10)), batch_size=1)
    with pytest.raises(DivergedError):
        read(reader, numbered(["a", None] * LARGEST_STREAK))


def test_the_count_outlasts_a_restart(refusing: Any) -> None:
    """Stopped after three and started again, two more are five."""
    stopped = refusing(map(str, range(40)), batch_size=2)
    read(stopped, numbered("ab" * 3), ends=False)
    for more, fails in ((1, False), (2, True)):
        restarted = refusing(map(str, range(40)), batch_size=2)
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
def test_the_learner_is_as_if_they_had_never_come(
    build: Any, saved: Any, kind: str, feature: str, averaging: float
) -> None:
    """Bit for bit, the learner is that of a stream without the micro-batch; labels and all."""
    some = documents(40)
    strange = [Document(f"strange {n}", f"rocket {n}", "a label seen once") for n in range(7)]
    bad = Document("bad", "goal", "sport")
    without, with_bad = [], []
    for inserted, states in (([], without), ([*strange, bad], with_bad)):
        assembled = build(kind, averaging=averaging)
        extractor = Poisoning(assembled.extractor, ["bad"], feature)
        reader = build_loop(8, 0.0, extractor=extractor, learner=assembled.learner)
        steps = read(reader, [*some[:24], *inserted, *some[24:]])
        states += [
            saved(reader.classifier.learner),
            saved(reader.replay_buffer),
            [step.learned for step in steps if step.learned],
        ]
    assert with_bad == without
    letters = [letter for step in steps for letter in step.dead_letters]
    assert [letter.offset for letter in letters] == [*range(24, 32)]
    assert all(feature in letter.detail and "'bad'" in letter.detail for letter in letters)
    assert steps[3].predictions[-1].predicted.label in {None, "sport", "space"}
    assert math.isfinite(steps[-1].scores.whole.log_loss)


def test_a_prediction_that_is_no_number(build: Any) -> None:
    """It is no opinion: whoever reads it sees no label, and scores stay numbers."""
    assembled = build("latent")
    extractor = Poisoning(assembled.extractor, ["doc-9"], "hidden")
    reader = build_loop(8, extractor=extractor, learner=assembled.learner)
    steps = read(reader, documents(24))
    opinion = steps[1].predictions[1].predicted
    assert (opinion.label, opinion.probability, opinion.truth) == (None, 0.0, 0.0)
    assert math.isfinite(steps[-1].scores.whole.log_loss)
    assert [step.learned is None for step in steps] == [False, True, False]


@pytest.mark.parametrize("experts", [*itertools.permutations(BLEND)])
def test_all_experts_or_none(build: Any, saved: Any, experts: tuple[str, ...]) -> None:
    """One expert refuses, and none learns, wherever it stands; the error names it."""
    assembled = build("blend", experts=experts)
    features = extract(assembled.extractor, documents(16))
    targets = [number % 2 for number in range(8)]
    learner = assembled.learner
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
    said = learner.predict_many(features[:8])
    assert said.probabilities.shape == (8, 2)
    apply_update(learner.propose(TrainingBatch(features[:8], [0, 1, 2, 3] * 2), NOTHING, said))
    assert learner.predict_many(features[:8]).probabilities.shape == (8, 4)
