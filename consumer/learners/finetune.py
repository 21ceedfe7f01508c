"""Fine-tune a transformer on the stream."""

from collections.abc import Sequence
from typing import Any

from consumer.features.encoder import Encoder
from consumer.features.extractor import Features
from consumer.features.transformer import add_adapters
from consumer.learners.config import TrainingConfig
from consumer.learners.gradient import GradientSteps
from consumer.learners.protocol import Predictions, StagedUpdate, TrainingBatch


class FineTune:
    """Take gradient steps through a transformer, from the tokens up.

    Parameters
    ----------
    encoder
        Encoder to train; its weights are changed.
    layers
        Number of layers to train from the top; None for all of them and the embeddings.
    adapters
        Rank of low-rank adapters (Hu et al. 2022, "LoRA") that are trained instead of the layers
        themselves: few parameters, small checkpoints. 0 for none.
    seed
        Seed of the adapters' first weights.
    training
        Optimizer and learning rates.
    """

    def __init__(
        self,
        encoder: Encoder,
        layers: int | None,
        adapters: int,
        seed: int,
        training: TrainingConfig,
    ) -> None:
        encoder.train_top(layers)
        if adapters:
            add_adapters(encoder, adapters, seed)
        self.steps = GradientSteps(encoder, encoder.width, encoder.device, training)

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        """Predict documents."""
        return Predictions(self.steps.predict([row["tokens"] for row in features]))

    def propose(
        self,
        new: TrainingBatch,
        replayed: TrainingBatch,
        predictions: Predictions,  # noqa: ARG002
    ) -> StagedUpdate:
        """Compute one optimizer step on new and replayed documents together."""
        tokens = [row["tokens"] for row in (*new.features, *replayed.features)]
        return self.steps.propose("finetune", tokens, [*new.targets, *replayed.targets])

    def forget(self, targets: Sequence[int]) -> None:
        """Reset the outputs of some labels; the layers below stay."""
        self.steps.forget(targets)

    def replay_features(self, features: Features) -> Features:
        """Return the tokens."""
        return {"tokens": features["tokens"]}

    def state_dict(self) -> dict[str, Any]:
        """Return the trained weights; frozen weights are left out."""
        return self.steps.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.steps.load_state_dict(state)
