"""Decoupling: features are learned from the data as it is, the classifier on top of them in another way."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...data.samplers.balanced import ClassBalanced
from ...data.streamed import source_of
from ...engine.errors import UsageError
from ...engine.learner import Batch, Source
from ...engine.loop import ENDLESS
from ...networks.fitting import Maker, network_for
from .learner import AbstractLongTailed, Staged, labels_of, refuse_other_data

if TYPE_CHECKING:
    from ...data.prepared import Prepared
    from ...data.spec import Spec

UNTOLD = -1
FALLBACK = 20  # epochs of the first stage in a run that has no last step


class AbstractDecoupled(AbstractLongTailed):
    """Two stages: the whole network by cross entropy, then the `classifier` on features that stand still.

    The last `share` of the training, at least one step, is the second stage; longer training, asked for when
    a run goes on, lengthens that alone. In it dropout and batch statistics are off, in the first they are on.
    Scores are those of the stage: validation would prefer the first, so the last weights are kept.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "network": ("network",),
        "classifier": ("classifier",),
    }
    monitor: ClassVar[str] = ""
    classifier: nn.Module
    first: Tensor
    stage: Tensor

    def __init__(self, network: nn.Module, share: float = 0.3):
        super().__init__(network)
        if not 0 < share < 1:
            raise UsageError(f"share={share}: the second stage is a part of the training, between 0 and 1")
        self.share_of_second, self._first = share, ENDLESS
        self.register_buffer("first", torch.tensor(UNTOLD))  # steps of the first stage
        self.register_buffer("stage", torch.tensor(0))  # of the last turn: 0 or 1

    @classmethod
    def for_data(cls, spec: "Spec", backbone: Maker = "mlp", share: float = 0.3) -> Self:
        """A network by name or class, with a linear head."""
        refuse_other_data(cls.__atlas__, spec)  # type: ignore[attr-defined]
        return cls(network_for(spec, backbone), share)

    def planned(self, steps: int, steps_per_epoch: int) -> None:
        """When the first stage ends; what a checkpoint says of it stays."""
        if int(self.first) == UNTOLD:
            some = round((1 - self.share_of_second) * steps)
            ends = some if steps < ENDLESS else FALLBACK * steps_per_epoch
            self.first.fill_(max(1, min(ends, steps - 1)))
        self._first = int(self.first)

    def turns(self, step: int) -> Sequence[str]:
        """The network, then the classifier. Untold of a plan, the network."""
        return ("network",) if step < self._first else ("classifier",)

    def source(self, data: "Prepared", batch_size: int, seed: int, device: Any) -> Source:
        """Rows as they come, then rows of each class alike."""
        name: str = type(self).__atlas__  # type: ignore[attr-defined]
        return Staged(
            source_of(data.train, batch_size, seed, device),
            self.second_source(data, labels_of(name, data), batch_size, seed, device),
            "classifier",
        )

    def second_source(
        self, data: "Prepared", labels: Tensor, batch_size: int, seed: int, device: Any
    ) -> Source:
        """The batches of the second stage."""
        return source_of(data.train, batch_size, seed, device, ClassBalanced(labels, seed))

    def classify(self, features: Tensor) -> Tensor:  # (b, d) -> (b, k)
        """The scores of the second stage's classifier."""
        scores: Tensor = self.classifier(features)
        return scores

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The stage's mean cross entropy."""
        x, y = batch
        logits = self.network(x) if player == "network" else self.classify(self.still_features(x))
        return F.cross_entropy(logits, y)

    def updated(self, player: str, step: int) -> None:
        """Keep whose turn it was."""
        self.stage.fill_(int(player == "classifier"))

    def judge(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, k)
        """The scores of the head in the first stage, of the classifier in the second."""
        features = self.features(x)
        return torch.where(self.stage > 0, self.classify(features), self.head(features))


@method(
    "decoupling_crt",
    year=2019,
    paper="arXiv:1910.09217",
    aliases=("decoupled_classifier", "crt"),
    topics=("classification", "long-tail"),
    recipe={"optimizer": "adam", "lr": 0.003, "batch_size": 64, "epochs": 30},
    tiny={"share": 0.3},
)
class DecouplingCRT(AbstractDecoupled):
    """Decoupling by cRT: a fresh classifier is trained on class-balanced rows and features that stand still.

    First the whole network learns from rows as they come, by cross entropy. Then its features are frozen, and
    a new linear head is trained on them for the last `share` of the steps, each class drawn alike. Batch
    statistics and dropout are off in the second stage.
    """

    def __init__(self, network: nn.Module, share: float = 0.3):
        super().__init__(network, share)
        self.classifier = nn.Linear(self.head.in_features, self.head.out_features)


@method(
    "decoupling_lws",
    year=2019,
    paper="arXiv:1910.09217",
    topics=("classification", "long-tail"),
    recipe={"optimizer": "adam", "lr": 0.003, "batch_size": 64, "epochs": 30},
    tiny={"share": 0.3},
    aliases=("decoupling_lws_ncm",),
)
class DecouplingLWS(AbstractDecoupled):
    r"""Decoupling by learnable weight scaling: each class's score is scaled, $f_c (w_c x + b_c)$, alone.

    First the whole network learns from rows as they come, by cross entropy. Then it stands still, and one
    factor f for each class, 1 to begin with, is trained on class-balanced rows.
    """

    def __init__(self, network: nn.Module, share: float = 0.3):
        super().__init__(network, share)
        self.classifier = Scales(self.head.out_features)

    def classify(self, features: Tensor) -> Tensor:  # (b, d) -> (b, k)
        """The head's scores, scaled."""
        return super().classify(self.head(features))


class Scales(nn.Module):
    """One factor for each column."""

    def __init__(self, columns: int):
        super().__init__()
        self.factors = nn.Parameter(torch.ones(columns))

    def forward(self, x: Tensor) -> Tensor:  # (b, k) -> (b, k)
        return self.factors * x


@method(
    "decoupling_tau_norm",
    year=2019,
    paper="arXiv:1910.09217",
    aliases=("tau_norm",),
    topics=("classification", "long-tail"),
    recipe={"optimizer": "adam", "lr": 0.003, "batch_size": 64, "epochs": 30},
    tiny={"tau": 0.7},
)
class DecouplingTau(AbstractLongTailed):
    r"""Decoupling by τ-normalisation: rows of the trained classifier are shortened, $w_c / \|w_c\|^\tau$.

    The network learns from rows as they come, by cross entropy; frequent classes get long weights, which
    `tau` evens out when it predicts: 0 leaves them, 1 makes all of length one. The bias is left out. The best
    `tau` is found on validation data. The loss that is scored is that of the network as it is trained, the
    accuracy that of the normalised one.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"network": ("network",)}

    def __init__(self, network: nn.Module, tau: float = 1.0):
        super().__init__(network)
        self.tau = tau

    @classmethod
    def for_data(cls, spec: "Spec", backbone: Maker = "mlp", tau: float = 1.0) -> Self:
        """A network by name or class, with a linear head."""
        refuse_other_data("decoupling_tau_norm", spec)
        return cls(network_for(spec, backbone), tau)

    def source(self, data: "Prepared", batch_size: int, seed: int, device: Any) -> None:
        """Rows as they come."""
        labels_of("decoupling_tau_norm", data)

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The mean cross entropy of the network."""
        x, y = batch
        return F.cross_entropy(self.network(x), y)

    def judge(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, k)
        """The scores of the normalised classifier."""
        return F.linear(self.features(x), tau_normalized(self.head.weight, self.tau))

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample: the cross entropy of the network, the accuracy of the normalised one."""
        loss = F.cross_entropy(self.network(batch[0]), batch[1], reduction="none")
        return {**super().scores(batch), "loss": loss}


def tau_normalized(weight: Tensor, tau: float = 1.0) -> Tensor:  # (k, d) -> (k, d)
    r"""The rows of a trained classifier by a power of their lengths, $w_c / \|w_c\|^\tau$.

    Their lengths become $\|w_c\|^{1 - \tau}$; a row of zeros stays.
    """
    length = torch.linalg.vector_norm(weight, dim=1, keepdim=True)
    return weight / torch.where(length > 0, length, 1.0) ** tau
