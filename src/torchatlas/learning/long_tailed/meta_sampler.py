"""Meta sampler: how often each class should be drawn is learned, by what a step on the draw does."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad

from ...cards.card import method
from ...data.samplers.rows import RowsByClass
from ...data.spec import Part
from ...engine.errors import UsageError
from ...engine.learner import Batch, Source
from ...engine.randomness import generator
from ...losses.long_tailed.adjusted import BalancedSoftmax
from ...networks.fitting import Maker, network_for
from .learner import AbstractLongTailed, labels_of, refuse_other_data

if TYPE_CHECKING:
    from ...data.prepared import Prepared
    from ...data.spec import Spec

Weights = dict[str, Tensor]


class Rates(nn.Module):
    r"""The logarithm of how often each class is drawn, up to a constant: $\ln n_c + \ln \sigma(w_c)$.

    A row is drawn with a chance that goes as $\sigma(w_c)$ of its class, which has $n_c$ rows. At first
    $\sigma(w_c)$ goes as $n_c^{-a}$ with a = `power`.
    """

    log_counts: Tensor

    def __init__(self, class_counts: Sequence[int], power: float = 0.0):
        super().__init__()
        counts = torch.tensor([float(count) for count in class_counts])
        start = counts.clamp_min(1) ** -power
        self.rates = nn.Parameter((start / (start.min() + start.max())).logit())
        self.register_buffer("log_counts", counts.log())  # -inf: a class without rows is never drawn

    def forward(self) -> Tensor:  # -> (classes,)
        return self.log_counts + F.logsigmoid(self.rates)


class MetaBatches:
    """Batches (x, y, noise, meta x, meta y): rows drawn by the learner's rates, and rows of each class alike.

    The class of a drawn row is where its rates plus the row's Gumbel noise (classes,) are largest; the noise
    and the row within the class are functions of (seed, step). Both turns of a step have the same batch.
    """

    draws = False

    def __init__(self, part: Part, batch_size: int, meta_batch: int, seed: int, device: Any = "cpu"):
        assert part.y is not None
        self.by_class, self.tensors = RowsByClass(part.y, "meta_sampler"), part.to(device).tensors()
        self.batch_size, self.meta_batch, self.seed, self.device = batch_size, meta_batch, seed, device
        self.steps_per_epoch = -(-len(part) // batch_size)
        self._step, self._batch = -1, ()  # type: tuple[int, Batch]

    def batch(self, step: int, turn: int, learner: Any) -> Batch:
        """The batch of a step, by the rates that the learner has when it begins."""
        if step != self._step:
            draw = generator(self.seed, "meta", step)
            scores = learner.sampler().detach().float().cpu()  # (classes,)
            shape = (self.batch_size, len(scores))
            noise = torch.empty(shape).exponential_(generator=draw).clamp_min(1e-30).log().neg()
            rows = self.by_class.drawn((scores + noise).argmax(1), draw)
            present = self.by_class.present
            alike = present[torch.randint(len(present), (self.meta_batch,), generator=draw)]
            drawn, meta = self._taken(rows), self._taken(self.by_class.drawn(alike, draw))
            self._batch, self._step = (*drawn, noise.to(self.device), *meta), step
        return self._batch

    def _taken(self, rows: Tensor) -> Batch:
        return tuple(tensor.index_select(0, rows.to(self.device)) for tensor in self.tensors)

    def state_dict(self) -> dict[str, Any]:
        """Nothing: (seed, step) and the learner tell everything."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take back."""


@method(
    "meta_sampler",
    year=2020,
    paper="arXiv:2007.10740",
    aliases=("balms",),
    topics=("classification", "long-tail", "meta-learning"),
    recipe={"optimizer": "adam", "lr": 0.003, "batch_size": 64, "epochs": 30},
    tiny={"meta_batch": 8},
)
class MetaSampler(AbstractLongTailed):
    r"""Meta sampler: learns how often to draw each class so that a step on the draw helps all classes alike.

    A row of class c is drawn with a chance that goes as $\sigma(w_c)$. In the sampler's turn the head takes a
    step on the drawn rows, $\theta' = \theta - a \nabla \sum_b s_b L_b(\theta) / B$, with L the
    balanced softmax, and w the gradient of the plain cross entropy of $\theta'$ on rows drawn from each class
    alike. $s_b$ is 1, with the gradient of the Gumbel softmax (of `temperature`) at the class that was drawn.
    In the model's turn the whole network learns the same rows by balanced softmax. Features count as
    constants in the sampler's turn, without dropout and batch statistics. The paper trains the network
    beforehand and draws over rows where this draws over classes; the chances are the same.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"sampler": ("sampler",), "model": ("network",)}
    cuttable: ClassVar[bool] = False  # its batches have drawn and balanced rows

    def __init__(
        self,
        network: nn.Module,
        class_counts: Sequence[int],
        *,
        meta_batch: int = 128,
        inner_lr: float = 0.1,
        temperature: float = 1.0,
        power: float = 0.0,
    ):
        super().__init__(network)
        if meta_batch < 1 or temperature <= 0:
            raise UsageError(
                f"meta_batch is at least 1 and temperature above 0, not {meta_batch} and {temperature}"
            )
        self.sampler = Rates(class_counts, power)
        self.criterion = BalancedSoftmax(class_counts, reduction="none")
        self.meta_batch, self.inner_lr, self.temperature = meta_batch, inner_lr, temperature

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        backbone: Maker = "mlp",
        meta_batch: int = 128,
        inner_lr: float = 0.1,
        temperature: float = 1.0,
        power: float = 0.0,
    ) -> Self:
        """A network by name or class, with a linear head."""
        refuse_other_data("meta_sampler", spec)
        more: dict[str, Any] = {"inner_lr": inner_lr, "temperature": temperature, "power": power}
        return cls(network_for(spec, backbone), spec.counts, meta_batch=meta_batch, **more)

    def source(self, data: "Prepared", batch_size: int, seed: int, device: Any) -> Source:
        """`batch_size` rows drawn by the rates, and `meta_batch` of each class alike."""
        labels_of("meta_sampler", data)
        return MetaBatches(data.train, batch_size, self.meta_batch, seed, device)

    def shares(self) -> Tensor:  # -> (classes,)
        """How often each class is drawn; their sum is one."""
        return self.sampler().detach().softmax(0)

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The cross entropy after a step, for the sampler; the balanced softmax, for the model."""
        x, y, noise, meta_x, meta_y = batch
        if player == "model":
            return self.criterion(self.network(x), y).mean()
        weight = straight_through(self.sampler() + noise, y, self.temperature)
        stepped = self.step(self.still_features(x), y, weight)
        return F.cross_entropy(functional_call(self.head, stepped, (self.still_features(meta_x),)), meta_y)

    def step(self, features: Tensor, y: Tensor, weight: Tensor) -> Weights:
        """The head's weights after a step on weighed rows; differentiable in `weight`."""
        start = {name: parameter.detach() for name, parameter in self.head.named_parameters()}
        criterion: Callable[[Tensor, Tensor], Tensor] = self.criterion

        def inner(weights: Weights) -> Tensor:
            return (weight * criterion(functional_call(self.head, weights, (features,)), y)).mean()

        slopes = grad(inner)(start)
        return {name: value - self.inner_lr * slopes[name] for name, value in start.items()}


def straight_through(scores: Tensor, drawn: Tensor, temperature: float = 1.0) -> Tensor:  # -> (b,)
    """One for each row, with the gradient of the softmax of its noisy scores at the class that was drawn."""
    soft = (scores / temperature).softmax(1).gather(1, drawn[:, None])[:, 0]
    return 1 + (soft - soft.detach())
