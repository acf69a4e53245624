import json
import os

import pytest
import torch

from torchatlas.engine import checkpoint
from torchatlas.engine.checkpoint import (
    Store,
    pack,
    read_state,
    replace_durably,
    seal,
    unpack,
    unseal,
    unwritable,
    write_state,
)
from torchatlas.engine.errors import AtlasError, DamagedCheckpoint

STATE = {
    "step": 3,
    "weights": {"a": torch.arange(6.0).reshape(2, 3), "half": torch.ones(3, dtype=torch.bfloat16)},
    "by_number": {0: {"step": torch.tensor(4.0)}, 1: [1, 2.5, None, "x", True]},
    "pair": (torch.tensor([], dtype=torch.long), float("inf")),
}


def same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b and type(a) is type(b)


def test_a_state_comes_back_whole(tmp_path):
    write_state(tmp_path / "s", STATE)
    assert same(read_state(tmp_path / "s"), STATE)
    assert not same(read_state(tmp_path / "s"), {**STATE, "step": 4})


def test_views_and_tied_tensors_are_kept(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    state = {"column": whole[:, 1], "row": whole[1], "tied": whole[1], "transposed": whole.T}
    write_state(tmp_path / "s", state)
    assert same(read_state(tmp_path / "s"), {k: v.clone() for k, v in state.items()})
    assert len(pack(state)[0]) == 3  # the tied one once


def test_the_same_state_is_the_same_bytes(tmp_path):
    for name in "ab":
        write_state(tmp_path / name, STATE)
    for file in os.listdir(tmp_path / "a"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_what_cannot_be_kept_is_refused_by_name():
    with pytest.raises(TypeError, match="/x/0 holds a object"):
        pack({"x": [object()]})
    assert unpack(*pack({"x": []})) == {"x": []}


DAMAGE = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "flipped": lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]),
    "last byte flipped": lambda path: path.write_bytes(
        path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])
    ),
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", [checkpoint.TENSORS, checkpoint.TREE, checkpoint.MANIFEST])
def test_damage_is_found_and_the_one_before_is_used(tmp_path, file, damage):
    store, told = Store(tmp_path), []
    for step in (1, 2):
        store.save(step, {"step": step, "w": torch.full((3,), float(step))})
    DAMAGE[damage](store.path(2) / file)
    try:
        found = store.newest(told.append)
    except DamagedCheckpoint:
        pytest.fail("damage must be passed over")
    if told:
        assert found[0] == 1 and found[1]["w"].tolist() == [1.0] * 3
        assert str(store.path(2)) in told[0] and "going back" in told[0]
        assert store.steps() == [1]
        store.save(2, {"step": 2})  # the run will write it again
        assert store.newest(told.append)[0] == 2
    else:  # a flipped byte in the manifest's white space changes nothing
        assert file == checkpoint.MANIFEST and found[0] == 2 and found[1]["w"].tolist() == [2.0] * 3


def test_only_the_newest_are_kept(tmp_path):
    store = Store(tmp_path, keep=3)
    for step in (5, 10, 15, 20, 100):
        store.save(step, {"step": step})
    assert store.steps() == [15, 20, 100]
    (tmp_path / ".new-00000200").mkdir()
    assert store.newest(print)[0] == 100 and not (tmp_path / ".new-00000200").exists()


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    def full(path, content):
        path.write_bytes(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    store = Store(tmp_path)
    store.save(1, {"step": 1})
    monkeypatch.setattr(checkpoint, "write_durably", full)
    with pytest.raises(AtlasError, match=r"the disk is full.*Free some space"):
        store.save(2, {"step": 2})
    assert store.steps() == [1] and not list(tmp_path.glob(".new-*"))


def test_a_newer_format_is_not_guessed_at(tmp_path):
    store = Store(tmp_path)
    for step in (1, 2):
        store.save(step, STATE)
    path = store.path(2) / checkpoint.MANIFEST
    manifest = unseal(path.read_bytes())
    path.write_bytes(seal({**manifest, "format": 99}))
    with pytest.raises(AtlasError, match=r"newer torchatlas \(format 99\); update"):
        store.newest(pytest.fail)
    assert store.steps() == [1, 2]
    # The same by a flipped bit is damage: the checkpoint before it is used.
    path.write_bytes(seal(manifest).replace(b'"format": 1', b'"format": 9'))
    told = []
    assert store.newest(told.append)[0] == 1 and "manifest.json is damaged" in told[0]


def test_checkpoints_from_before_manifests_had_a_checksum_are_read(tmp_path):
    write_state(tmp_path / "s", STATE)
    path = tmp_path / "s" / checkpoint.MANIFEST
    path.write_text(json.dumps(unseal(path.read_bytes()), indent=1))
    assert checkpoint.SEAL.encode() not in path.read_bytes().split(b'"files"')[0]
    assert same(read_state(tmp_path / "s"), STATE)


def test_what_is_no_plain_file_is_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    replace_durably(pipe, b"through")
    assert os.read(reader, 99) == b"through" and pipe.is_fifo()
    os.close(reader)
    replace_durably(tmp_path / "plain", b"a")
    replace_durably(tmp_path / "plain", b"b")
    assert (tmp_path / "plain").read_bytes() == b"b" and len(list(tmp_path.iterdir())) == 2


def _error_of(write):
    with pytest.raises(OSError) as caught:
        write()
    return caught.value


def test_what_stands_in_the_way_of_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    made = _error_of((tmp_path / "file").mkdir)
    assert f"{tmp_path / 'file'} is a file, not a folder" in unwritable(tmp_path / "file", made)
    below = tmp_path / "file" / "run" / "a"
    told = unwritable(below, _error_of(lambda: below.write_text("")))
    assert str(below) in told and f"{tmp_path / 'file'} is a file, not a folder" in told
    assert "it is a folder" in unwritable(tmp_path, _error_of(lambda: tmp_path.write_text("")))
    lost = tmp_path / "no" / "deep" / "x.csv"
    told = unwritable(lost, _error_of(lambda: lost.write_text("")))
    assert f"there is no folder {tmp_path / 'no'}. Make it" in told
    assert f"there is no folder {tmp_path / 'no'}" in unwritable(lost, OSError("as pandas says it"))
