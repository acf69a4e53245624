"""What networks of images share: stem, stages, neck and head, and what can be done with each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..engine.errors import UsageError

Size = tuple[int, int]
KeyMap = Sequence[tuple[str, str]]  # regular expressions and what stands in their place, one after another
LARGE = 512  # pixels of a side with which every network makes a map
SMALL = 64  # pixels of the shorter side up to which an image is small


def is_small(input_size: Size | None) -> bool:
    """Whether images are so small that a network leaves out its first two halvings, as CIFAR's are."""
    return input_size is not None and min(input_size) <= SMALL


class AbstractStagedNetwork(nn.Module):
    """A network of images: a stem, stages of blocks, a neck to one vector of features, and a head.

    stem: the first layers. stages: what each gives is a map, or tokens. neck: from the last of these to
    `features` numbers, which `forward_features` gives. head: an affine map to the logits; with
    `num_classes=0` there is none, and the features come out. `key_maps` say how other libraries call the
    weights (see `weights.py`).
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {}

    def __init__(
        self, stem: nn.Module, stages: Iterable[nn.Module], neck: nn.Module, features: int, num_classes: int
    ):
        super().__init__()
        self.stem, self.stages, self.neck = stem, nn.Sequential(*stages), neck
        self.features = features
        self.frozen: tuple[str, ...] = ()
        self.grad_checkpointing = False
        self.reset_head(num_classes)

    def forward_features(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, features)
        *_, last = self.staged(x)
        features: Tensor = self.neck(last)
        return features

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, k)
        logits: Tensor = self.head(self.forward_features(x))
        return logits

    def staged(self, x: Tensor) -> Iterator[Tensor]:
        """What each stage gives."""
        x = self.stem(x)
        again = self.grad_checkpointing and self.training and torch.is_grad_enabled()
        for stage in self.stages:
            for block in stage if isinstance(stage, nn.Sequential) else (stage,):
                x = _checkpointed(block, x) if again else block(x)
            yield x

    def make_head(self, num_classes: int) -> nn.Module:
        """What makes logits of the features."""
        return nn.Linear(self.features, num_classes)

    def reset_head(self, num_classes: int) -> Self:
        """A fresh head for so many classes; none for 0. It lies where the weights lie."""
        like = next(self.parameters())
        head = self.make_head(num_classes) if num_classes else nn.Identity()
        self.head = head.to(like.device, like.dtype).train(self.training)
        return self

    def parts(self) -> dict[str, nn.Module]:
        """The network's parts by name, in the order of the forward pass: stem, stage1 …, neck, head."""
        stages = {f"stage{number}": stage for number, stage in enumerate(self.stages, 1)}
        return {"stem": self.stem, **stages, "neck": self.neck, "head": self.head}

    def freeze(self, *names: str, until: str | None = None) -> Self:
        """Keep parts as they are, their batch statistics too: those named, or all up to and with `until`.

        Nothing named thaws all. Raises UsageError for a part that there is not.
        """
        parts = self.parts()
        for name in (*names, *([until] if until else ())):
            if name not in parts:
                raise UsageError(f"there is no part {name!r} to freeze: take {', '.join(parts)}")
        order = list(parts)
        before = order[: order.index(until) + 1] if until else []
        self.frozen = tuple(name for name in order if name in names or name in before)
        for name, part in parts.items():
            part.requires_grad_(name not in self.frozen)
        return self.train(self.training)

    def frozen_parameters(self) -> list[nn.Parameter]:
        """The parameters that are to stay as they are."""
        parts = self.parts()
        return [parameter for name in self.frozen for parameter in parts[name].parameters()]

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation; what is frozen stays in evaluation."""
        super().train(mode)
        parts = self.parts() if self.frozen else {}
        for name in self.frozen:
            parts[name].eval()
        return self

    def set_grad_checkpointing(self, enable: bool = True) -> Self:
        """Compute each block again on the way back rather than keep what is in it: less memory, more time."""
        self.grad_checkpointing = enable
        return self


class AbstractImageNetwork(AbstractStagedNetwork):
    """A network whose stages give maps, (b, c, h, w), from fine to coarse."""

    def feature_maps(self, x: Tensor) -> list[Tensor]:
        """The map that each stage gives."""
        return list(self.staged(x))


def _checkpointed(block: nn.Module, x: Tensor) -> Tensor:
    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _again(list(block.buffers()), [buffer.clone() for buffer in block.buffers()])

    result: Tensor = checkpoint(block, x, use_reentrant=False, context_fn=contexts)
    return result


@contextmanager
def _again(buffers: Sequence[Tensor], before: Sequence[Tensor]) -> Iterator[None]:
    """The second pass finds the statistics that the first one found, and does not move them again."""
    now = [buffer.clone() for buffer in buffers]
    for buffer, value in zip(buffers, before, strict=True):
        buffer.data.copy_(value)
    try:
        yield
    finally:
        for buffer, value in zip(buffers, now, strict=True):
            buffer.data.copy_(value)


class FeatureMaps(nn.Module):
    """A network without its neck and head: the maps of some stages, for detection and segmentation.

    stages: numbers from 0; by default the last of each stride. `channels` and `strides` tell of each map.
    Shapes: (batch, in_channels, h, w) -> a list of (batch, channels, ⌈h/stride⌉, ⌈w/stride⌉), or a pixel
    less on a side where a network pads nothing.
    """

    def __init__(self, network: AbstractImageNetwork, stages: Sequence[int] = ()):
        super().__init__()
        sizes = [_map_sizes(network, side) for side in (LARGE, 2 * LARGE)]
        strides = [LARGE // (large - small) for (_, small), (_, large) in zip(*sizes, strict=True)]
        last = {stride: number for number, stride in enumerate(strides)}
        self.out = tuple(stages) or tuple(last.values())
        if not all(0 <= number < len(strides) for number in self.out):
            raise UsageError(f"stages={self.out}: the network has {len(strides)}, numbered from 0")
        self.strides = tuple(strides[number] for number in self.out)
        self.channels = tuple(sizes[0][number][0] for number in self.out)
        self.stem = network.stem
        self.stages = nn.Sequential(*list(network.stages)[: max(self.out) + 1])
        self.whole = (network,)  # in a tuple, so that it is no submodule: it knows what is frozen

    def forward(self, x: Tensor) -> list[Tensor]:
        x, maps = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return [maps[number] for number in self.out]

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation; what the network has frozen stays in evaluation."""
        super().train(mode)
        parts = self.whole[0].parts()
        for name in self.whole[0].frozen:
            parts[name].eval()
        return self

    def frozen_parameters(self) -> list[nn.Parameter]:
        """The parameters that are to stay as they are."""
        return self.whole[0].frozen_parameters()


def _map_sizes(network: AbstractImageNetwork, side: int) -> list[tuple[int, int]]:
    """Channels and sides of each stage's map of a square image."""
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    maps = _shapes_of(_Maps(network), 1, first.in_channels, side, side)
    return [(each.shape[1], each.shape[2]) for each in maps]


def _shapes_of(module: nn.Module, *shape: int) -> Any:
    """What a module makes of an input of this shape in evaluation: shapes alone, nothing is computed."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    shadows = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    x = torch.empty(shape, device="meta", dtype=next(module.parameters()).dtype)
    mode = module.training
    try:
        return torch.func.functional_call(module.eval(), shadows, (x,))
    finally:
        module.train(mode)


def last_map(network: str, in_channels: int, size: Size, cure: str, *parts: nn.Module) -> Size:
    """Rows and columns of the map that parts make of an image one after another.

    Raises UsageError, which tells the least size and the cure, for an image that leaves none.
    """
    chain = nn.Sequential(*parts)

    def made(rows: int, columns: int) -> Size | None:
        try:
            return tuple(_shapes_of(chain, 1, in_channels, rows, columns).shape[2:])
        except RuntimeError:  # a kernel that is larger than what it is to see
            return None

    if found := made(*size):
        return found
    least = next((side for side in range(min(size), LARGE) if made(side, side)), LARGE)
    raise UsageError(f"{network} needs images of at least {least}x{least}, not {size[0]}x{size[1]}: {cure}")


class _Maps(nn.Module):
    """`feature_maps` as a forward pass."""

    def __init__(self, network: AbstractImageNetwork):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.network.feature_maps(x)
