"""Many processes for one run: started by `torchrun`, joined here; PyTorch's collectives do the rest."""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous
from torch.optim import Optimizer

from .errors import AtlasError, Deserted, UsageError

T = TypeVar("T")

TIMEOUT = 120.0  # seconds without a word from another process before it counts as dead
FORWARDS = ("loss", "scores", "predict", "sample", "updated", "act")  # what of a learner reads its weights


@dataclass(frozen=True)
class Group:
    """The processes that train one model together; alone, a group of one."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes, tells and decides."""
        return self.rank == 0

    def mine(self, pieces: int) -> range:
        """The pieces that are this process's: as many for each. Raises UsageError where that cannot be."""
        each, rest = divmod(pieces, self.size)
        if rest or not each:
            raise UsageError(
                f"{pieces} shards cannot be shared evenly by {self.size} processes: start as many processes "
                f"as divide {pieces}, or begin a new run with --shards {self.size}"
            )
        return range(self.rank * each, (self.rank + 1) * each)

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes; one message for each precision.

        Raises Deserted where a process died, or said nothing for the time-out.
        """
        if self.size == 1:
            return
        for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
            those = [tensor for tensor in tensors if tensor.dtype == dtype]
            flat = torch.cat([tensor.reshape(-1) for tensor in those])
            with _kept_company():
                dist.all_reduce(flat)
            pieces = flat.split([tensor.numel() for tensor in those])
            torch._foreach_copy_(those, [piece.view(t.shape) for piece, t in zip(pieces, those)])

    def agree(self, value: Any) -> Any:
        """The first process's value, for all."""
        if self.size == 1:
            return value
        box = [value]
        with _kept_company():
            dist.broadcast_object_list(box, src=0)
        return box[0]

    def by_first(self, work: Callable[[], T]) -> T:
        """What the first process gets from some work, for all; what it raises, all raise."""
        if self.size == 1:
            return work()
        result: Any = None
        error: AtlasError | None = None
        if self.first:
            try:
                result = work()
            except AtlasError as raised:
                error = raised
        result, error = self.agree((result, error))
        if error is not None:
            error.told = not self.first
            raise error
        return result

    def part(self) -> None:
        """All have come here: from now on each is alone. gloo's threads end badly in a process that exits."""
        if self.size > 1 and dist.is_initialized():
            with _kept_company():
                dist.barrier()
            dist.destroy_process_group()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first process goes first, the others after it: what it fetched or made is there for them."""
        try:
            if not self.first:
                self.agree(None)
            yield
        finally:
            if self.first:
                self.agree(None)


ALONE = Group()


@contextmanager
def _kept_company() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        first = str(error).partition("\n")[0]
        raise Deserted(f"another process of this run died or fell silent ({first})") from error


def world_size() -> int:
    """How many processes `torchrun` started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def restarted() -> bool:
    """Whether `torchrun` started these processes again after a failure."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The group of the processes that `torchrun` started, while open; alone without it.

    gloo on the CPU, NCCL on CUDA. A silence of TORCHATLAS_TIMEOUT seconds (120) counts as death.
    """
    if world_size() == 1:
        yield ALONE
        return
    if dist.is_initialized():  # the caller's own group
        yield Group(dist.get_rank(), dist.get_world_size())
        return
    limit = timedelta(seconds=float(os.environ.get("TORCHATLAS_TIMEOUT", TIMEOUT)))
    with _kept_company():
        store, rank, size = next(iter(rendezvous("env://", timeout=limit)))
        store = PrefixStore(_name_of_group(store, rank, size, limit.total_seconds()), store)
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=limit)
    try:
        yield Group(rank, size)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _name_of_group(store: Store, rank: int, size: int, seconds: float) -> str:
    """A name that the processes alive now agree on, and none that died before them knew.

    torchrun may keep its store over restarts: the addresses that dead processes left there would be taken
    for those of the living. Each process shows a token of its own; the first one answers every token that
    it sees with the name, until all have taken it.
    """
    token, end = uuid.uuid4().hex, time.monotonic() + seconds
    if rank > 0:
        store.set(f"token/{rank}", token)
        store.wait([f"name/{token}"], timedelta(seconds=seconds))
        name = store.get(f"name/{token}").decode()
        store.set(f"taken/{name}/{rank}", "yes")
        return name
    others, seen = set(range(1, size)), set()
    while others:
        if time.monotonic() > end:
            raise RuntimeError(f"{len(others)} of {size} processes did not come within {seconds:g} s")
        for other in list(others):
            if store.check([f"taken/{token}/{other}"]):
                others.remove(other)
            elif store.check([f"token/{other}"]) and (their := store.get(f"token/{other}")) not in seen:
                seen.add(their)
                store.set(f"name/{their.decode()}", token)
        time.sleep(0.01)
    return token


def local_device(device: torch.device) -> torch.device:
    """Each process of a machine takes the CUDA device of its number."""
    if device.type == "cuda" and device.index is None and world_size() > 1:
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return device


def shard_model(learner: nn.Module, group: Group) -> None:
    """Keep of each parameter only this process's part (FSDP2); it is gathered where it is used.

    Blocks (the items of sequences and lists) are gathered one by one, what is left with the whole learner.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    device = next(learner.parameters()).device
    mesh = init_device_mesh(device.type, (group.size,))
    for module in reversed(list(learner.modules())):
        if isinstance(module, nn.Sequential | nn.ModuleList):
            for block in module:
                if next(block.parameters(), None) is not None and not isinstance(block, nn.ModuleList):
                    fully_shard(block, mesh=mesh)
    fully_shard(learner, mesh=mesh)
    for name in FORWARDS:
        if hasattr(learner, name):
            register_fsdp_forward_method(learner, name)


def is_sharded(learner: nn.Module) -> bool:
    """Whether `shard_model` was called on it."""
    return any(hasattr(parameter, "full_tensor") for parameter in learner.parameters())


def whole(tree: Any) -> Any:
    """A tree of containers whose sharded tensors are gathered; all processes must ask together."""
    if isinstance(tree, Tensor):
        return tree.full_tensor() if hasattr(tree, "full_tensor") else tree
    if isinstance(tree, dict):
        return {key: whole(value) for key, value in tree.items()}
    return type(tree)(map(whole, tree)) if isinstance(tree, list | tuple) else tree


def like(value: Tensor, parameter: Tensor) -> Tensor:
    """A whole tensor laid out as a parameter is: in its memory format, or cut into shards as it is."""
    if hasattr(parameter, "full_tensor"):
        from torch.distributed.tensor import DTensor, distribute_tensor

        assert isinstance(parameter, DTensor)
        return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


@torch.no_grad()
def load_learner(learner: nn.Module, state: dict[str, Tensor]) -> None:
    """`load_state_dict` with whole tensors, for a learner that may be sharded."""
    if not is_sharded(learner):
        learner.load_state_dict(state)
        return
    for name, mine in learner.state_dict().items():
        mine.copy_(like(state[name], mine) if hasattr(mine, "full_tensor") else state[name])


@torch.no_grad()
def load_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """`load_state_dict` with whole tensors; what belongs to a parameter is laid out as it is.

    Fused kernels walk over the memory of a parameter and of its state side by side. An optimizer around
    another one has that as its `base`.
    """
    optimizer.load_state_dict(state)
    inner = [base] if (base := getattr(optimizer, "base", None)) is not None else []
    for each in (optimizer, *inner):
        for parameter, kept in each.state.items():
            for name, value in kept.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape and value.ndim:
                    kept[name] = like(value, parameter)
