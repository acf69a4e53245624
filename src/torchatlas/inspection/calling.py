"""Calls of a module that are looked at and leave no trace: on shapes alone where these will do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_map_only

from ..engine.errors import UsageError

T = TypeVar("T")
WHOLE = "(itself)"  # the layer's name for what a module does outside its submodules


def looked_at(
    module: nn.Module,
    inputs: Sequence[Any],
    words: Mapping[str, Any],
    call: str,
    look: Callable[[Callable[[], Any]], T],
) -> T:
    """What `look(run)` sees, where `run()` calls the module's method `call`.

    The module runs in evaluation mode, on shapes alone (PyTorch's meta device), and with numbers only where
    it looks at them; parameters, buffers, modes and random state stay as they are.
    Raises UsageError for a lazy module, and whatever the call itself raises.
    """
    refuse_lazy(module)
    caller = _Caller(module, call)
    tensors = {**dict(caller.named_parameters()), **dict(caller.named_buffers())}
    with _quietly(module):
        try:
            shapes = tree_map_only(Tensor, _shape_of, (tensors, tuple(inputs), dict(words)))
            return look(lambda: functional_call(caller, *shapes))
        except Exception:
            copies = {name: buffer.clone() for name, buffer in caller.named_buffers()}
            return look(lambda: functional_call(caller, copies, tuple(inputs), dict(words)))


class _Caller(nn.Module):
    """A module whose call is a method of another."""

    def __init__(self, module: nn.Module, call: str):
        super().__init__()
        self.module, self.call = module, call

    def forward(self, *inputs: Any, **words: Any) -> Any:
        return (self.module if self.call == "forward" else getattr(self.module, self.call))(*inputs, **words)


def _shape_of(tensor: Tensor) -> Tensor:
    return tensor.detach().to("meta")


def refuse_lazy(module: nn.Module) -> None:
    """Raise UsageError for a module that has no shapes before its first call."""
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if is_lazy(tensor):
            raise UsageError(f"{name} has no shape yet; call the module once on a batch, then count")


@contextmanager
def _quietly(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradient, by plain operations rather than fused ones; all is set back after."""
    modes = [(layer, layer.training) for layer in module.modules()]
    devices = {p.device for p in module.parameters() if p.device.type == "cuda"}
    fused = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch.random.fork_rng(devices=list(devices)))
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        torch.backends.mha.set_fastpath_enabled(False)
        module.eval()
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
            for layer, mode in modes:
                layer.training = mode
