"""Supervised learning: a network, a loss, and targets."""

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from ...engine.errors import UsageError
from ...engine.learner import Batch, Learner
from ...networks.dense.mlp import MLP

if TYPE_CHECKING:
    from ...data.spec import Spec

LINEAR = {"linear_regression": "regression", "softmax_regression": "classification"}
Criterion = Callable[[Tensor, Tensor], Tensor]


class Supervised(Learner):
    """A network trained on inputs with targets: the default learner of every network.

    `loss` takes (prediction, target) and gives the mean over the batch; without one, cross entropy for
    classification, squared error for regression, binary cross entropy for several labels.
    A loss may read scores in its own way: `probabilities(scores)` then gives those of the classes, and
    `outputs` says how many scores it wants of the network.
    A batch is (x, y) or (x, y, weight); with weights the loss is sum(weight * loss) / sum(weight), for which
    the loss must know `reduction="none"`.
    Targets: class numbers (batch,), or values (batch, outputs); classes may be probabilities (batch,
    classes), for a loss that takes these.
    A network with heads on the way says `auxiliary_weight`, and its `forward_all(x)` gives what all of them
    make, the last one first: training adds so much of the others' losses.
    `penalty(network, x, prediction, loss)` is added in training (see losses.penalties); scores leave it out.
    """

    def __init__(
        self,
        network: nn.Module,
        task: str = "classification",
        loss: Criterion | None = None,
        penalty: nn.Module | None = None,
    ):
        super().__init__()
        self.network, self.task, self.penalty = network, task, penalty
        self.criterion: Criterion = output_loss(task) if loss is None else loss
        self._unreduced = (_unreduced(self.criterion),)  # in a tuple, so that it is no second submodule

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        network: nn.Module | None = None,
        loss: Criterion | None = None,
        penalty: nn.Module | None = None,
    ) -> Self:
        """The learner for data of this spec; without a network, a multilayer perceptron."""
        if network is None:
            network = MLP(math.prod(spec.shape), spec.outputs)
        tasks = getattr(network, "tasks", (spec.task,))
        if spec.task not in tasks and spec.task != "none":
            name = getattr(network, "__atlas__", type(network).__name__)
            other = "".join(f"{linear} or " for linear, task in LINEAR.items() if task == spec.task)
            what = f"{name} is for {' and '.join(tasks)}, and this data's task is {spec.task}"
            raise UsageError(f"{what}: use {other}mlp")
        return cls(network, spec.task, loss, penalty)

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation, of the loss for each sample too, which is no submodule."""
        if isinstance(self._unreduced[0], nn.Module):
            self._unreduced[0].train(mode)
        return super().train(mode)

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The mean loss over the batch, by sample weights where the batch has them, and the penalty."""
        weight = getattr(self.network, "auxiliary_weight", 0.0)
        if not weight:
            return self.penalised(self._outputs(batch[0]), batch)
        prediction, *others = self.network.forward_all(batch[0])  # type: ignore[operator]
        auxiliary = torch.stack([self.mean_loss(each, batch) for each in others]).sum()
        return self.penalised(prediction, batch) + weight * auxiliary

    def penalised(self, prediction: Tensor, batch: Batch) -> Tensor:
        """The mean loss of what the network made of a batch, and the penalty."""
        loss = self.mean_loss(prediction, batch)
        if self.penalty is None:
            return loss
        return loss + self.penalty(self.network, batch[0], prediction, partial(self.mean_loss, batch=batch))

    def mean_loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        """The mean loss of what the network made of a batch, by sample weights where it has them."""
        prediction = self._column(prediction)
        target = self._target(prediction, batch[1])
        if len(batch) == 2:
            return self.criterion(prediction, target)
        if self._unreduced[0] is None:
            raise UsageError(f"{self.criterion} knows no reduction='none', so it cannot use sample weights")
        return weighted_mean(self._per_sample(prediction, target), batch[2])

    def share(self, batch: Batch) -> Tensor | float:
        """A micro-batch weighs as much as its samples do."""
        return batch[2].sum() if len(batch) == 3 else super().share(batch)

    def indivisible(self) -> str:
        """Batch statistics, and losses that are no mean over samples or do not say so."""
        if getattr(self.criterion, "reduction", "") not in ("mean", "batchmean"):
            return f"its loss {type(self.criterion).__name__} does not say that it is a mean over samples"
        if getattr(self.criterion, "weight", None) is not None:
            return "its loss divides by the weights of the classes that a batch has"
        return getattr(self.penalty, "indivisible", "") or super().indivisible()

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample: the loss, and accuracy (for labels: the share that is right) or squared error."""
        prediction = self._outputs(batch[0])
        target = self._target(prediction, batch[1])
        scores = {"loss": self._per_sample(prediction, target)}
        if self.task == "classification":
            scores["accuracy"] = (self._probabilities(prediction).argmax(1) == target).float()
        elif self.task == "multilabel":
            scores["accuracy"] = ((prediction > 0) == (target > 0.5)).float().flatten(1).mean(1)
        else:
            scores["squared_error"] = (prediction - target).square().flatten(1).mean(1)
        return scores

    def predict(self, x: Tensor) -> Tensor:
        """Class probabilities (batch, classes), label probabilities, or values (batch, outputs)."""
        prediction = self._outputs(x)
        if self.task == "classification":
            return self._probabilities(prediction)
        return prediction.sigmoid() if self.task == "multilabel" else prediction

    def _probabilities(self, scores: Tensor) -> Tensor:
        """Of the classes: the softmax, unless the loss reads its scores in another way."""
        read: Callable[[Tensor], Tensor] | None = getattr(self.criterion, "probabilities", None)
        return read(scores) if read else scores.softmax(1)

    def _outputs(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, outputs)
        """The network's; one value per sample may come as (b,)."""
        return self._column(self.network(x))

    def _column(self, prediction: Tensor) -> Tensor:
        flat = self.task != "classification" and prediction.ndim == 1
        return prediction[:, None] if flat else prediction

    def _target(self, prediction: Tensor, y: Tensor) -> Tensor:
        return y if self.task == "classification" else y.reshape(prediction.shape)

    def _per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        unreduced = self._unreduced[0]
        if unreduced is None:
            return self.criterion(prediction, target).expand(len(prediction))
        loss = unreduced(prediction, target)
        return loss if loss.ndim == 1 else loss.flatten(1).mean(1)


def output_loss(task: str) -> nn.Module:
    """The loss that fits a task's targets."""
    match task:
        case "classification":
            return nn.CrossEntropyLoss()
        case "regression":
            return nn.MSELoss()
        case "multilabel":
            return nn.BCEWithLogitsLoss()
    raise UsageError("the data has no target to learn: name its target column, or choose a generative method")


def _unreduced(loss: Criterion) -> Criterion | None:
    """The same loss for each sample, where it knows `reduction`; it shares parameters and buffers."""
    if not hasattr(loss, "reduction"):
        return None
    each = copy.copy(loss)
    each.reduction = "none"
    return each


def weighted_mean(losses: Tensor, weight: Tensor) -> Tensor:
    """sum(weight * loss) / sum(weight); 0 where all weights are."""
    return (weight * losses).sum() / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
