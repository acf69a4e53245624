"""CycleGAN's networks: a generator that turns data into data, a critic of patches, and their small forms."""

import math
from functools import partial

from torch import Tensor, nn

from ...networks.dense.mlp import MLP


class Residual(nn.Module):
    """Two 3x3 convolutions with instance normalisation around a shortcut."""

    def __init__(self, width: int):
        super().__init__()
        half = (nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width))
        again = (nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width))
        self.body = nn.Sequential(*half, nn.ReLU(), *again)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class ConvTranslator(nn.Module):
    """Images to images of the same size in -1..1: down by halves, residual blocks, up again.

    The paper's is `width=64, downs=2, blocks=9` (6 blocks for images of 128); its outer kernels are 7x7.
    """

    def __init__(self, channels: int, width: int = 64, downs: int = 2, blocks: int = 9, kernel: int = 7):
        super().__init__()
        layers: list[nn.Module] = [
            *(nn.ReflectionPad2d(kernel // 2), nn.Conv2d(channels, width, kernel)),
            *(nn.InstanceNorm2d(width), nn.ReLU()),
        ]
        for _ in range(downs):
            layers += [nn.Conv2d(width, 2 * width, 3, 2, 1), nn.InstanceNorm2d(2 * width), nn.ReLU()]
            width *= 2
        layers += [Residual(width) for _ in range(blocks)]
        for _ in range(downs):
            layers += [nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1)]
            layers += [nn.InstanceNorm2d(width // 2), nn.ReLU()]
            width //= 2
        layers += [nn.ReflectionPad2d(kernel // 2), nn.Conv2d(width, channels, kernel), nn.Tanh()]
        self.body = nn.Sequential(*layers)
        self.apply(_small_weights)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        return self.body(x)[..., : x.shape[-2], : x.shape[-1]]


class PatchCritic(nn.Module):
    """One number for each patch of an image: 4x4 convolutions, of which `downs` halve the size.

    The paper's, `width=64, downs=3`, sees patches of 70x70.
    """

    def __init__(self, channels: int, width: int = 64, downs: int = 3):
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for stride in (*[2] * (downs - 1), 1):
            layers += [nn.Conv2d(width, 2 * width, 4, stride, 1), nn.InstanceNorm2d(2 * width)]
            layers += [nn.LeakyReLU(0.2)]
            width *= 2
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 1))
        self.apply(_small_weights)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, 1, h', w')
        return self.body(x)


def translator(shape: tuple[int, ...], width: int, blocks: int) -> nn.Module:
    """A generator for data of this shape: a perceptron for tables, convolutions for images."""
    if len(shape) < 3:
        return MLP(math.prod(shape), math.prod(shape), (4 * width, 4 * width))
    small = min(shape[1:]) < 16
    return ConvTranslator(shape[0], width, 1 if min(shape[1:]) < 64 else 2, blocks, 3 if small else 7)


def judge(shape: tuple[int, ...], width: int) -> nn.Module:
    """A critic for data of this shape; its logits are (b, ...)."""
    if len(shape) < 3:
        return MLP(math.prod(shape), 1, (4 * width, 4 * width), partial(nn.LeakyReLU, 0.2))
    side = min(shape[1:])
    return PatchCritic(shape[0], width, 1 if side < 16 else 2 if side < 64 else 3)


def _small_weights(module: nn.Module) -> None:
    """The paper's start: weights from N(0, 0.02); biases stay."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
