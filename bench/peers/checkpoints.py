"""Writing a checkpoint and taking it back: ten million numbers with Adam's state, ours beside others'."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.pairs import pairs
from torchatlas.engine.checkpoint import Store

WIDTH, LAYERS = 1000, 10


def subject() -> tuple[nn.Module, torch.optim.Optimizer]:
    """The network and an optimizer that has a state."""
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS)))
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    net(torch.randn(8, WIDTH)).square().mean().backward()
    optimizer.step()
    return net, optimizer


def measure(saver: str, count: int, home: Path) -> dict[str, Any]:
    """Pairs of writing, and pairs of reading with taking back."""
    net, optimizer = subject()
    folder = home / "checkpoints"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = Store(folder / "ours", keep=1)
    state = {"learner": net.state_dict(), "optimizers": {"all": optimizer.state_dict()}}

    def write() -> None:
        store.save(1, state)

    def read() -> None:
        found = store.newest(print)
        assert found
        net.load_state_dict(found[1]["learner"])
        optimizer.load_state_dict(found[1]["optimizers"]["all"])

    def gone() -> None:
        shutil.rmtree(store.folder, ignore_errors=True)

    save, load = MAKERS[saver](net, optimizer, folder / saver)
    writing = pairs("write", write, save, count, fresh=(gone, lambda: None))
    reading = pairs("read", read, load, count)
    size = sum(file.stat().st_size for file in store.folder.rglob("*") if file.is_file())
    shutil.rmtree(folder)
    kept = {}
    for name, ratio in (("write", writing), ("read", reading)):
        kept[name] = {"ratios": [1 / r for r in ratio.ratios], "ours": ratio.ours, "theirs": ratio.theirs}
    return {**kept, "mib": size / 2**20, "parameters": sum(p.numel() for p in net.parameters())}


Both = tuple[Callable[[], object], Callable[[], object]]


def _torch(net: nn.Module, optimizer: torch.optim.Optimizer, path: Path, synced: bool = False) -> Both:
    """`torch.save` of both states in one file."""

    def save() -> None:
        with open(path, "wb") as file:
            torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, file)
            if synced:
                file.flush()
                os.fsync(file.fileno())

    def load() -> None:
        found = torch.load(path)
        net.load_state_dict(found["net"])
        optimizer.load_state_dict(found["optimizer"])

    return save, load


def _synced(net: nn.Module, optimizer: torch.optim.Optimizer, path: Path) -> Both:
    return _torch(net, optimizer, path, synced=True)


def _lightning(net: nn.Module, optimizer: torch.optim.Optimizer, path: Path) -> Both:
    """Fabric's `save` and `load`: what Lightning's own checkpoints are written with."""
    import lightning

    fabric = lightning.Fabric(accelerator="cpu", devices=1)
    wrapped = fabric.setup(net, optimizer)
    state = {"net": wrapped[0], "optimizer": wrapped[1]}
    return (lambda: fabric.save(path, state)), (lambda: fabric.load(path, state))


def _accelerate(net: nn.Module, optimizer: torch.optim.Optimizer, path: Path) -> Both:
    """Accelerate's `save_state` and `load_state`, the checkpoints of Hugging Face's loops."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    accelerator.prepare(net, optimizer)
    return (lambda: accelerator.save_state(str(path))), (lambda: accelerator.load_state(str(path)))


MAKERS: dict[str, Callable[[nn.Module, torch.optim.Optimizer, Path], Both]] = {
    "torch": _torch,
    "torch_synced": _synced,
    "lightning": _lightning,
    "accelerate": _accelerate,
}
