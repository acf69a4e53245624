"""What our optimizers share: the walk over groups, lists of tensors that move together, counts of steps."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from ..engine.errors import UsageError

Tensors = list[Tensor]
GRAIN = 2**18  # numbers that a CPU takes at a time: those of a few tensors fit into its caches
PLAIN = (Tensor, nn.Parameter)  # what a piece of memory can be cut from; sharded tensors cannot
Cut = Callable[[Sequence[Any], int], Iterable[Sequence[Any]]]


class AbstractForeach(Optimizer):
    """An optimizer that moves many weights at once; `move` is all that a method adds.

    Weights without a gradient rest. Sparse and complex gradients are refused in words. No step waits for a
    device. Where steps are counted, `capturable` keeps the counts on the device, so that a CUDA graph can
    take up the step; the others can be captured as they are.
    """

    calls_once = True  # the closure, before any weight moves: nobody need keep the weights for it

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; the loss of the closure, where one is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weights in alike(group["params"], type(self).__name__):
                self.move(weights, [w.grad for w in weights if w.grad is not None], group)
        return loss

    @abstractmethod
    def move(self, weights: Tensors, grads: Tensors, group: dict[str, Any]) -> None:
        """Move weights of one device and type in place; the gradients are only read."""

    def kept(self, name: str, weights: Tensors, single: bool = False) -> Tensors:
        """What is kept under a name for each weight: as many numbers, or a `single` one; zeros at first."""
        found = []
        for weight in weights:
            state = self.state[weight]
            if name not in state:
                state[name] = weight.new_zeros(()) if single else torch.zeros_like(weight)
            found.append(state[name])
        return found

    def counted(self, weights: Tensors, group: dict[str, Any]) -> Tensors:
        """How many steps each weight has made, with this one: on the CPU, or where the weight is.

        Raises UsageError in a CUDA graph that would keep the numbers of its first step for ever.
        """
        capturable = group.get("capturable", False)
        if weights[0].is_cuda and not capturable and torch.cuda.is_current_stream_capturing():
            raise UsageError(
                f"{type(self).__name__} counts its steps on the CPU, which a CUDA graph does not see: "
                "create it with capturable=True"
            )
        counts = []
        for weight in weights:
            state = self.state[weight]
            if "step" not in state:
                state["step"] = torch.zeros((), device=weight.device if capturable else "cpu")
            counts.append(state["step"])
        torch._foreach_add_(counts, 1)
        return counts


def alike(params: Iterable[Tensor], name: str) -> Iterable[Tensors]:
    """The parameters that have a gradient, in lists of one device and type: what foreach code is fast on."""
    lists: dict[Any, Tensors] = {}
    for param in params:
        grad = param.grad
        if grad is None or not param.numel():
            continue
        if grad.layout != torch.strided or grad.is_complex():
            form = "complex" if grad.is_complex() else "sparse"
            cure = "use adam" if grad.is_complex() else "use sgd or adagrad"
            raise UsageError(f"{name} takes no {form} gradients, as of shape {tuple(param.shape)}: {cure}")
        lists.setdefault((param.device, param.dtype), []).append(param)
    return lists.values()


def off_one(base: float, counts: Tensors, dtype: torch.dtype | None = None) -> list[Any]:
    """|1 - baseᵗ| for each count t, exact where the base is near one too.

    Numbers where the counts lie on the CPU; where not, and while compiling, tensors (of a type, if said).
    """
    rate = math.log(base) if base else -math.inf
    if counts[0].device.type != "cpu" or torch.compiler.is_compiling():
        gaps = (torch.stack(counts) * rate).expm1().abs()
        return list((gaps if dtype is None else gaps.to(dtype)).unbind())
    return [abs(math.expm1(min(rate * count.item(), 700.0))) for count in counts]


def bites(*lists: Sequence[Any], by_rows: bool = False) -> Iterable[tuple[list[Any], ...]]:
    """Lists that go side by side, a bite at a time that a CPU's cache holds; whole on other devices.

    A bite goes through all operations before the next one, so that memory is passed over once. Large tensors
    are cut into views, whose changes are theirs: flat ones, for what is done to each number by itself, or
    `by_rows` slices of the first axis. The first list are the weights; what is no tensor of as many numbers
    (or rows) goes with each piece.
    """
    if lists[0][0].device.type != "cpu" or torch.compiler.is_compiling():
        return [tuple(list(items) for items in lists)]
    return _bites(lists, max(GRAIN, GRAIN * torch.get_num_threads() // 8), _rows if by_rows else _cut)


def _bites(lists: Sequence[Sequence[Any]], size: int, cut: Cut) -> Iterator[tuple[list[Any], ...]]:
    bite: list[Sequence[Any]] = []
    held = 0
    for row in zip(*lists, strict=True):
        for piece in cut(row, size):
            bite.append(piece)
            held += piece[0].numel()
            if held >= size:
                yield tuple(map(list, zip(*bite, strict=True)))
                bite, held = [], 0
    if bite:
        yield tuple(map(list, zip(*bite, strict=True)))


def _cut(row: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """A weight and what goes with it, in pieces; in one where it is small, or they are not laid out alike."""
    weight = row[0]
    large = [isinstance(item, Tensor) and item.numel() > 1 for item in row]
    if weight.numel() < 2 * size or not _laid_alike([x for x, is_large in zip(row, large) if is_large]):
        return [row]
    count = -(-weight.numel() // size)
    columns = [
        _flat(x).split(size) if is_large else [x] * count for x, is_large in zip(row, large, strict=True)
    ]
    return zip(*columns, strict=True)


def _rows(row: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """A weight in slices of its first axis, with those of what has as many; in one where it is small."""
    weight = row[0]
    if weight.numel() < 2 * size or type(weight) not in PLAIN:
        return [row]
    length = max(1, size // weight[0].numel())
    count = -(-len(weight) // length)
    columns = [
        x.split(length) if isinstance(x, Tensor) and x.ndim and len(x) == len(weight) else [x] * count
        for x in row
    ]
    return zip(*columns, strict=True)


def _laid_alike(tensors: Tensors) -> bool:
    """Whether plain tensors hold their numbers without gaps and in one order."""
    if any(type(x) not in PLAIN for x in tensors):
        return False
    last = torch.channels_last
    images = all(x.ndim == 4 and x.is_contiguous(memory_format=last) for x in tensors)
    return images or all(x.is_contiguous() for x in tensors)


def _flat(tensor: Tensor) -> Tensor:
    """A view of all numbers in the order of memory."""
    tensor = tensor.detach()
    return (tensor if tensor.is_contiguous() else tensor.permute(0, 2, 3, 1)).view(-1)


def joint_norm(tensors: Sequence[Tensor]) -> Tensor:
    """The norm of all tensors together, where the first one lies and in the widest of their types."""
    dtype = reduce(torch.promote_types, {tensor.dtype for tensor in tensors})
    norms = torch._foreach_norm(list(tensors))
    return torch.stack([norm.to(tensors[0].device, dtype) for norm in norms]).norm()


def at_least_zero(**numbers: float) -> None:
    """Refuse options below zero, each by its name."""
    for name, number in numbers.items():
        if not number >= 0:
            raise UsageError(f"{name} must be at least 0, not {number}")


def below_one(**numbers: float) -> None:
    """Refuse decays outside of 0..1, one excluded, each by its name."""
    for name, number in numbers.items():
        if not 0 <= number < 1:
            raise UsageError(f"{name} must be at least 0 and below 1, not {number}")
