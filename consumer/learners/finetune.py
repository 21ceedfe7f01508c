"""Fine-tune a transformer on the stream: the update newsreel is about."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from consumer.encoder import Encoder
from events.document import Document
from service.errors import UserError

OptimizerName = Literal["adamw", "sgd"]

GRADIENT_NORM = 1.0
"""Gradients are clipped to this Euclidean norm."""


class DivergedError(UserError):
    """Learning has gone out of bounds."""


class FineTune:
    """Cross-entropy on a linear head over the encoder, by gradient steps through both.

    Parameters
    ----------
    encoder
        Turns texts into vectors; its top layers are trained, the others stay as they are.
    layers
        How many; None for all of them and the embeddings.
    optimizer
        ``adamw`` (Loshchilov and Hutter 2019) or ``sgd`` with momentum 0.9.
    learning_rate, head_learning_rate
        Step sizes of the encoder's layers and of the output layer.
    """

    def __init__(
        self,
        encoder: Encoder,
        layers: int | None,
        optimizer: OptimizerName,
        learning_rate: float,
        head_learning_rate: float,
    ) -> None:
        self._encoder = encoder
        self._layers = layers
        self._optimizer_name = optimizer
        self._weight = nn.Parameter(torch.zeros(0, encoder.width, device=encoder.device))
        self._bias = nn.Parameter(torch.zeros(0, device=encoder.device))
        self._parameters = encoder.train_top(layers) | {
            "head.weight": self._weight,
            "head.bias": self._bias,
        }
        head = [self._weight, self._bias]
        body = [p for p in self._parameters.values() if all(p is not q for q in head)]
        groups: list[dict[str, Any]] = [
            {"params": body, "lr": learning_rate},
            {"params": head, "lr": head_learning_rate, "weight_decay": 0.0},
        ]
        self._optimizer: torch.optim.Optimizer = (
            torch.optim.AdamW(groups, weight_decay=0.01)
            if optimizer == "adamw"
            else torch.optim.SGD(groups, momentum=0.9)
        )

    def predict_proba_many(self, documents: Sequence[Document]) -> NDArray[np.float32]:
        """Return probabilities, shape (documents, labels learned so far)."""
        with torch.inference_mode():
            probabilities: NDArray[np.float32] = self._logits(documents).softmax(1).cpu().numpy()
        return probabilities

    def learn_many(self, documents: Sequence[Document], targets: Sequence[int]) -> float:
        """Take one optimizer step on the mean cross-entropy; returns it, in nats.

        Raises
        ------
        DivergedError
            The loss is infinite or no number; the parameters are left as they are.
        """
        self._grow(max(targets) + 1)
        loss = nn.functional.cross_entropy(
            self._logits(documents), torch.tensor(targets, device=self._encoder.device)
        )
        if not loss.isfinite():
            raise DivergedError(
                "the loss is not finite, the model has diverged; nothing is committed past the last"
                " checkpoint: lower --learning-rate and --head-learning-rate and start again"
            )
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters.values(), GRADIENT_NORM)
        self._optimizer.step()
        return float(loss.detach())

    def _logits(self, documents: Sequence[Document]) -> torch.Tensor:
        vectors = self._encoder([document.text for document in documents])
        return nn.functional.linear(vectors, self._weight, self._bias)

    def _grow(self, outputs: int) -> None:
        """Add output rows of zeros, and room for them in the optimizer's moments."""
        missing = outputs - len(self._bias)
        if missing <= 0:
            return
        for parameter in (self._weight, self._bias):
            shape = parameter.shape
            moments = self._optimizer.state.get(parameter, {})
            for name, tensor in moments.items():
                if tensor is not None and tensor.shape == shape:
                    moments[name] = _with_rows(tensor, missing)
            parameter.data = _with_rows(parameter.data, missing)
            parameter.grad = None

    def describe(self) -> dict[str, Any]:
        """Return what a checkpoint of this learner fits."""
        return {
            "learner": "finetune",
            "model": self._encoder.name,
            "model_weights": self._encoder.weights_sha256,
            "layers": self._layers,
            "max_tokens": self._encoder.max_tokens,
            "optimizer": self._optimizer_name,
        }

    def state_dict(self) -> dict[str, Any]:
        """Return trained parameters and the optimizer's moments; frozen weights are not in it."""
        return {
            "outputs": len(self._bias),
            "parameters": {name: p.detach() for name, p in self._parameters.items()},
            "optimizer": {
                name: dict(self._optimizer.state.get(parameter, {}))
                for name, parameter in self._parameters.items()
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; learning rates stay as they are set now."""
        self._grow(state["outputs"])
        for name, parameter in self._parameters.items():
            parameter.data.copy_(state["parameters"][name])
        # The optimizer numbers parameters in the order of its groups.
        order = [p for group in self._optimizer.param_groups for p in group["params"]]
        names = {id(parameter): name for name, parameter in self._parameters.items()}
        self._optimizer.load_state_dict(
            {
                "state": {
                    number: state["optimizer"][names[id(parameter)]]
                    for number, parameter in enumerate(order)
                    if state["optimizer"][names[id(parameter)]]
                },
                "param_groups": self._optimizer.state_dict()["param_groups"],
            }
        )


def _with_rows(tensor: torch.Tensor, count: int) -> torch.Tensor:
    return torch.cat([tensor, tensor.new_zeros(count, *tensor.shape[1:])])
