"""Distillation by soft labels, with a network as the student."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...engine.learner import Batch
from ...losses.distillation.soft_labels import KDLoss
from ...networks.fitting import Maker, network_for
from ..semi_supervised.learner import refuse_other_tasks
from ..supervised.supervised import Supervised
from .teacher import CURE, Teacher, constant, must_fit, teacher_for

if TYPE_CHECKING:
    from ...data.spec import Spec


@method(
    "kd_soft_labels",
    year=2015,
    paper="arXiv:1503.02531",
    topics=("classification", "distillation"),
    recipe={"optimizer": "adam", "lr": 0.003, "batch_size": 64, "epochs": 30},
    tiny={"teacher": "untrained:mlp"},
)
class SoftLabels(Supervised):
    r"""Dark knowledge: a student learns a trained teacher's probabilities at a high temperature.

    $\alpha T^2 \mathrm{KL}(\mathrm{softmax}(z_t / T) \| \mathrm{softmax}(z_s / T)) + (1 - \alpha)\,
    \mathrm{CE}(y, z_s)$, the mean over the batch, by sample weights where there are any (`kd_loss`).
    The teacher runs in evaluation mode, takes no gradient and is no part of a checkpoint: the student alone
    is scored and predicts, and does so without a teacher too. Training without one raises UsageError.
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module | None = None,
        temperature: float = 4.0,
        alpha: float = 0.9,
    ):
        super().__init__(student)
        # In a tuple, so that it is no submodule: no checkpoint holds it, no mode reaches it, nobody owns it.
        self._teachers = () if teacher is None else (constant(teacher),)
        self.distance = KDLoss(temperature, alpha, reduction="none")

    @classmethod
    def for_data(  # type: ignore[override]
        cls,
        spec: "Spec",
        teacher: Teacher | None = None,
        student: Maker = "mlp",
        temperature: float = 4.0,
        alpha: float = 0.9,
    ) -> Self:
        """A student by name or class, and a trained teacher; without one it only predicts."""
        refuse_other_tasks("kd_soft_labels", spec)
        knowing = None if teacher is None else teacher_for(spec, teacher)
        learner = cls(network_for(spec, student), knowing, temperature, alpha)
        if learner.teacher is not None:
            must_fit(learner.teacher, spec)
        return learner

    @property
    def teacher(self) -> nn.Module | None:
        """The constant teacher, if there is one."""
        return self._teachers[0] if self._teachers else None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """The teacher goes along to another device or precision."""
        for teacher in self._teachers:
            teacher._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The mean of the student's distances from the teacher and from the classes."""
        teacher = self.teacher
        if teacher is None:
            raise UsageError(f"kd_soft_labels learns from a teacher: {CURE}")
        x, y, *weight = batch
        with torch.no_grad():
            aim = teacher(x)
        losses: Tensor = self.distance(self.network(x), (aim, y))
        if not weight:
            return losses.mean()
        return (weight[0] * losses).sum() / weight[0].sum().clamp_min(torch.finfo(losses.dtype).tiny)
