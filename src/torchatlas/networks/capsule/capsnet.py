"""Capsules that agree: primary capsules, routing by agreement, and one capsule for each class."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen
from ..image import Size

PAPER_SIZE = (28, 28)
ENOUGH = 20  # pixels of the shorter side from which the paper's two 9×9 convolutions have something to see


def squash(s: Tensor) -> Tensor:  # (…, d) -> (…, d)
    r"""The same direction, and a length below 1: $\frac{\|s\|^2}{1 + \|s\|^2} \frac{s}{\|s\|}$; 0 stays 0."""
    length = lengths(s)[..., None]
    return s * (length / (1 + length.square()))


def lengths(capsules: Tensor) -> Tensor:  # (…, d) -> (…)
    """Of each capsule; the gradient at a capsule of zero is zero."""
    return torch.linalg.vector_norm(capsules, dim=-1)


def route(votes: Tensor, routings: int = 3, detached: bool = False) -> Tensor:  # (b, i, j, d) -> (b, j, d)
    r"""Dynamic routing: capsules i give most to those capsules j whose vector agrees with their vote.

    Logits $b_{ij}$ start at 0; each time $c_{ij} = \mathrm{softmax}_j(b_{ij})$,
    $v_j = \mathrm{squash}(\sum_i c_{ij} \hat u_{j|i})$, and $b_{ij}$ grows by $\hat u_{j|i} · v_j$. The last
    time nothing grows any more. With `detached` agreements pass no gradient.
    """
    watched = votes.detach() if detached else votes
    logits = votes.new_zeros(votes.shape[:3])
    for _ in range(routings - 1):
        v = squash(_mixed(logits, watched))
        logits = logits + torch.einsum("bijd,bjd->bij", watched, v)
    return squash(_mixed(logits, votes))


def _mixed(logits: Tensor, votes: Tensor) -> Tensor:  # (b, i, j), (b, i, j, d) -> (b, j, d)
    """Each capsule's share of its votes: what it gives to all j sums to 1."""
    return torch.einsum("bij,bijd->bjd", logits.softmax(2), votes)


class PrimaryCapsules(nn.Module):
    """A convolution without padding, whose channels are `types` of capsules at each pixel, squashed.

    Shapes: (batch, in_channels, h, w) -> (batch, types · h' · w', size).
    """

    def __init__(self, in_channels: int, types: int, size: int, kernel: int, stride: int):
        super().__init__()
        self.conv, self.size = nn.Conv2d(in_channels, types * size, kernel, stride), size

    def forward(self, x: Tensor) -> Tensor:
        parts = self.conv(x).unflatten(1, (-1, self.size))  # (b, types, size, h', w')
        return squash(parts.movedim(2, -1).flatten(1, 3))


class ClassCapsules(nn.Module):
    r"""A capsule for each class, to which those below are routed: votes $\hat u_{j|i} = W_{ij} u_i$.

    There is a matrix for each pair, and no bias. Shapes: (batch, capsules, size) -> (batch, classes, width).
    """

    def __init__(self, capsules: int, size: int, classes: int, width: int, routings: int, detached: bool):
        super().__init__()
        self.classes, self.routings, self.detached = classes, routings, detached
        self.weight = nn.Parameter(torch.empty(capsules, size, classes * width))
        nn.init.normal_(self.weight, std=4 * capsules**-0.5)  # as long a sum, however many votes it has

    def forward(self, u: Tensor) -> Tensor:
        votes = (u.transpose(0, 1) @ self.weight).transpose(0, 1)  # (b, i, j · d)
        return route(votes.unflatten(2, (self.classes, -1)), self.routings, self.detached)


@method(
    "capsule_network",
    year=2017,
    paper="arXiv:1710.09829",
    aliases=("dynamic_routing",),
    topics=("classification", "vision"),
    recipe={
        "loss": "margin_loss",
        "optimizer": "adam",
        "lr": 0.001,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={"num_classes": 3, "in_channels": 1, "input_size": (8, 8), "channels": 8, "types": 4, "size": 4},
    figures={
        "parameters": 6_804_224,
        "multiply_adds": 201_793_536,
        "at": {"num_classes": 10, "in_channels": 1, "input_size": (28, 28)},
    },
)
class CapsuleNetwork(nn.Module):
    r"""Capsule network: parts vote for wholes, and votes that agree are heard; scores are lengths below 1.

    A 9×9 convolution with ReLU, a 9×9 convolution of stride 2 whose channels are `types` of capsules of
    `size` numbers, and a capsule of `width` numbers for each class, found in `routings` rounds (`route`). A
    class's score is its capsule's length, $\|v_j\|$, for `margin_loss`; `capsules` gives the vectors.
    `capsnet` trains it with the paper's decoder.
    Images of less than 20 pixels meet 3×3 convolutions (`kernel`). With `detached` no gradient passes through
    the agreements that move the routing. One round is the mean of all votes.
    Shapes: (batch, in_channels, *input_size) -> (batch, num_classes); only images of this size fit, 28×28
    where none is said.
    Errors: `UsageError` for images that are too small for the kernel, and less than one round.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        input_size: Size | None = None,
        channels: int = 256,
        types: int = 32,
        size: int = 8,
        width: int = 16,
        routings: int = 3,
        kernel: int | None = None,
        detached: bool = False,
        activation: Choice = "relu",
    ):
        super().__init__()
        rows, columns = input_size or PAPER_SIZE
        if kernel is None:
            kernel = 9 if min(rows, columns) >= ENOUGH else 3
        if min(rows, columns) < 2 * kernel - 1:
            raise UsageError(
                f"two {kernel}×{kernel} convolutions leave nothing of images of {rows}×{columns}: "
                f"say a smaller kernel, or an input_size of {2 * kernel - 1} pixels or more"
            )
        if routings < 1:
            raise UsageError(f"routings={routings}: there is at least one round")
        pixels = ((rows - 2 * kernel + 1) // 2 + 1) * ((columns - 2 * kernel + 1) // 2 + 1)
        self.width = width
        self.stem = nn.Sequential(nn.Conv2d(in_channels, channels, kernel), chosen(activation, channels))
        self.primary = PrimaryCapsules(channels, types, size, kernel, 2)
        self.routed = ClassCapsules(types * pixels, size, num_classes, width, routings, detached)

    def capsules(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, k, width)
        """The vector of each class."""
        vectors: Tensor = self.routed(self.primary(self.stem(x)))
        return vectors

    def forward_features(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, k · width)
        return self.capsules(x).flatten(1)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, k)
        return lengths(self.capsules(x))
