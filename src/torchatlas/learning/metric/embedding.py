"""Metric learning: a network whose outputs are embeddings, and classes by their nearest mean."""

import math
from typing import TYPE_CHECKING, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...engine.errors import UsageError
from ...engine.learner import Batch, Learner
from ...losses.metric.embedding import AbstractEmbeddingLoss
from ...losses.metric.triplet import TripletLoss
from ...networks.dense.mlp import MLP

if TYPE_CHECKING:
    from ...data.spec import Spec

WIDTH = 64  # of an embedding, where nobody says otherwise
MEMORY = 0.95  # what is left after each step of a sample's weight in its class's mean
SUMS = ("total", "count", "square")
TINY = 1e-30


class Embedding(Learner):
    r"""A network trained by a loss over embeddings: the default learner of every such loss.

    `network` maps inputs to embeddings (batch, width). Each class has a centre $c$, the running mean of its
    training embeddings where the loss compares them; a class's score is $-\|f - c\|^2 / s$, with $s$ the
    running mean of the squared distance of samples from their own centre, and `predict` is the softmax of
    the scores: the nearest centre wins. Validation watches its log loss.
    """

    monitor: ClassVar[str] = "log_loss"

    def __init__(
        self, network: nn.Module, classes: int, width: int = WIDTH, loss: AbstractEmbeddingLoss | None = None
    ):
        super().__init__()
        self.network, self.classes = network, classes
        self.criterion = TripletLoss() if loss is None else loss
        sums = {
            "total": torch.zeros(classes, width),
            "count": torch.zeros(classes, 1),
            "square": torch.zeros(()),
        }
        for name, zeros in sums.items():  # of training embeddings: per class, rows per class, squared lengths
            self.register_buffer(f"kept_{name}", zeros)
            self.register_buffer(f"step_{name}", zeros.clone())  # of one step, until `updated`

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        network: nn.Module | None = None,
        width: int = WIDTH,
        loss: AbstractEmbeddingLoss | None = None,
    ) -> Self:
        """The learner for classified data; without a network, a multilayer perceptron."""
        if spec.task != "classification":
            raise UsageError(f"an embedding is learned from classes, and this data's task is {spec.task}")
        return cls(network or MLP(math.prod(spec.shape), width), spec.outputs, width, loss)

    def embed(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, d)
        """The embeddings, where the loss compares them."""
        return self.criterion.points(self.network(x))

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The loss over the batch's embeddings, whose sums by class are kept for the centres."""
        if len(batch) > 2:
            raise UsageError(
                "a loss over embeddings compares rows with each other: it takes no sample weights"
            )
        points = self.embed(batch[0])
        if self.training:
            self._count(points.detach(), batch[1])
        return self.criterion(points, batch[1])

    def indivisible(self) -> str:
        """Pairs and triplets are made within a batch."""
        return "its loss compares the rows of a batch with each other"

    def _count(self, points: Tensor, labels: Tensor) -> None:
        members = F.one_hot(labels, self.classes).to(points)  # (b, k); sums by a product are reproducible
        self.get_buffer("step_total").add_(members.T @ points)
        self.get_buffer("step_count").add_(members.sum(0)[:, None])
        self.get_buffer("step_square").add_(points.square().sum())

    def updated(self, player: str, step: int) -> None:
        """The step's sums join the kept ones, which fade."""
        for name in SUMS:
            fresh = self.get_buffer(f"step_{name}")
            self.get_buffer(f"kept_{name}").mul_(MEMORY).add_(fresh)
            fresh.zero_()

    def centres(self) -> tuple[Tensor, Tensor]:
        """Each class's running mean (classes, width), and the mean squared distance from one's own."""
        total, count, square = (self.get_buffer(f"kept_{name}") for name in SUMS)
        centres = total / count.clamp_min(TINY)
        rows = count.sum().clamp_min(TINY)
        spread = (square - (total * centres).sum()) / rows
        return centres, spread.clamp_min(1e-6 * square / rows + TINY)

    def class_scores(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, k)
        """Minus the squared distance to each centre, in units of the classes' own spread."""
        centres, spread = self.centres()
        points = self.embed(x)
        return (
            2 * points @ centres.T - centres.square().sum(1) - points.square().sum(1, keepdim=True)
        ) / spread

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample: the log loss and the accuracy of the nearest centre."""
        scores = self.class_scores(batch[0])
        right = (scores.argmax(1) == batch[1]).float()
        return {"log_loss": F.cross_entropy(scores, batch[1], reduction="none"), "accuracy": right}

    def predict(self, x: Tensor) -> Tensor:
        """Class probabilities (batch, classes)."""
        return self.class_scores(x).softmax(1)
