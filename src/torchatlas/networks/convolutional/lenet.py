"""LeNet-5, the convolutional network that read handwritten digits."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen


@method(
    "lenet5",
    year=1998,
    paper="LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86",
    aliases=("lenet",),
    topics=("classification", "vision"),
    recipe={"optimizer": "adam", "lr": 0.005, "schedule": "lr_cosine", "batch_size": 64, "epochs": 30},
    tiny={"num_classes": 3, "input_size": (16, 16)},
    figures={"parameters": 44_426, "multiply_adds": 281_640},
    variants={
        "lenet5_1998": {
            "pad_first": 2,
            "activation": "torchatlas.networks.convolutional.lenet:ScaledTanh",
            "pooling": "subsampling",
            "sparse": True,
            "output": "codes",
            "recipe": {"optimizer": "adam", "lr": 0.001, "batch_size": 64, "epochs": 30},
            "figures": {"parameters": 60_000},
            "tiny": {"num_classes": 3},
        }
    },
)
class LeNet5(nn.Module):
    r"""LeNet-5: two rounds of 5×5 convolution, sigmoid and pooling, then layers of 120, 84 and the classes.

    The form of today's textbooks: 6 and 16 maps, no padding, max pooling 2×2. Weights start by Xavier's rule
    with zero biases, four times as large before sigmoids, whose slope is 1/4 (Glorot & Bengio 2010): from
    PyTorch's default such a stack hardly moves.

    The paper's own details are options, and `lenet5_1998` is all of them: `pad_first=2` (28×28 images on its
    32×32 retina), the scaled tanh (`activation`), averaging with a trained gain and bias
    (`pooling="subsampling"`), its table of links from 6 to 16 maps (`sparse`), and distances to fixed ±1
    codes (`output="codes"`). It has the paper's 60,000 trained parameters. The codes are drawn at random,
    which the paper allows, where it drew characters; with cross entropy they give the paper's discriminative
    criterion but for its constant class of rubbish.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes).
    Errors: `UsageError` for an input too small for both rounds.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        input_size: tuple[int, int] = (28, 28),
        pad_first: int = 0,
        activation: Choice = "sigmoid",
        pooling: str | Callable[[], nn.Module] = "max",
        sparse: bool = False,
        output: str = "linear",
    ):
        super().__init__()
        rows, columns = (((size + 2 * pad_first - 4) // 2 - 4) // 2 for size in input_size)
        if min(rows, columns) < 1:
            raise UsageError(
                f"lenet5 needs images of at least {16 - 2 * pad_first}x{16 - 2 * pad_first}, "
                f"not {input_size[0]}x{input_size[1]}: leave input_size out and they are enlarged to 28x28"
            )
        if output not in OUTPUTS:
            raise UsageError(f"lenet5's output is one of {', '.join(OUTPUTS)}, not {output!r}")

        def act(channels: int) -> nn.Module:
            return chosen(activation, channels)

        def shrink(channels: int) -> nn.Module:
            return _pooling(pooling, channels, act)

        self.body = nn.Sequential(
            *(nn.Conv2d(in_channels, 6, 5, padding=pad_first), act(6), shrink(6)),
            *(SparseConv2d() if sparse else nn.Conv2d(6, 16, 5), act(16), shrink(16)),
            *(nn.Flatten(), nn.Linear(16 * rows * columns, 120), act(120)),
            *(nn.Linear(120, 84), act(84)),
        )
        self.head = OUTPUTS[output](84, num_classes)
        _start(self, gain=4.0 if isinstance(act(84), nn.Sigmoid) else 1.0)

    def forward_features(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, 84)
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, k)
        return self.head(self.forward_features(x))


class ScaledTanh(nn.Module):
    r"""The paper's squashing function $1.7159 \tanh(2x/3)$: it maps ±1 to ±1, where it bends most."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(x * (2 / 3))


class Subsampling(nn.Module):
    """The sum of each 2×2 square, times a trained gain, plus a trained bias: two parameters per map."""

    def __init__(self, channels: int):
        super().__init__()
        self.gain = nn.Parameter(torch.full((channels, 1, 1), 0.25))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h/2, w/2)
        return 4 * F.avg_pool2d(x, 2) * self.gain + self.bias


# Which of the 6 maps each of the 16 sees (the paper's table I): three in a row, four in a row,
# four with gaps, and all.
TABLE = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5)),
)


class SparseConv2d(nn.Module):
    """The 5×5 convolution from 6 to 16 maps with the paper's 60 links: 1,516 parameters, not 2,416."""

    outputs: Tensor
    inputs: Tensor

    def __init__(self) -> None:
        super().__init__()
        links = [(row, column) for row, columns in enumerate(TABLE) for column in columns]
        self.register_buffer("outputs", torch.tensor([row for row, _ in links]))
        self.register_buffer("inputs", torch.tensor([column for _, column in links]))
        self.weight = nn.Parameter(torch.empty(len(links), 5, 5))
        self.bias = nn.Parameter(torch.zeros(len(TABLE)))

    def forward(self, x: Tensor) -> Tensor:  # (b, 6, h, w) -> (b, 16, h - 4, w - 4)
        dense = self.weight.new_zeros(len(TABLE), 6, 5, 5)
        return F.conv2d(x, dense.index_put((self.outputs, self.inputs), self.weight), self.bias)


class CodeDistance(nn.Module):
    r"""Logits from distances to fixed codes: $-\lVert f - c_k \rVert^2$ with $c_k$ of ±1, drawn once."""

    codes: Tensor

    def __init__(self, features: int, num_classes: int):
        super().__init__()
        drawn = torch.randint(
            2, (num_classes, features), generator=torch.Generator().manual_seed(1998), device="cpu"
        )
        self.register_buffer("codes", drawn.float() * 2 - 1)

    def forward(self, x: Tensor) -> Tensor:  # (b, features) -> (b, k)
        return -(x[:, None] - self.codes).square().sum(-1)


OUTPUTS: dict[str, Callable[[int, int], nn.Module]] = {"linear": nn.Linear, "codes": CodeDistance}


def _pooling(
    pooling: str | Callable[[], nn.Module], channels: int, activation: Callable[[int], nn.Module]
) -> nn.Module:
    if not isinstance(pooling, str):
        return pooling()
    match pooling:
        case "max":
            return nn.MaxPool2d(2)
        case "average":
            return nn.AvgPool2d(2)
        case "subsampling":
            return nn.Sequential(Subsampling(channels), activation(channels))
    raise UsageError(f"lenet5's pooling is max, average or subsampling, not {pooling!r}")


def _start(net: nn.Module, gain: float) -> None:
    """Xavier's rule for hidden layers, times the gain; the head keeps gain one."""
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight, 1.0 if name == "head" else gain)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        elif isinstance(module, SparseConv2d):
            bound = 2.4 / (25 * len(module.weight) / len(TABLE))  # the paper's rule, by the mean fan-in
            nn.init.uniform_(module.weight, -bound, bound)
