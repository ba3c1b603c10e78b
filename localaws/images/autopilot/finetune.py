"""The candidates ``top-layers`` and ``full``: the encoder, or its last layers, trained together with the head."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from localaws.images.autopilot.dataset import split
from localaws.images.autopilot.encoder import Classifier, Ids, padded, probabilities, training_batches
from localaws.images.autopilot.errors import AutopilotError

Say = Callable[[str], None]

_SECONDS_BETWEEN_LINES = 10.0
#: steps at least: a small data set is gone through more often.
_LEAST_STEPS = 60
_WARM_UP = 0.1
_WEIGHT_DECAY = 0.01
_PART_TO_CHOOSE_BY = 0.1


@dataclass(frozen=True)
class Settings:
    """
    Hyperparameters.

    :param trained_layers: how many of the encoder's last layers learn; ``None``: all of them.
    :param deadline: of the monotonic clock: training ends by then, with the best so far.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    head_learning_rate: float
    seed: int
    trained_layers: int | None
    deadline: float


class Trainer:
    """One training of a model on token ids and class numbers."""

    def __init__(
        self, model: Classifier, ids: Ids, labels: np.ndarray, *, padding: int, settings: Settings, say: Say
    ) -> None:
        self.model, self.ids, self.labels = model, ids, labels
        self.padding, self.settings, self.say = padding, settings, say
        freeze(model, settings.trained_layers)
        chosen = split(list(labels), _PART_TO_CHOOSE_BY, settings.seed)
        self.fitted, self.held = np.flatnonzero(~chosen), np.flatnonzero(chosen)
        steps = -(-len(self.fitted) // settings.batch_size)
        self.epochs = max(settings.epochs, -(-_LEAST_STEPS // steps))
        self.total = self.epochs * steps
        self.optimizer = torch.optim.AdamW(self._groups(), fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.best: dict[str, torch.Tensor] = {}
        self.best_accuracy = -1.0

    def fit(self) -> None:
        """
        Train, and leave the model with the weights of its best epoch.

        :raises AutopilotError: the loss is not a number any more.
        """
        self.say(f"{len(self.fitted)} texts to fit, {len(self.held)} to choose the epoch by, {self.total} steps")
        for epoch in range(self.epochs):
            in_time = self._epoch(epoch)
            if not in_time and self.best:
                self.say("out of time: the best epoch so far is taken")
                break
            self._judge(epoch)
            if not in_time:
                self.say("out of time: the first epoch was cut short")
                break
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if name in self.best:
                    parameter.copy_(self.best[name])
        self.model.eval()

    def _epoch(self, epoch: int) -> bool:
        """Return True if it ended before the deadline."""
        self._train_mode()
        settings = self.settings
        seen, losses, began = 0, [], time.monotonic()
        batches = training_batches(self.ids, self.fitted, settings.batch_size, (settings.seed, epoch))
        for number, rows in enumerate(batches, start=1):
            if time.monotonic() > settings.deadline:
                return False
            losses.append(self._step(rows))
            seen += len(rows)
            seconds = time.monotonic() - began
            if seconds > _SECONDS_BETWEEN_LINES or number == len(batches):
                loss = float(torch.stack(losses).mean())
                if not np.isfinite(loss):
                    raise AutopilotError("the loss is not a number: choose a smaller learning_rate")
                speed = seen / max(seconds, 1e-6)
                self.say(f"epoch {epoch + 1}/{self.epochs} step {number}/{len(batches)} loss {loss:.4f} {speed:.1f}/s")
                seen, losses, began = 0, [], time.monotonic()
        return True

    def _train_mode(self) -> None:
        """Dropout for what learns alone: in the frozen layers it would cost time and teach nothing."""
        self.model.eval()
        self.model.dropout.train()
        for module in self.model.encoder.modules():
            learns = [parameter.requires_grad for parameter in module.parameters()]
            if learns and all(learns):
                module.train()

    def _step(self, rows: np.ndarray) -> torch.Tensor:
        inputs = padded([self.ids[row] for row in rows], self.padding)
        loss = cross_entropy(self.model(*inputs), torch.from_numpy(self.labels[rows]))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        return loss.detach()

    def _judge(self, epoch: int) -> None:
        self.model.eval()
        odds = probabilities(self.model, [self.ids[int(row)] for row in self.held], self.padding)
        accuracy = float((odds.argmax(1) == self.labels[self.held]).mean())
        self.say(f"epoch {epoch + 1}/{self.epochs} accuracy {accuracy:.4f} on the part to choose by")
        if accuracy > self.best_accuracy:
            self.best_accuracy = accuracy
            self.best = {
                name: parameter.detach().clone()
                for name, parameter in self.model.named_parameters()
                if parameter.requires_grad
            }

    def _groups(self) -> list[dict[str, object]]:
        """
        Return the parameters of encoder and head with their learning rates, without weight decay on biases and norms.
        """
        groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                groups.setdefault((name.startswith("head."), parameter.ndim > 1), []).append(parameter)
        rates = {True: self.settings.head_learning_rate, False: self.settings.learning_rate}
        return [
            {"params": members, "lr": rates[head], "weight_decay": _WEIGHT_DECAY if matrix else 0.0}
            for (head, matrix), members in groups.items()
        ]

    def _rate(self, step: int) -> float:
        """Return the share of the learning rate at a step: linear warm-up, then linear decay to zero."""
        warm_up = max(1, int(self.total * _WARM_UP))
        return min((step + 1) / warm_up, max(0.0, (self.total - step) / max(1, self.total - warm_up)))


def freeze(model: Classifier, trained_layers: int | None) -> None:
    """
    Keep the embeddings, and all layers but the last ``trained_layers``, as they are.

    :raises AutopilotError: the encoder has fewer layers, or none that can be told apart.
    """
    layers = getattr(getattr(model.encoder, "encoder", None), "layer", None)
    if layers is None:
        raise AutopilotError(f"{type(model.encoder).__name__} is not a BERT-like encoder: it has no encoder.layer")
    count = len(layers) if trained_layers is None else trained_layers
    if not 0 < count <= len(layers):
        raise AutopilotError(f"trained_layers is {count}, and the encoder has {len(layers)} layers")
    model.encoder.requires_grad_(False)
    for layer in layers[len(layers) - count :]:
        layer.requires_grad_(True)
