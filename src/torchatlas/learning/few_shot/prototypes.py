"""Prototypical networks: a class is the mean of its support embeddings."""

from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from ...cards.card import method
from ...engine.learner import Batch
from ...networks.fitting import Maker, network_for
from .learner import AbstractFewShot, refuse_other_tasks

if TYPE_CHECKING:
    from ...data.spec import Spec

WIDTH = 64  # of a table's embedding


@method(
    "prototypical_networks",
    year=2017,
    paper="arXiv:1703.05175",
    aliases=("protonet",),
    topics=("classification", "few-shot", "metric"),
    recipe={
        "optimizer": "adam",
        "lr": 0.001,
        "schedule": "lr_cosine",
        "batch_size": 1,
        "steps": 2000,
        "split": "classes",
    },
    tiny={"way": 3, "train_way": 3, "query": 2, "train_query": 2},
)
class PrototypicalNetworks(AbstractFewShot):
    r"""Prototypical networks: $p(k \mid x) = \mathrm{softmax}_k(-\|f(x) - c_k\|^2)$.

    The prototype $c_k$ is the mean of the support embeddings of class $k$; the distance is the squared
    Euclidean one. Training takes more classes an episode than testing (`train_way`; the paper: 60 of
    Omniglot's 1,200). Support and query samples go through the network together.
    """

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        backbone: Maker = "",
        width: int = 0,
        way: int = 5,
        shot: int = 1,
        query: int = 15,
        train_way: int = 20,
        train_query: int = 5,
    ) -> Self:
        """`backbone` embeds in `width` numbers; usual: conv4 without its head; an mlp for tables."""
        refuse_other_tasks("prototypical_networks", spec)
        usual = "conv4" if spec.modality == "image" else "mlp"
        bare = spec.modality == "image" and (backbone or usual) == "conv4"
        network = network_for(spec, backbone or usual, width or (0 if bare else WIDTH))
        return cls(network, way, shot, query, train_way=train_way, train_query=train_query)

    def logits(self, batch: Batch, training: bool = False) -> Tensor:  # -> (e, q, way)
        """Minus the squared distance of each query embedding to each prototype."""
        support, numbers, query, _ = batch
        counts = support.shape[1], query.shape[1]
        rows = torch.cat([support, query], 1)  # (e, s + q, ...)
        embedded = self.network(rows.flatten(0, 1)).unflatten(0, rows.shape[:2])
        known, asked = embedded.split(counts, 1)
        ways = self.train_way if training else self.way
        return -distances(asked, prototypes(known, numbers, ways))


def prototypes(known: Tensor, numbers: Tensor, ways: int) -> Tensor:  # (e, s, d), (e, s) -> (e, ways, d)
    """The mean of each class's embeddings."""
    members = F.one_hot(numbers, ways).to(known)  # (e, s, ways)
    return members.mT @ known / members.sum(1)[..., None]


def distances(asked: Tensor, centres: Tensor) -> Tensor:  # (e, q, d), (e, k, d) -> (e, q, k)
    """Squared Euclidean distances."""
    return (asked[:, :, None] - centres[:, None]).square().sum(-1)
