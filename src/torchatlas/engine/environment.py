"""What a run ran on: versions, threads, devices. Facts for the record; nothing here changes a result."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from .errors import UsageError

PACKAGES = ("torchatlas", "torch", "numpy", "scikit-learn", "pandas", "safetensors")

DEVICES = "cpu, cuda, cuda:0, mps or auto"


def pick_device(wish: str = "auto") -> torch.device:
    """The device of that name; "auto" takes CUDA, else MPS, else the CPU.

    Raises UsageError for what is no device, and for one that is not here.
    """
    if wish != "auto":
        try:
            named = torch.device(wish)
        except RuntimeError:
            named = torch.device("meta")
        if named.type == "meta":  # it holds no numbers
            raise UsageError(f"no device is called {wish!r}; say {DEVICES}")
        try:
            return torch.zeros((), device=named).device
        except (RuntimeError, AssertionError) as error:
            why = str(error).splitlines()[0]
            raise UsageError(f"the device {wish!r} cannot be used here ({why}); say {DEVICES}") from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """On CUDA, deterministic algorithms; PyTorch warns of an operation that has none. A CPU needs nothing."""
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS wants to be told for it
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return {"python": platform.python_version(), **found}


def environment() -> dict[str, Any]:
    """Versions, machine and devices, as plain values."""
    facts: dict[str, Any] = {
        "versions": versions(),
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "mps": torch.backends.mps.is_available(),
    }
    return facts
