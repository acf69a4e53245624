"""Damage to a checkpoint, by the hundred: it is found and told in one line, or it changes nothing."""

import hashlib
import json
import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest
import torch

from disks import fill, mounted, remount
from torchatlas.engine.checkpoint import MANIFEST, TENSORS, TREE, Store, seal, unseal
from torchatlas.engine.errors import AtlasError
from torchatlas.engine.record import Event, Record, read_record

FILES = (TENSORS, TREE, MANIFEST)
STEPS = (1, 2, 3)
NOBODY = 65534


def state(step):
    weights = torch.arange(8.0) + step
    return {"step": step, "learner": {"w": weights, "tied": weights}, "best": {}, "pair": (None, [1.5, "x"])}


def same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return type(b) is dict and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("written") / "checkpoints")
    for step in STEPS:
        store.save(step, state(step))
    return store.folder


@pytest.fixture
def store(written, tmp_path):
    return Store(shutil.copytree(written, tmp_path / "checkpoints"))


def flips(content, draw, count):
    for place in sorted(draw.sample(range(len(content)), min(count, len(content)))):
        byte = bytes([content[place] ^ 1 << draw.randrange(8)])
        yield f"a bit of byte {place}", content[:place] + byte + content[place + 1 :]


def cuts(content, draw, count):
    for place in draw.sample(range(len(content)), min(count, len(content))):
        yield f"cut at {place}", content[:place]
        yield f"{place} bytes of noise", draw.randbytes(place)
        yield f"noise from {place} on", content[:place] + draw.randbytes(9) + content[place + 9 :]
        yield f"a byte more at {place}", content[:place] + b"0" + content[place:]


JSON = ("null", "[]", "{}", "5", '"x"', "true", "NaN", "[" * 9000 + "]" * 9000, '{"dict": [[1]]}')
JSON += ('{"format": "1", "files": {}}', '{"format": 1}', '{"format": 1, "files": null}', '{"format": null}')
JSON += ('{"format": 0, "files": {}}', '{"format": -1, "files": {}}', '{"format": 1, "files": {"a": 3}}')
JSON += ('{"format": [], "files": []}', '{"format": 1.5, "files": {}}', '{"tensor": "/step"}')


def damages(name, content):
    draw = random.Random(name)
    yield from flips(content, draw, 120)
    yield from cuts(content, draw, 25)
    yield "emptied", b""
    yield "twice", content * 2
    for text in JSON:
        yield f"is {text[:30]}", text.encode()
        yield f"is {text[:30]}, sealed", sealed(text)


def sealed(text):
    things = json.loads(text) if len(text) < 99 else None
    return seal(things) if isinstance(things, dict) else text.encode()


@pytest.mark.parametrize("name", FILES)
def test_every_damage_is_found_or_harmless(store, name):
    path = store.path(3) / name
    whole, told, harmless, count = path.read_bytes(), [], 0, 0
    for what, content in damages(name, path.read_bytes()):
        path.write_bytes(content)
        told.clear()
        count += 1
        step, found = store.newest(told.append, mend=False)
        if told:
            assert step == 2 and same(found, state(2)), what
            assert len(told) == 1 and "\n" not in told[0], (what, told)
            assert str(store.path(3)) in told[0] and "going back to the checkpoint before it" in told[0]
            assert name in told[0] or name == MANIFEST, (what, told)
        else:
            harmless += 1
            assert step == 3 and same(found, state(3)), what
    assert count > 200
    # Only white space, and the name of the manifest's own checksum, may change unseen: the sums still hold.
    assert harmless == 0 if name != MANIFEST else harmless < 20
    path.write_bytes(whole)
    assert store.newest(pytest.fail, mend=False)[0] == 3


WRONG_TREES = {
    "an unknown container": {"dict": [["step", {"bag": [1]}]]},
    "two kinds": {"dict": [], "list": []},
    "no kind": {"dict": [["step", {}]]},
    "a tensor that is not there": {"dict": [["w", {"tensor": "/nowhere"}]]},
    "a tensor without a name": {"dict": [["w", {"tensor": [1]}]]},
    "pairs of three": {"dict": [["step", 1, 2]]},
    "pairs that are words": {"dict": {"ab": 1}},
    "words for pairs": {"dict": "ab"},
    "a list of a number": {"list": 3},
    "a list of a word": {"list": "abc"},
    "keys that are lists": {"dict": [[["a"], 1]]},
}


@pytest.mark.parametrize("what", WRONG_TREES)
def test_a_wrong_tree_with_right_sums_is_found(store, what):
    tree = json.dumps(WRONG_TREES[what]).encode()
    manifest = unseal((store.path(3) / MANIFEST).read_bytes())
    manifest["files"][TREE] = {"sha256": hashlib.sha256(tree).hexdigest(), "bytes": len(tree)}
    (store.path(3) / TREE).write_bytes(tree)
    (store.path(3) / MANIFEST).write_bytes(seal(manifest))
    told = []
    step, found = store.newest(told.append)
    assert step == 2 and same(found, state(2))
    assert len(told) == 1 and f"{store.path(3)} is damaged" in told[0]


@pytest.mark.parametrize("version", [0, -1, 1.5, "1", None, [1]])
def test_a_format_that_never_was_is_damage(store, version):
    path = store.path(3) / MANIFEST
    path.write_bytes(seal({**unseal(path.read_bytes()), "format": version}))
    told = []
    assert store.newest(told.append)[0] == 2 and "there is no format" in told[0]


def test_files_of_another_step_are_found(store):
    for name in (TENSORS, TREE):
        shutil.copy(store.path(2) / name, store.path(3) / name)
    told = []
    assert store.newest(told.append)[0] == 2 and "checksum" in told[0]


def test_what_is_no_folder_is_passed_over(store):
    shutil.rmtree(store.path(3))
    store.path(3).write_text("a file")
    told = []
    assert store.newest(told.append)[0] == 2
    assert "cannot be read" in told[0] and store.steps() == [1, 2]
    store.save(3, state(3))
    assert store.newest(pytest.fail)[0] == 3


def test_where_all_are_damaged_it_says_that_training_begins_anew(store):
    for step in STEPS:
        (store.path(step) / TREE).write_bytes(b"")
    told = []
    assert store.newest(told.append, mend=False) is None
    assert len(told) == 3 and told[2].endswith("no checkpoint is left") and store.steps() == list(STEPS)
    told.clear()
    assert store.newest(told.append) is None
    assert ["going back" in line for line in told] == [True, True, False]
    assert told[2].endswith("no checkpoint is left, so training begins anew")
    # What was damaged is kept for whoever wants to look, out of the way of the run that begins anew.
    assert store.steps() == [] and len(list(store.folder.glob("damaged-0*/manifest.json"))) == 3


@pytest.fixture
def unprivileged():
    """A folder that everybody may look into, and nobody's rights: root may read everything."""
    root, place = os.geteuid() == 0, Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place, lambda: root and os.seteuid(NOBODY)
    if root:
        os.seteuid(0)
    shutil.rmtree(place)


def test_no_permission_is_no_damage(written, unprivileged):
    place, give_up_rights = unprivileged
    store = Store(shutil.copytree(written, place / "checkpoints"))
    (store.path(3) / TREE).chmod(0)
    give_up_rights()
    with pytest.raises(AtlasError, match=r"no permission to read .*state.json: change its owner or mode"):
        store.newest(pytest.fail)
    assert store.steps() == list(STEPS)


@pytest.fixture
def disk(tmp_path):
    """A disk of 64 kilobytes."""
    with mounted(tmp_path / "disk", "64k") as place:
        yield place


def names_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("leave", [0, 4096, 8192])  # for the first file, for two of three
def test_a_disk_that_is_full_in_the_midst_of_a_checkpoint(disk, leave):
    store, large = Store(disk / "checkpoints"), {"w": torch.arange(1500.0)}
    store.save(1, large)
    before = names_below(store.folder)
    fill(disk, leave)
    with pytest.raises(
        AtlasError, match=r"the disk is full: .*00000002 could not be written. Free some space"
    ):
        store.save(2, large)
    assert names_below(store.folder) == before and store.newest(pytest.fail)[0] == 1
    (disk / "ballast").unlink()
    store.save(2, large)
    assert same(store.newest(pytest.fail)[1], large)


def test_a_disk_that_is_full_in_the_midst_of_the_record(disk):
    record = Record(disk / "record.jsonl")
    record.rewind()
    fill(disk, 4096)
    with pytest.raises(AtlasError, match=r"the disk is full: .*record.jsonl could not be written"):
        for step in range(1, 200):
            record(Event("train", step, 0.0, {"loss": 1.0}))
    record.close()  # nothing is left that could fail here
    kept = len(read_record(record.path))
    assert kept == record.lines and 10 < kept < 199
    with pytest.raises(AtlasError, match="the disk is full"):
        Record(record.path).rewind(kept - 5)
    assert len(read_record(record.path)) == kept and names_below(disk) == ["ballast", "record.jsonl"]
    (disk / "ballast").unlink()
    record.rewind(kept - 5)
    record(Event("train", 999, 0.0, {}))
    record.close()
    assert [line["step"] for line in read_record(record.path)] == [*range(1, kept - 4), 999]


def test_a_disk_that_may_only_be_read(disk):
    store, record = Store(disk / "checkpoints"), Record(disk / "record.jsonl")
    for step in STEPS:
        store.save(step, state(step))
    record.rewind()
    record.close()
    (store.path(3) / TREE).write_bytes(b"")
    before = names_below(disk)
    remount(disk, "ro")
    told = []
    assert store.newest(told.append, mend=False)[0] == 2 and len(told) == 1
    for write in (
        lambda: store.save(4, state(4)),
        lambda: store.newest(told.append),  # it would put the damaged one aside
        lambda: record.rewind(1),
        lambda: record(Event("train", 1, 0.0, {})),
    ):
        with pytest.raises(AtlasError, match=r"no permission to write .* or change its owner or mode"):
            write()
    assert names_below(disk) == before
