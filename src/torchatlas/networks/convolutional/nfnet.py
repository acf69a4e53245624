"""NFNet: a residual network without normalisation, whose signals are kept at unit variance by count."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.attention.squeeze_excitation import SE
from ...nn.choosing import Choice, chosen
from ...nn.pooling.windows import WindowMeans
from ...nn.regularization.stochastic_depth import StochasticDepth, drop_rates
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import mean_pool

LEAST = 1e-4  # of a kernel's sum of squares, so that one of equal numbers does not divide by zero
GELU_GAIN = 1.7015043497085571  # the authors', 0.03 % above what an integral gives: their weights expect it


class ScaledConv2d(nn.Conv2d):
    r"""A convolution that keeps variance: $\hat W = g (W - \mu) / \sqrt{N (\sigma^2 + \epsilon)}$.

    Mean and variance are those of the N numbers that lead to one channel, which has a gain g and a bias. An
    odd kernel; at stride 2 the border lies below and to the right of maps of even size.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        eps: float = 0.0,
    ):
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(in_channels, channels, kernel, stride, padding, groups=groups)
        self.gain = nn.Parameter(torch.ones(channels, 1, 1, 1))
        self.eps = eps

    def kernel(self) -> Tensor:
        """The weights that the map meets."""
        variance, mean = torch.var_mean(self.weight, (1, 2, 3), correction=0, keepdim=True)
        squares = (variance + self.eps) * self.weight[0].numel()
        return (self.weight - mean) * (self.gain * squares.clamp(min=LEAST).rsqrt())

    def forward(self, input: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/stride⌉, ⌈w/stride⌉)
        if self.stride[0] == 2:
            height, width = input.shape[2:]
            input = F.pad(input, (width % 2, 1, height % 2, 1))
        return F.conv2d(input, self.kernel(), self.bias, self.stride, self.padding, groups=self.groups)


class ScaledActivation(nn.Module):
    """An activation times what brings a standard normal number's variance back to one."""

    def __init__(self, activation: Choice, channels: int):
        super().__init__()
        self.inner = chosen(activation, channels)
        self.gain = GELU_GAIN if activation == "gelu" else unit_gain(activation)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inner(x)
        return y * self.gain


@torch.no_grad()
def unit_gain(activation: Choice) -> float:
    """1 / √Var φ(z) for standard normal z, by an integral."""
    with torch.device("cpu"):
        z = torch.linspace(-10, 10, 20001, dtype=torch.double)
        density = z.square().div(-2).exp()
        y = chosen(activation, 1).double().eval()(z[:, None, None, None])[:, 0, 0, 0]
    mean, square = ((density * each).sum() / density.sum() for each in (y, y.square()))
    return float((square - mean.square()).rsqrt())


class NFBlock(nn.Module):
    r"""A residual block of unit variance, $x + \alpha g F(\phi(x) / \beta)$, where β² is the variance of x.

    F: a scaled 1×1 convolution to half the channels, two 3×3 in groups, a 1×1 back, squeeze-and-excitation
    times 2, for its weights are about a half; g begins at `skip_gain`. With `project` a scaled 1×1
    convolution of the means of 2×2 pixels of φ(x) / β stands in the place of x.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        group_width: int,
        beta: float,
        project: bool,
        alpha: float = 0.2,
        skip_gain: float = 0.0,
        eps: float = 0.0,
        activation: Choice = "gelu",
        drop_path: float = 0.0,
    ):
        super().__init__()
        self.alpha, self.beta = alpha, beta
        within = channels // 2
        conv, groups = partial(ScaledConv2d, eps=eps), within // group_width
        self.activation = ScaledActivation(activation, in_channels)
        self.shortcut: nn.Module = nn.Identity()
        if project:
            pool = WindowMeans(2) if stride == 2 else nn.Identity()
            self.shortcut = nn.Sequential(pool, conv(in_channels, channels))
        self.project = project
        self.body = nn.Sequential(
            conv(in_channels, within),
            ScaledActivation(activation, within),
            conv(within, within, 3, stride, groups),
            ScaledActivation(activation, within),
            conv(within, within, 3, 1, groups),
            ScaledActivation(activation, within),
            conv(within, channels),
            SE(channels, reduction=2, bias=True),
        )
        self.drop = StochasticDepth(drop_path)
        self.gain = nn.Parameter(torch.full((), skip_gain))

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/stride⌉, ⌈w/stride⌉)
        unit = self.activation(x) / self.beta
        shortcut: Tensor = self.shortcut(unit if self.project else x)
        return shortcut + 2 * self.alpha * self.gain * self.drop(self.body(unit))


def nf_stages(
    make: Callable[..., NFBlock],
    width: int,
    table: Sequence[tuple[int, int]],
    alpha: float,
    drop_path: float,
) -> Iterator[nn.Sequential]:
    """Stages of blocks after `width` channels: (blocks, channels) of each; each but the first halves the map.

    Every block adds α² to the variance; the first of a stage begins anew from one, as it projects.
    """
    rates = iter(drop_rates(sum(blocks for blocks, _ in table), drop_path))
    variance = 1.0
    for number, (blocks, channels) in enumerate(table):
        made = nn.Sequential()
        for k in range(blocks):
            stride, first = (2 if number and k == 0 else 1), k == 0
            block = make(
                width, channels, stride, beta=math.sqrt(variance), project=first, drop_path=next(rates)
            )
            made.append(block)
            variance = (1.0 if first else variance) + alpha**2
            width = channels
        yield made


def start(network: nn.Module, head: nn.Module) -> None:
    """Kernels normal by fan-in, which standardisation makes of little weight; the head near zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if isinstance(head, nn.Linear):
        nn.init.normal_(head.weight, std=0.01)
        nn.init.zeros_(head.bias)


# timm's names
KEYS: KeyMap = (
    (r"^stem\.conv1\.", "stem.0."),
    (r"^stem\.conv2\.", "stem.2."),
    (r"^stem\.conv3\.", "stem.4."),
    (r"^stem\.conv4\.", "stem.6."),
    (r"\.downsample\.conv\.", ".shortcut.1."),
    (r"\.conv1\.", ".body.0."),
    (r"\.conv2\.", ".body.2."),
    (r"\.conv2b\.", ".body.4."),
    (r"\.conv3\.", ".body.6."),
    (r"\.attn_last\.fc1\.", ".body.7.excite.0."),
    (r"\.attn_last\.fc2\.", ".body.7.excite.2."),
    (r"\.skipinit_gain$", ".gain"),
    (r"^final_conv\.", "neck.0."),
    (r"^head\.fc\.", "head."),
)


@method(
    "nfnet_f0",
    year=2021,
    paper="arXiv:2102.06171",
    topics=("classification", "vision"),
    recipe={
        "optimizer": "agc",
        "optimizer.base": "nag(weight_decay=2e-5)",
        "lr": 0.3,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (12, 12),
        "layers": (1, 1),
        "widths": (8, 12),
        "stem_widths": (2, 4, 4),
        "group_width": 2,
        "skip_gain": 0.5,
        "dropout": 0.0,
    },
    figures={
        "parameters": 71_489_284,
        "multiply_adds": 12_384_198_656,
        "at": {"input_size": (256, 256)},
    },
    variants={
        "nfnet_f1": {
            "layers": (2, 4, 12, 6),
            "dropout": 0.3,
            "figures": {
                "parameters": 132_634_256,
                "multiply_adds": 35_538_968_576,
                "at": {"input_size": (320, 320)},
            },
        },
    },
)
class NFNet(AbstractImageNetwork):
    r"""NFNet: residual blocks that need no normalisation, $x_{l+1} = x_l + \alpha g F(\phi(x_l) / \beta_l)$.

    Kernels are standardised, activations φ scaled so that a standard normal number keeps its variance, and
    the variance β² of each block's input is known beforehand: it grows by α² with each block, from one at
    the start of each stage. g is a number that starts at `skip_gain`. `layers` and `widths` tell the blocks
    and the channels of each stage; 3×3 convolutions see groups of `group_width` channels. `drop_path` is
    stochastic depth's last rate. Made to be trained with adaptive gradient clipping (`agc`).
    As in the authors' code β divides what the activation gives; in their formula it divides x before. timm
    adds `eps=1e-5` to the kernels' variances, also with the authors' weights.
    Small images (64 pixels and less) are not halved in the stem, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` where not each stage has its width, and where half of one has no whole groups.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        layers: Sequence[int] = (1, 2, 6, 3),
        widths: Sequence[int] = (256, 512, 1536, 1536),
        stem_widths: Sequence[int] = (16, 32, 64),
        group_width: int = 128,
        alpha: float = 0.2,
        skip_gain: float = 0.0,
        eps: float = 0.0,
        activation: Choice = "gelu",
        drop_path: float = 0.0,
        dropout: float = 0.2,
    ):
        if len(layers) != len(widths):
            raise UsageError(f"each stage has its width: layers={layers} and widths={widths}")
        if wrong := [width for width in widths if width < 2 * group_width or width % (2 * group_width)]:
            raise UsageError(f"widths are multiples of {2 * group_width}, twice group_width, not {wrong[0]}")
        half = 1 if is_small(input_size) else 2
        stem, before = nn.Sequential(), in_channels
        for channels, stride in zip((*stem_widths, widths[0] // 2), (half, 1, 1, half), strict=True):
            if len(stem):
                stem.append(ScaledActivation(activation, before))
            stem.append(ScaledConv2d(before, channels, 3, stride, eps=eps))
            before = channels
        make = partial(
            NFBlock,
            group_width=group_width,
            alpha=alpha,
            skip_gain=skip_gain,
            eps=eps,
            activation=activation,
        )
        stages = nf_stages(make, before, list(zip(layers, widths, strict=True)), alpha, drop_path)
        last, features = widths[-1], 2 * widths[-1]
        neck = nn.Sequential(
            ScaledConv2d(last, features, eps=eps), ScaledActivation(activation, features), *mean_pool()
        )
        neck.append(nn.Dropout(dropout))
        super().__init__(stem, stages, neck, features, num_classes)
        start(self, self.head)
