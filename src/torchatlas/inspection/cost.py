"""What a module costs: its parameters, and the multiply-adds of one call."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..cards.card import method
from .calling import WHOLE, looked_at, refuse_lazy


@dataclass(frozen=True)
class Count:
    """A number per layer, by the submodule's name; layers with none are left out."""

    layers: dict[str, int]

    @property
    def total(self) -> int:
        """The whole module's number."""
        return sum(self.layers.values())


@method("count_params", topics=("cost",))
def count_params(module: nn.Module) -> Count:
    """The parameters of each layer and of the whole module; a shared one counts once, where it comes first.

    Frozen parameters count as well. Raises UsageError for a lazy module, which has no shapes before its
    first call.
    """
    refuse_lazy(module)
    seen: set[int] = set()
    layers = {}
    for name, layer in module.named_modules():
        own = [p for p in layer.parameters(recurse=False) if id(p) not in seen]
        seen.update(map(id, own))
        if own:
            layers[name or WHOLE] = sum(p.numel() for p in own)
    return Count(layers)


@method("count_macs", aliases=("cost_accounting", "layer_cost_counter"), topics=("cost",))
def count_macs(module: nn.Module, *inputs: Any, call: str = "forward", **words: Any) -> Count:
    r"""The multiply-adds of each layer, and of the whole module, in one call; FLOPs are twice that.

    The call is `module(*inputs, **words)`. Counted are products that are summed up: convolutions
    ($K^2 C_\text{in} C_\text{out} / g$ per output pixel, zeros of the border included; per input pixel where
    transposed), linear layers, matrix products, attention, recurrent cells and bilinear forms. Biases,
    activations, norms and sums are not.

    The module runs in evaluation mode, on shapes alone (PyTorch's meta device), and with numbers only where
    it looks at them; parameters, buffers, modes and random state stay as they are. What runs outside
    PyTorch's own operations (a custom kernel) is not seen.

    call: another method of the module, such as "predict". Work belongs to the innermost submodule that is
    called; a part used through its weights alone, to the module that uses it.
    Raises UsageError for a lazy module, and whatever the call itself raises.
    """
    counted = looked_at(module, inputs, words, call, lambda run: _counted(module, run))
    names = [name or WHOLE for name, _ in module.named_modules()]
    return Count({name: counted[name] for name in names if counted[name]})


def _counted(module: nn.Module, run: Callable[[], Any]) -> Counter[str]:
    """The multiply-adds of what runs, by the innermost submodule at work."""
    counter = _Counter()
    hooks = []
    for name, layer in module.named_modules():
        if name:
            hooks.append(layer.register_forward_pre_hook(lambda *_, name=name: counter.stack.append(name)))
            hooks.append(layer.register_forward_hook(lambda *_: _left(counter), always_call=True))
    try:
        with counter:
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return counter.macs


class _Counter(TorchDispatchMode):
    """Adds up the multiply-adds of every operation, under the name on top of the stack."""

    def __init__(self) -> None:
        super().__init__()
        self.stack, self.macs = [WHOLE], Counter[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet, kwargs = func.overloadpacket, kwargs or {}
        if packet not in MACS:
            with self:  # inference mode hands operations over whole: look at what they consist of
                whole = func.decompose(*args, **kwargs)
            if whole is not NotImplemented:
                return whole
        out = func(*args, **kwargs)
        if packet in MACS:
            self.macs[self.stack[-1]] += MACS[packet](out, *args)
        return out


def _left(counter: _Counter) -> None:
    counter.stack.pop()


def _product(left: int) -> Callable[..., int]:
    """A matrix product: each output sums over the last dimension of its left factor, at this argument."""
    return lambda out, *args: out.numel() * args[left].shape[-1]


def _convolution(out: Tensor, x: Tensor, weight: Tensor, *args: Any) -> int:
    transposed = args[4]
    pixels = (x if transposed else out).shape[2:]
    return len(out) * prod(pixels) * weight.numel()


def _bilinear(out: Tensor, x: Tensor, weight: Tensor, y: Tensor, *args: Any) -> int:
    """nn.Bilinear: x W of each sample, then that times y."""
    return x.numel() // x.shape[-1] * weight.numel() + out.numel() * y.shape[-1]


def _recurrent_layer(out: Any, x: Tensor, from_input: Tensor, from_state: Tensor, *args: Any) -> int:
    """A whole LSTM layer, which oneDNN runs as one operation: all gates at every step of every sample."""
    return x.shape[:2].numel() * (from_input.numel() + from_state.numel())


aten = torch.ops.aten
MACS: dict[Any, Callable[..., int]] = {
    **dict.fromkeys(
        (aten.mm, aten.bmm, aten.mv, aten.dot, aten.vdot, aten.linear, aten._int_mm), _product(0)
    ),
    **dict.fromkeys((aten.addmm, aten.baddbmm, aten.addmv, aten._addmm_activation), _product(1)),
    aten._scaled_mm: _product(0),
    aten.addbmm: lambda out, _, left, *args: out.numel() * left.shape[-1] * len(left),
    aten.convolution: _convolution,
    aten._trilinear: _bilinear,
    aten.mkldnn_rnn_layer: _recurrent_layer,
}
