"""MAML: weights from which a few gradient steps on a new task lead far."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.modules.batchnorm import _BatchNorm

from ...cards.card import method
from ...engine.errors import UsageError
from ...engine.learner import Batch
from ...networks.fitting import Maker, network_for
from .learner import AbstractFewShot, refuse_other_tasks

if TYPE_CHECKING:
    from ...data.spec import Spec

Weights = dict[str, Tensor]


@method(
    "maml",
    year=2017,
    paper="arXiv:1703.03400",
    topics=("classification", "few-shot", "meta-learning"),
    recipe={"optimizer": "adam", "lr": 0.001, "batch_size": 16, "steps": 2000, "split": "classes"},
    tiny={"backbone": "mlp", "way": 3, "query": 2, "train_query": 2, "inner_steps": 2},
)
class MAML(AbstractFewShot):
    r"""Model-agnostic meta-learning: $\min_\theta \sum_i L^q_i(\theta_i)$ after $K$ steps on each task.

    $\theta_i \leftarrow \theta_i - a\nabla L^s_i(\theta_i)$, from $\theta_i = \theta$; $L^s$, $L^q$ are
    the losses of support and query samples, and the outer gradient goes through all inner steps. Batch
    normalisation uses the statistics of the batch that it sees, always, and its own gains and offsets are not
    adapted but learned outside, as in the paper's code: query samples of an episode are judged together.
    """

    first_order: ClassVar[bool] = False  # whether the inner gradients count as constants

    def __init__(
        self,
        network: nn.Module,
        way: int = 5,
        shot: int = 1,
        query: int = 15,
        *,
        train_query: int = 0,
        inner_lr: float = 0.4,
        inner_steps: int = 1,
        criterion: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    ):
        if inner_steps < 1:
            raise UsageError(f"inner_steps={inner_steps}: a task is learned in at least one step")
        super().__init__(batch_statistics(network), way, shot, query, train_query=train_query)
        self.inner_lr, self.inner_steps, self.criterion = inner_lr, inner_steps, criterion

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        backbone: Maker = "",
        way: int = 5,
        shot: int = 1,
        query: int = 15,
        train_query: int = 5,
        inner_lr: float = 0.4,
        inner_steps: int = 1,
    ) -> Self:
        """A network by name or class with `way` outputs; usually conv4 for images, an mlp for tables."""
        refuse_other_tasks("maml", spec)
        network = network_for(spec, backbone or ("conv4" if spec.modality == "image" else "mlp"), way)
        inner: dict[str, Any] = {"inner_lr": inner_lr, "inner_steps": inner_steps}
        return cls(network, way, shot, query, train_query=train_query, **inner)

    def logits(self, batch: Batch, training: bool = False) -> Tensor:  # -> (e, q, way)
        """Of the adapted network; all episodes at once."""
        fixed: Weights = {}
        start: Weights = {}
        still = {id(p) for m in self.network.modules() if isinstance(m, _BatchNorm) for p in m.parameters()}
        for name, parameter in self.network.named_parameters():
            (fixed if id(parameter) in still else start)[name] = parameter

        def outputs(weights: Weights, x: Tensor) -> Tensor:
            return functional_call(self.network, fixed | weights, (x,))

        def inner(weights: Weights, x: Tensor, y: Tensor) -> Tensor:
            return self.criterion(outputs(weights, x), y)

        def episode(support: Tensor, numbers: Tensor, query: Tensor) -> Tensor:
            weights = start
            for _ in range(self.inner_steps):
                slopes = grad(inner)(weights, support, numbers)
                if self.first_order:
                    slopes = {name: slope.detach() for name, slope in slopes.items()}
                weights = {name: weight - self.inner_lr * slopes[name] for name, weight in weights.items()}
            return outputs(weights, query)

        return vmap(episode, randomness="different")(*batch[:3])


@method(
    "fomaml",
    year=2017,
    paper="arXiv:1703.03400",
    topics=("classification", "few-shot", "meta-learning"),
    recipe={"optimizer": "adam", "lr": 0.001, "batch_size": 16, "steps": 2000, "split": "classes"},
    tiny={"backbone": "mlp", "way": 3, "query": 2, "train_query": 2, "inner_steps": 2},
)
class FOMAML(MAML):
    """First-order MAML: the gradient at the adapted weights, without what the inner steps bent."""

    first_order: ClassVar[bool] = True


def batch_statistics(network: nn.Module) -> nn.Module:
    """The network with batch normalisation that knows the present batch alone, also in evaluation."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
    return network
