"""Mean Teacher: a network agrees with the running mean of its own weights."""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...data.augmentation.chain import Choice as Augmentation
from ...engine.learner import Batch
from ...engine.loop import ENDLESS
from ...networks.fitting import Maker, network_for
from .learner import AbstractSemiSupervised, augmentation, refuse_other_tasks

if TYPE_CHECKING:
    from ...data.spec import Spec

FALLBACK = 5  # epochs of the ramp in a run that has no last step


@method(
    "mean_teacher",
    year=2017,
    paper="arXiv:1703.01780",
    topics=("classification", "semi-supervised"),
    recipe={"optimizer": "adam", "lr": 0.003, "batch_size": 64, "steps": 3000},
    tiny={"ratio": 1},
)
class MeanTeacher(AbstractSemiSupervised):
    r"""Mean Teacher: cross entropy on labelled rows, and agreement with a teacher on all of them.

    $L = \mathrm{CE}(f_\theta(\tilde x), y) + w(t)\,\frac{1}{C}\|\mathrm{softmax} f_\theta(\tilde x) -
    \mathrm{softmax} f_{\theta'}(\tilde x')\|^2$, the second a mean over labelled and unlabelled rows, each
    augmented twice. After each step $\theta' \leftarrow \alpha\theta' + (1 - \alpha)\theta$ with
    $\alpha = \min(1 - 1/(t + 1), d)$; $d$ is `decay` while $w(t) = \mathrm{cost}\, e^{-5(1 - t/r)^2}$ rises
    for the first $r$ steps (`ramp` of the run), `late_decay` after. The teacher trains as the network does,
    with dropout and batch statistics of its own, takes no gradient, and is what is scored and predicts.
    """

    counted: Tensor

    def __init__(
        self,
        network: nn.Module,
        augment: nn.Module,
        *,
        ratio: int = 1,
        cost: float = 100.0,
        decay: float = 0.99,
        late_decay: float = 0.999,
        ramp: float = 0.27,
    ):
        super().__init__(network, ratio)
        self.augment, self.cost, self.decays, self.ramp = augment, cost, (decay, late_decay), ramp
        self.teacher = frozen(network)
        self.rise = 1
        self.register_buffer("counted", torch.zeros((), dtype=torch.long))

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        backbone: Maker = "mlp",
        augment: Augmentation | Sequence[Augmentation] = "",
        ratio: int = 1,
        cost: float = 100.0,
        decay: float = 0.99,
        late_decay: float = 0.999,
        ramp: float = 0.27,
    ) -> Self:
        """A network by name or class; without augmentations, images are shifted and tables get noise."""
        refuse_other_tasks("mean_teacher", spec)
        made = augmentation(augment, ("random_shift" if spec.modality == "image" else "gaussian_noise",))
        more = {"cost": cost, "decay": decay, "late_decay": late_decay, "ramp": ramp}
        return cls(network_for(spec, backbone), made, ratio=ratio, **more)

    def planned(self, steps: int, steps_per_epoch: int) -> None:
        """How many steps the weight of agreement rises."""
        length = self.ramp * steps if steps < ENDLESS else FALLBACK * steps_per_epoch
        self.rise = max(1, round(length))

    def weight(self) -> Tensor:
        """What agreement counts at this step."""
        left = 1 - (self.counted / self.rise).clamp(max=1)
        return self.cost * torch.exp(-5 * left.square())

    def loss(self, player: str, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross entropy of the labelled rows, and the weighted disagreement of all."""
        x, y, u = batch
        rows = torch.cat([x, u])
        with torch.no_grad():
            first, second = self.augment(rows), self.augment(rows)
            aim = self.teacher(second).softmax(1)
        logits = self.network(first)
        supervised = F.cross_entropy(logits[: len(x)], y)
        consistency = F.mse_loss(logits.softmax(1), aim)  # the mean over classes too, as the paper's code
        told = {"supervised": supervised, "consistency": consistency}
        return supervised + self.weight().to(consistency) * consistency, told

    def updated(self, player: str, step: int) -> None:
        """The teacher's weights move towards the network's; its batch statistics are its own."""
        decay = min(1 - 1 / (step + 1), self.decays[step >= self.rise])
        names = [name for name, _ in self.network.named_parameters()]
        mine: list[Tensor] = [self.teacher.get_buffer(name) for name in names]
        theirs: list[Tensor] = [parameter.detach() for parameter in self.network.parameters()]
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        self.counted.fill_(step + 1)

    def judge(self, x: Tensor) -> Tensor:
        """The teacher's logits."""
        return self.teacher(x)


def frozen(network: nn.Module) -> nn.Module:
    """A copy whose weights are buffers: it runs as the network does, and no optimizer owns it."""
    copied = copy.deepcopy(network)
    for module in copied.modules():
        for name, parameter in list(module._parameters.items()):
            del module._parameters[name]
            module.register_buffer(name, None if parameter is None else parameter.detach())
    return copied
