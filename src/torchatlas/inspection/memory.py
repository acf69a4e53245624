"""What a call of a module keeps in memory between its layers."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_iter

from ..cards.card import method
from .calling import WHOLE, looked_at
from .cost import Count


@method("count_activations", topics=("cost",))
def count_activations(module: nn.Module, *inputs: Any, call: str = "forward", **words: Any) -> Count:
    r"""Activation memory: the bytes of what each layer hands on in one call, $\sum$ numbers × bytes of each.

    The call is `module(*inputs, **words)`. A result counts once, for the innermost submodule that gave it
    first; views of what is there already, changes in place and the inputs count nothing. What a module
    computes for itself alone, such as attention's scores, is not seen. Training keeps about this much for
    the backward pass; evaluation frees most of it as it goes.

    As `count_macs` it runs in evaluation mode, on shapes alone where these will do, and leaves no trace.
    call: another method of the module, such as "predict".
    Raises UsageError for a lazy module, and whatever the call itself raises.
    """
    counted = looked_at(module, inputs, words, call, lambda run: _watched(module, run))
    names = [name or WHOLE for name, _ in module.named_modules()]
    return Count({name: counted[name] for name in names if counted.get(name)})


def _watched(module: nn.Module, run: Callable[[], Any]) -> dict[str, int]:
    """The bytes of each submodule's new results."""
    found: dict[str, int] = {}
    seen: dict[int, Tensor] = {}  # by storage; what is held keeps its address

    def note(name: str, given: Any, counts: bool) -> None:
        for tensor in tree_iter(given):
            if isinstance(tensor, Tensor):
                place = tensor.untyped_storage()._cdata
                if place not in seen:
                    seen[place] = tensor
                    if counts:
                        found[name] = found.get(name, 0) + tensor.numel() * tensor.element_size()

    hooks = [
        module.register_forward_pre_hook(
            lambda _, args, words: note("", (args, words), False), with_kwargs=True
        )
    ]
    for name, layer in module.named_modules():
        hooks.append(
            layer.register_forward_hook(lambda _, args, out, name=name or WHOLE: note(name, out, True))
        )
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return found
