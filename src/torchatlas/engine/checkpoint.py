"""Checkpoints: safetensors and JSON with checksums, written whole or not at all, never a pickle."""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes, save_file
from torch import Tensor

from .errors import AtlasError, DamagedCheckpoint

FORMAT = 1
TENSORS, TREE, MANIFEST = "state.safetensors", "state.json", "manifest.json"
SEAL = "sha256"  # where a sealed file holds the checksum of the rest of it


def pack(tree: Any) -> tuple[dict[str, Tensor], Any]:
    """Split a tree of dicts, lists, numbers and tensors into tensors by path and the rest as plain JSON."""
    tensors: dict[str, Tensor] = {}
    seen: dict[tuple[Any, ...], str] = {}

    def walk(node: Any, path: str) -> Any:
        if isinstance(node, Tensor):
            flat = node.detach()
            # Tied weights stay tied: the same memory is written once (empty tensors all share address 0).
            same = (flat.data_ptr(), flat.shape, flat.stride(), flat.dtype, flat.device)
            key = seen.setdefault(same, path) if flat.numel() else path
            if key not in tensors:
                tensors[key] = flat.cpu().contiguous()
            return {"tensor": key}
        if isinstance(node, Mapping):
            return {"dict": [[key, walk(value, f"{path}/{key}")] for key, value in node.items()]}
        if isinstance(node, list | tuple):
            kind = "list" if isinstance(node, list) else "tuple"
            return {kind: [walk(value, f"{path}/{i}") for i, value in enumerate(node)]}
        if node is None or isinstance(node, bool | int | float | str):
            return node
        raise TypeError(
            f"{path} holds a {type(node).__name__}: state is tensors, numbers, strings and containers"
        )

    tree = walk(tree, "")
    return {key: _unshared(tensor) for key, tensor in tensors.items()}, tree


def _unshared(tensor: Tensor) -> Tensor:
    """A tensor that owns its storage: safetensors refuses views into a larger one."""
    whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
    return tensor if whole else tensor.clone()


def unpack(tensors: Mapping[str, Tensor], tree: Any) -> Any:
    """The tree that `pack` split."""
    if not isinstance(tree, dict):
        return tree
    ((kind, value),) = tree.items()
    if kind == "tensor":
        return tensors[value]
    if not isinstance(value, list):
        raise ValueError(f"a {kind} of a {type(value).__name__}")
    if kind == "dict":
        return {key: unpack(tensors, item) for key, item in value}
    if kind not in ("list", "tuple"):
        raise ValueError(f"{kind!r} is no container")
    items = [unpack(tensors, item) for item in value]
    return items if kind == "list" else tuple(items)


def seal(things: Mapping[str, Any]) -> bytes:
    """Plain values as JSON that holds its own checksum; a field named clock is not in it."""
    return json.dumps({**things, SEAL: _sum_of(things)}, indent=1).encode()


def unseal(content: bytes) -> dict[str, Any]:
    """What was sealed; also what was written without a checksum. Raises ValueError where it is not that."""
    try:
        things = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(things, dict):
        raise ValueError("it is no JSON object")
    if things.get(SEAL) not in (None, _sum_of(things)):
        raise ValueError("its checksum is not the one written")
    return {key: value for key, value in things.items() if key != SEAL}


def _sum_of(things: Mapping[str, Any]) -> str:
    lasting = {key: value for key, value in things.items() if key not in (SEAL, "clock")}
    return hashlib.sha256(json.dumps(lasting).encode()).hexdigest()


def write_durably(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_file(path: Path) -> dict[str, Any]:
    """Wait until the disk has a file's content; meanwhile, its checksum and its length."""
    with open(path, "rb+") as file, ThreadPoolExecutor(1) as beside:
        synced = beside.submit(os.fsync, file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        synced.result()
        return {"sha256": digest, "bytes": file.tell()}


def replace_durably(path: Path, content: bytes) -> None:
    """Replace a file in one step: a reader sees the old content or the new, never half of it."""
    if path.exists() and not path.is_file():  # /dev/stdout and its like are written to, never replaced
        path.write_bytes(content)
        return
    fresh = path.with_name(f".{path.name}.new")
    try:
        write_durably(fresh, content)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, and wait until the disk has their names."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the folder's names."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_state(folder: Path, state: Any) -> None:
    """Write a state as a folder: to a temporary one first, synced, then renamed.

    Raises AtlasError where the disk is full or the folder may not be written; nothing half-written is left.
    """
    fresh = folder.with_name(f".new-{folder.name}")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        make_folder(folder.parent)
        fresh.mkdir()
        tensors, tree = pack(state)
        (fresh / TREE).write_bytes(json.dumps(tree).encode())
        _write_tensors(fresh / TENSORS, tensors)
        shutil.copymode(fresh / TREE, fresh / TENSORS)  # safetensors writes for the owner's eyes alone
        sums = {name: sync_file(fresh / name) for name in (TENSORS, TREE)}
        write_durably(fresh / MANIFEST, seal({"format": FORMAT, "files": sums}))
        sync_folder(fresh)
        fresh.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise AtlasError(unwritable(folder, error)) from error


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Straight from where the tensors lie. Raises OSError, as Python's own files do."""
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:  # it has the system's number of the error in its words alone
        code = re.search(r"(?:os error|code:) (\d+)", str(error))
        raise OSError(int(code[1]) if code else errno.EIO, str(error)) from error


def unwritable(path: Path, error: OSError) -> str:
    """What to do where a file could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk is full: {path} could not be written. Free some space; what was saved before is intact"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission to write {path}. Choose another folder with --out, or change its owner or mode"
    told = f"{path} could not be written"
    if error.errno == errno.EISDIR:
        return f"{told}: it is a folder. Name a file with --out"
    above = [*reversed(path.parents), path]
    if file := next((place for place in above if place.is_file()), None):
        if file != path or error.errno in (errno.EEXIST, errno.ENOTDIR):
            return f"{told}: {file} is a file, not a folder. Name another place with --out"
    elif missing := next((place for place in above[:-1] if not place.exists()), None):
        return f"{told}: there is no folder {missing}. Make it, or name another with --out"
    return f"{told} ({error.strerror or error}). Name another place with --out"


def read_state(folder: Path) -> Any:
    """Read a state back, every byte checked.

    Raises DamagedCheckpoint that names the file at fault, and AtlasError where nothing is damaged but a
    newer torchatlas or another user wrote it.
    """
    try:
        manifest = unseal((folder / MANIFEST).read_bytes())
    except ValueError as error:
        raise DamagedCheckpoint(f"{folder / MANIFEST} is damaged: {error}") from error
    except OSError as error:
        raise _unreadable(folder / MANIFEST, error) from error
    try:
        version, sums = manifest["format"], manifest["files"]
        if isinstance(version, int) and version > FORMAT:
            raise AtlasError(
                f"{folder} was written by a newer torchatlas (format {version}); update to read it"
            )
        if version != FORMAT:
            raise DamagedCheckpoint(f"{folder / MANIFEST} is damaged: there is no format {version!r}")
        contents = {name: (folder / name).read_bytes() for name in (TENSORS, TREE)}
        for name, content in contents.items():
            if hashlib.sha256(content).hexdigest() != sums[name]["sha256"]:
                raise DamagedCheckpoint(f"{folder / name} is damaged: its checksum is not the one written")
        return unpack(tensors_from_bytes(contents[TENSORS]), json.loads(contents[TREE]))
    except OSError as error:
        raise _unreadable(folder, error) from error
    except (ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise DamagedCheckpoint(f"{folder} is damaged: {type(error).__name__}: {error}") from error


def _unreadable(path: Path, error: OSError) -> AtlasError:
    place = error.filename or path
    if isinstance(error, PermissionError):  # it may well be sound: it must not be passed over
        return AtlasError(f"no permission to read {place}: change its owner or mode")
    if isinstance(error, FileNotFoundError):
        return DamagedCheckpoint(f"{place} is missing")
    return DamagedCheckpoint(f"{place} cannot be read: {error.strerror or error}")


def foreign(path: Path | str, error: Exception) -> str:
    """What to do where a sound state is another model's."""
    why = " ".join(str(error).split())[:200]
    return (
        f"the state in {path} is sound but not of this run ({type(error).__name__}: {why}): "
        "put the run's own checkpoints back, or remove it to go on from the one before"
    )


class Store:
    """A run's checkpoints, one folder a step; each whole in itself, with the best weights so far."""

    def __init__(self, folder: Path, keep: int = 3):
        self.folder, self.keep = folder, keep

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, oldest first; sound or not."""
        return sorted(int(path.name) for path in self.folder.glob("[0-9]*") if path.name.isdigit())

    def path(self, step: int) -> Path:
        """Where a step's state lies."""
        return self.folder / f"{step:08d}"

    def save(self, step: int, state: Any) -> None:
        """Keep a state, and drop those that are too old; one that is there already is the same."""
        if not self.path(step).exists():
            write_state(self.path(step), state)
        for old in self.steps()[: -self.keep]:
            self._drop(self.path(old))

    def _drop(self, path: Path) -> None:
        """Out of the list in one step, so that a kill leaves no checkpoint with half of its files."""
        gone = self.folder / f".old-{path.name}"
        with suppress(OSError):
            shutil.rmtree(gone, ignore_errors=True)
            path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def newest(self, tell: Callable[[str], None], *, mend: bool = True) -> tuple[int, Any] | None:
        """The newest sound state with its step; damaged ones are told of, put aside and passed over.

        mend=False changes nothing in the folder: its run may be writing there at this moment.
        """
        for half in self.folder.glob(".[no]*-*") if mend else ():  # .new-00000012, .old-00000009
            shutil.rmtree(half, ignore_errors=True)
        steps = self.steps()
        while steps:
            step = steps.pop()
            try:
                return step, read_state(self.path(step))
            except DamagedCheckpoint as error:
                none = "no checkpoint is left" + (", so training begins anew" if mend else "")
                tell(f"{error}; {'going back to the checkpoint before it' if steps else none}")
                if mend:
                    self._put_aside(step)
        return None

    def _put_aside(self, step: int) -> None:
        """Out of the way of the run that will write this step again, and kept for whoever wants to look."""
        aside = self.folder / f"damaged-{step:08d}"
        shutil.rmtree(aside, ignore_errors=True)
        try:
            self.path(step).rename(aside)
        except OSError as error:
            raise AtlasError(unwritable(aside, error)) from error


def to_device(tree: Any, device: torch.device | str) -> Any:
    """Every tensor of a tree on a device."""
    if isinstance(tree, Tensor):
        return tree.to(device)
    if isinstance(tree, dict):
        return {key: to_device(value, device) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(to_device(value, device) for value in tree)
    return tree
