"""Gradient steps through a transformer's trained layers and the linear classifier on top."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from consumer.learners.config import TrainingConfig
from consumer.learners.protocol import Gradient, RejectedError, StagedUpdate

GRADIENT_NORM = 1.0
"""Gradients are clipped to this Euclidean norm."""

PRIOR_DECAY = 0.95
"""Share of the label prior that remains after a step: the prior follows the last 20 steps or so."""


class Classifier(nn.Module):
    """Classify the vectors of a body linearly; there are no outputs at first.

    Parameters
    ----------
    body
        Module that turns a sequence of tensors into vectors, shape (texts, width).
    width
        Width of the vectors.
    device
        Device of the weights.
    """

    def __init__(self, body: nn.Module, width: int, device: torch.device) -> None:
        super().__init__()
        self.body = body
        self.weight = nn.Parameter(torch.zeros(0, width, device=device))
        self.bias = nn.Parameter(torch.zeros(0, device=device))

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return logits, shape (texts, outputs)."""
        return nn.functional.linear(self.body(inputs), self.weight, self.bias)


class GradientSteps:
    """Minimize cross-entropy step by step; the average of the weights predicts.

    The average is exponential (Polyak and Juditsky 1992) and, as in Tarvainen and Valpola (2017),
    follows the weights faster at first. The loss is adjusted by the prior of recently learned
    labels (Menon et al. 2021, "Long-tail learning via logit adjustment"), so that a label that is
    learned often is not predicted more often for that.

    Parameters
    ----------
    body, width, device
        Arguments of `Classifier`; parameters that require a gradient are trained.
    training
        Optimizer and learning rates.
    """

    def __init__(
        self,
        body: nn.Module,
        width: int,
        device: torch.device,
        training: TrainingConfig,
    ) -> None:
        self._device = device
        self._averaging = training.averaging
        self._adjustment = training.logit_adjustment
        self._model = Classifier(body, width, device)
        self._trained = {n: p for n, p in self._model.named_parameters() if p.requires_grad}
        frozen = {id(p): p for p in self._model.parameters() if not p.requires_grad}
        self._average = copy.deepcopy(self._model, frozen).requires_grad_(requires_grad=False)
        self._averages = {n: p for n, p in self._average.named_parameters() if n in self._trained}
        self._steps = 0
        self._prior = torch.zeros(0, device=device)
        head = [self._model.weight, self._model.bias]
        groups: list[dict[str, Any]] = [
            {
                "params": [p for p in body.parameters() if p.requires_grad],
                "lr": training.learning_rate,
            },
            {"params": head, "lr": training.head_learning_rate, "weight_decay": 0.0},
        ]
        self._optimizer: torch.optim.Optimizer = (
            torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
            if training.optimizer == "adamw"
            else torch.optim.SGD(groups, momentum=0.9, fused=True)
        )

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self._trained.values())

    def predict(self, inputs: Sequence[Tensor]) -> NDArray[np.float32]:
        """Return probabilities, shape (texts, labels learned so far)."""
        model = self._average if self._averaging else self._model
        with torch.inference_mode():
            probabilities: NDArray[np.float32] = model(inputs).softmax(1).cpu().numpy()
        return probabilities

    def propose(
        self, expert: str, inputs: Sequence[Tensor], targets: Sequence[int]
    ) -> StagedUpdate:
        """Compute one optimizer step.

        Parameters
        ----------
        expert
            Name of the expert that takes the step.

        Raises
        ------
        RejectedError
            The loss is too large or not a number, or its gradient is not finite.
        """
        numbers = torch.tensor(targets, device=self._device)
        missing = max(0, max(targets) + 1 - len(self._prior))
        # New labels need more outputs, and nothing may change yet: copies take the gradients.
        head = {
            name: _with_rows(self._trained[name].detach(), missing).requires_grad_()
            for name in ("weight", "bias")
        }
        logits = nn.functional.linear(self._model.body(inputs), **head)
        prior = _with_rows(self._prior, missing)
        if self._adjustment:
            prior = PRIOR_DECAY * prior + torch.bincount(numbers, minlength=len(prior)).float()
            share = (prior + 1e-3) / (prior + 1e-3).sum()
            logits = logits + self._adjustment * share.log()
        loss = nn.functional.cross_entropy(logits, numbers)

        def apply() -> None:
            self._grow(len(prior))
            self._prior = prior
            for name, copied in head.items():
                self._trained[name].grad = copied.grad
            self._optimizer.step()
            self._update_average()

        update = StagedUpdate(loss.item(), apply)
        self._optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_((self._trained | head).values(), GRADIENT_NORM)
        if not norm.isfinite():
            raise RejectedError(f"the gradient is not finite, at a loss of {update.loss:.4g} nats")
        body, top = (group["lr"] for group in self._optimizer.param_groups)
        return replace(
            update, gradients={expert: Gradient(float(norm), {"body": body, "head": top})}
        )

    @torch.no_grad()
    def forget(self, targets: Sequence[int]) -> None:
        """Reset the outputs of some labels to zero; the average follows the weights fast again."""
        known = [target for target in targets if target < len(self._prior)]
        moments = (self._optimizer.state.get(self._trained[n], {}) for n in ("weight", "bias"))
        outputs = [tensor for state in moments for tensor in state.values() if _has_rows(tensor)]
        outputs += [self._model.weight, self._model.bias, self._average.weight, self._average.bias]
        for tensor in (*outputs, self._prior):
            tensor[known] = 0
        self._steps = 0

    @torch.no_grad()
    def _update_average(self) -> None:
        if not self._averaging:
            return
        self._steps += 1
        decay = min(self._averaging, (1 + self._steps) / (10 + self._steps))
        torch._foreach_lerp_(list(self._averages.values()), list(self._trained.values()), 1 - decay)

    def _grow(self, outputs: int) -> None:
        """Add output rows of zeros to weights, averages, prior and the optimizer's moments."""
        missing = outputs - len(self._model.bias)
        if missing <= 0:
            return
        for parameter in (self._model.weight, self._model.bias):
            shape = parameter.shape
            moments = self._optimizer.state.get(parameter, {})
            for name, tensor in moments.items():
                if tensor is not None and tensor.shape == shape:
                    moments[name] = _with_rows(tensor, missing)
            parameter.data = _with_rows(parameter.data, missing)
            parameter.grad = None
        for parameter in (self._average.weight, self._average.bias):
            parameter.data = _with_rows(parameter.data, missing)
        self._prior = _with_rows(self._prior, missing)

    def state_dict(self) -> dict[str, Any]:
        """Return the trained weights, their average and the optimizer's moments."""
        return {
            "outputs": len(self._model.bias),
            "parameters": {name: p.detach() for name, p in self._trained.items()},
            "averages": {name: p.detach() for name, p in self._averages.items() if self._averaging},
            "steps": self._steps,
            "prior": self._prior,
            "optimizer": {
                name: dict(self._optimizer.state.get(parameter, {}))
                for name, parameter in self._trained.items()
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; learning rates stay those of this run."""
        self._grow(state["outputs"])
        for name, parameter in self._trained.items():
            parameter.data.copy_(state["parameters"][name])
            if self._averaging:
                self._averages[name].data.copy_(state["averages"][name])
        self._steps = state["steps"]
        self._prior = state["prior"].to(self._device)
        # Optimizers number parameters in the order of the groups.
        order = [p for group in self._optimizer.param_groups for p in group["params"]]
        names = {id(parameter): name for name, parameter in self._trained.items()}
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


def _has_rows(tensor: Tensor | None) -> bool:
    """Return whether a part of an optimizer's state has rows; the count of steps has none."""
    return tensor is not None and tensor.dim() > 0


def _with_rows(tensor: Tensor, count: int) -> Tensor:
    return torch.cat([tensor, tensor.new_zeros(count, *tensor.shape[1:])])
