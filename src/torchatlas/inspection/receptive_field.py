"""How much of the input one place of the output sees."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from ..cards.card import method
from ..engine.errors import UsageError
from .calling import looked_at


@dataclass(frozen=True)
class Field:
    """A receptive field along each dimension of places: how many input pixels, and how far neighbours move.

    `whole` says that an output sees all of the input, whatever its size; then `size` is that of the input.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    whole: bool = False

    def through(self, kernel: list[int], stride: list[int], dilation: list[int]) -> "Field":
        """The field of what a window makes of places with this one."""
        size = (
            r + (k - 1) * d * j for r, k, d, j in zip(self.size, kernel, dilation, self.stride, strict=True)
        )
        return Field(tuple(size), tuple(j * s for j, s in zip(self.stride, stride, strict=True)), self.whole)


@method("receptive_field", year=2019, paper="Araujo et al., Distill", topics=("cost", "vision"))
def receptive_field(module: nn.Module, x: Tensor) -> Field:
    r"""Receptive field: the window of the input that one place of a module's output depends on.

    $r_n = r_{n-1} + (k_n - 1) d_n \prod_{i<n} s_i$ for a kernel k with dilation d, s the strides before it;
    where branches meet the largest counts. What takes sums over all places (linear layers, global pooling,
    attention, norms over a map) sees the whole. It is what weights allow; a trained net may use less of it.
    x: an example (batch, channels, places ...) of which only the shape matters as a rule; it runs as in
    `count_macs`, leaving no trace.
    Raises UsageError for transposed convolutions, and for inputs without places.
    """
    if x.ndim < 3:
        raise UsageError(f"a receptive field is that of (batch, channels, places ...), not {tuple(x.shape)}")

    def look(run: Callable[[], Any]) -> Field:
        walker = _Walker(x.shape)
        hook = module.register_forward_pre_hook(lambda _, args: walker.start(args[0]))
        try:
            with walker:
                out = run()
        finally:
            hook.remove()
        return walker.of(next(t for t in tree_iter(out) if isinstance(t, Tensor)))

    found = looked_at(module, (x,), {}, "forward", look)
    return Field(tuple(x.shape[2:]), found.stride, True) if found.whole else found


class _Walker(TorchDispatchMode):
    """Knows the field of every tensor that came from the input, by its storage."""

    def __init__(self, shape: torch.Size):
        super().__init__()
        self.first = Field((1,) * (len(shape) - 2), (1,) * (len(shape) - 2))
        self.fields: dict[int, Field] = {}
        self.held: list[Tensor] = []  # what is held keeps its address

    def start(self, x: Tensor) -> None:
        """The input: each place sees itself."""
        self._note(x, self.first)

    def of(self, tensor: Tensor) -> Field:
        """What a tensor sees. Raises UsageError where it does not come from the input."""
        field = self.fields.get(tensor.untyped_storage()._cdata)
        if field is None:
            raise UsageError("the module's output does not depend on its input")
        return field

    def _note(self, tensor: Tensor, field: Field) -> None:
        self.fields[tensor.untyped_storage()._cdata] = field
        self.held.append(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet, kwargs = func.overloadpacket, kwargs or {}
        known = packet in WINDOWS or packet in WHOLE
        if not known:
            with self:
                whole = func.decompose(*args, **kwargs)
            if whole is not NotImplemented:
                return whole
        tensors = [t for t in tree_iter((args, kwargs)) if isinstance(t, Tensor)]
        places = [t.untyped_storage()._cdata for t in tensors]
        fields = [self.fields[place] for place in places if place in self.fields]
        out = func(*args, **kwargs)
        if fields:
            field = _joined(fields)
            if packet in WINDOWS:
                field = field if field.whole else field.through(*WINDOWS[packet](*args, **kwargs))
            elif packet in WHOLE:
                field = Field(field.size, field.stride, True)
            for tensor in tree_iter(out):
                if isinstance(tensor, Tensor):
                    self._note(tensor, field)
        return out


def _joined(fields: list[Field]) -> Field:
    """What a tensor sees that is made of several."""
    size = tuple(max(sizes) for sizes in zip(*(f.size for f in fields), strict=True))
    stride = tuple(max(strides) for strides in zip(*(f.stride for f in fields), strict=True))
    return Field(size, stride, any(f.whole for f in fields))


Window = tuple[list[int], list[int], list[int]]  # kernel, stride, dilation


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    *rest: Any,
) -> Window:
    if transposed:
        raise UsageError("the receptive field through a transposed convolution differs from place to place")
    return list(weight.shape[2:]), list(stride), list(dilation)


def _pool(
    x: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, *rest: Any, **more: Any
) -> Window:
    sides = _each(kernel, x.ndim - 2)
    return sides, _each(stride, len(sides)) if stride else sides, _each(dilation, len(sides))


def _mean_pool(x: Tensor, kernel: Any, stride: Any = (), *rest: Any, **more: Any) -> Window:
    return _pool(x, kernel, stride)


def _each(value: Any, count: int) -> list[int]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return values * count if len(values) == 1 else values


aten = torch.ops.aten
WINDOWS: dict[Any, Callable[..., Window]] = {
    aten.convolution: _convolution,
    **dict.fromkeys((aten.max_pool2d_with_indices, aten.max_pool3d_with_indices), _pool),
    **dict.fromkeys((aten.avg_pool2d, aten.avg_pool3d), _mean_pool),
}
WHOLE = {
    *(aten.mm, aten.bmm, aten.mv, aten.dot, aten.linear, aten.addmm, aten.baddbmm, aten.addmv, aten.addbmm),
    *(aten.mean, aten.sum, aten.amax, aten.amin, aten.var, aten.var_mean, aten._softmax, aten._log_softmax),
    *(aten._adaptive_avg_pool2d, aten._adaptive_avg_pool3d, aten.adaptive_max_pool2d),
    *(aten.native_layer_norm, aten.native_group_norm, aten._fft_r2c, aten._fft_c2c, aten.mkldnn_rnn_layer),
}
