"""Every moment of a write replayed: a killed process or a dead disk leaves the old state or the new one."""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from torchatlas.engine import checkpoint
from torchatlas.engine.checkpoint import Store, replace_durably

if os.name == "nt":
    pytest.skip("folders cannot be synced here", allow_module_level=True)

OPERATIONS = ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync")
Tree = dict[str, bytes | None]  # a relative path -> its content; None for a folder


@dataclass
class Disk:
    """Sees every operation below a folder, and knows what of it the disk has promised to keep.

    A file's content is kept once the file is synced, a folder's names once the folder is. Each thing is
    known by its inode, which stays taken for as long as a handle is open.
    """

    root: Path
    handles: dict[int, int] = field(default_factory=dict)
    contents: dict[int, bytes] = field(default_factory=dict)  # of files, as synced
    names: dict[int, dict[str, int]] = field(default_factory=dict)  # of folders, as synced
    said: list[str] = field(default_factory=list)
    states: list[tuple[str, Tree]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for path in (self.root, *self.root.rglob("*")):
            self.synced(path)

    def number(self, path: Path) -> int:
        inode = path.stat().st_ino
        if inode not in self.handles:
            self.handles[inode] = os.open(path, os.O_RDONLY)
        return inode

    def synced(self, path: Path) -> None:
        inode = self.number(path)
        if path.is_dir():
            self.names[inode] = {child.name: self.number(child) for child in path.iterdir()}
        else:
            self.contents[inode] = path.read_bytes()

    def find(self, handle: int) -> Path:
        inode = os.fstat(handle).st_ino
        return next(p for p in (self.root, *self.root.rglob("*")) if p.stat().st_ino == inode)

    def look(self, said: str) -> None:
        """Note all that could be found here if everything stopped now."""
        self.states += [(f"{said}: {what}", tree) for what, tree in self.leftovers()]

    def leftovers(self) -> Iterator[tuple[str, Tree]]:
        now = dict(self.walk(self.root))
        yield "the process is killed", now
        yield "all that was not synced is lost", dict(self.kept(self.number(self.root), ""))
        for name, content in now.items():
            path = self.root / name
            inode = self.number(path)
            if content is not None and self.contents.get(inode) != content:
                for what, left in (("empty", b""), ("cut", content[: len(content) // 2])):
                    yield f"{name} is {what}", {**now, name: left}
                yield f"{name} is missing", {k: v for k, v in now.items() if k != name}
                yield f"{name} is noise", {**now, name: bytes(len(content))}
            if content is None and self.names.get(inode) != self.names_in(path):
                rest = {k: v for k, v in now.items() if not k.startswith(f"{name}/")}
                yield f"{name} has its old names", rest | dict(self.kept(inode, f"{name}/"))

    def names_in(self, folder: Path) -> dict[str, int]:
        return {child.name: self.number(child) for child in folder.iterdir()}

    def walk(self, folder: Path) -> Iterator[tuple[str, bytes | None]]:
        for path in sorted(folder.rglob("*")):
            yield str(path.relative_to(self.root)), None if path.is_dir() else path.read_bytes()

    def kept(self, inode: int, prefix: str) -> Iterator[tuple[str, bytes | None]]:
        for name, child in self.names.get(inode, {}).items():
            folder = stat.S_ISDIR(os.fstat(self.handles[child]).st_mode)
            yield prefix + name, None if folder else self.contents.get(child, b"")
            if folder:
                yield from self.kept(child, f"{prefix}{name}/")


@pytest.fixture
def disk(tmp_path, monkeypatch) -> Iterator[Callable[[], Disk]]:
    """Gives a disk that watches `tmp_path/disk` from the call on."""
    made: list[Disk] = []

    def start() -> Disk:
        made.append(Disk(tmp_path / "disk"))
        for name in OPERATIONS:
            monkeypatch.setattr(os, name, watched(made[0], name, getattr(os, name)))
        return made[0]

    (tmp_path / "disk").mkdir()
    yield start
    monkeypatch.undo()
    for handle in (handle for one in made for handle in one.handles.values()):
        os.close(handle)


def watched(disk: Disk, name: str, operation: Callable) -> Callable:
    def watch(*words, **more):
        path = disk.find(words[0]) if name == "fsync" else Path(words[0])
        said = f"{name} {path.name}"
        disk.look(f"before {said}")
        result = operation(*words, **more)
        if name == "fsync":
            disk.synced(path)
        disk.said.append(said)
        disk.look(f"after {said}")
        return result

    return watch


def rebuilt(tree: Tree, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in sorted(tree.items()):
        if content is None:
            (folder / name).mkdir(parents=True, exist_ok=True)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return folder


def state(step: int) -> dict:
    return {"step": step, "weights": torch.full((50,), float(step)), "best": {"value": 1 / step}}


def step_of(found: tuple[int, dict] | None) -> int:
    """0 where there is none; the step of a state that is whole."""
    if found is None:
        return 0
    step, got = found
    assert list(got) == ["step", "weights", "best"] and got["step"] == step
    assert torch.equal(got["weights"], state(step)["weights"]) and got["best"] == {"value": 1 / step}
    return step


@pytest.mark.parametrize("earlier", [0, 1, 3])
def test_a_checkpoint_is_the_old_one_or_the_new_at_every_moment(tmp_path, disk, monkeypatch, earlier):
    store = Store(tmp_path / "disk" / "run" / "checkpoints")
    (tmp_path / "disk" / "run").mkdir()
    for step in range(1, earlier + 1):
        store.save(step, state(step))
    seen = disk()
    store.save(earlier + 1, state(earlier + 1))
    sequence, states = list(seen.said), list(seen.states)
    monkeypatch.undo()
    written = sequence.index(f"rename .new-{earlier + 1:08d}")
    assert sequence[written - 1] == f"fsync .new-{earlier + 1:08d}"
    assert sequence[written + 1] == "fsync checkpoints"
    assert ("rename 00000001" in sequence) == (earlier == 3)
    place = {said: k for k, (said, _) in enumerate(states)}
    ended = place["after fsync checkpoints: the process is killed"]
    began = place[f"before rename .new-{earlier + 1:08d}: the process is killed"]
    for k, (said, tree) in enumerate(states):
        told: list[str] = []
        folder = rebuilt(tree, tmp_path / "again") / "run" / "checkpoints"
        found = step_of(Store(folder).newest(told.append, mend=k % 2 == 0))
        assert found in (earlier, earlier + 1), said
        assert found == earlier or k >= began, f"{said}: too early"
        assert found == earlier + 1 or k < ended, f"{said}: the new one was promised"
        assert not told, f"{said}: {told}"  # nothing half-written has a checkpoint's name at any time
    assert len(states) > 50


def unsynced(path: Path) -> dict:
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def test_without_its_syncs_a_checkpoint_could_be_lost(tmp_path, disk, monkeypatch):
    """The replay finds what the syncs are for: without one of them, some state is not whole or not there."""
    whole = checkpoint.sync_file
    for faulty in ("content", "names"):
        with monkeypatch.context() as broken:
            if faulty == "content":
                broken.setattr(checkpoint, "sync_file", unsynced)
            else:
                broken.setattr(checkpoint, "sync_folder", lambda folder: None)
            root = tmp_path / "disk" / faulty
            root.mkdir()
            seen = disk()
            Store(root).save(1, state(1))
            seen.look("at the end")
            states = list(seen.states)
        monkeypatch.undo()
        assert checkpoint.sync_file is whole
        ends = [tree for said, tree in states if said.startswith("at the end")]
        told: list[str] = []
        found = [Store(rebuilt(t, tmp_path / "again") / faulty).newest(told.append) for t in ends]
        assert None in found, faulty
        assert any("damaged" in line for line in told) == (faulty == "content")


@pytest.mark.parametrize("old", [b"old", None])
def test_a_replaced_file_is_the_old_one_or_the_new_at_every_moment(tmp_path, disk, monkeypatch, old):
    path, new = tmp_path / "disk" / "result.json", b"the new content"
    if old is not None:
        path.write_bytes(old)
    seen = disk()
    replace_durably(path, new)
    seen.look("at the end")
    states = list(seen.states)
    assert seen.said == ["fsync .result.json.new", "replace .result.json.new", "fsync disk"]
    monkeypatch.undo()
    for said, tree in states:
        assert tree.get("result.json") in (old, new), said
        if said.startswith("at the end"):
            assert tree == {"result.json": new}, said
    assert any(tree.get("result.json") == old for _, tree in states)
