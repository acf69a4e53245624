import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from torchatlas.data import Resident, Streamed, check, files, open_dataset, prepare, prepared
from torchatlas.data.ahead import workers
from torchatlas.engine.errors import AtlasError, DataError, UsageError


@pytest.fixture
def folder(tmp_path):
    """Sixty pictures, of every oddity that a reader meets."""
    draw = np.random.default_rng(0)
    for i in range(60):
        path = tmp_path / "odd" / "ab"[i % 2] / f"{i:02}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(draw.integers(0, 256, (10, 12, 3), dtype=np.uint8))
        match i % 10:
            case 0:
                image.convert("L").save(path.with_suffix(".png"))
            case 1:
                deep = draw.integers(0, 65536, (10, 12)).astype(np.uint16)
                Image.fromarray(deep).save(path.with_suffix(".png"))
            case 2:
                exif = Image.Exif()
                exif[0x0112] = 6  # turned by a quarter
                image.rotate(90, expand=True).save(path.with_suffix(".jpg"), exif=exif)
            case 3:
                image.putalpha(Image.fromarray(draw.integers(0, 256, (10, 12), dtype=np.uint8)))
                image.save(path.with_suffix(".png"))
            case 4:
                image.resize((31, 17)).save(path.with_suffix(".jpg"))
            case _:
                image.save(path.with_suffix(".png"))
    return tmp_path / "odd"


def children():
    """The living children of this process."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            found.append(int(name))
    return found


linux = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="counts processes by /proc")


def both(folder, **more):
    return (prepare(open_dataset(folder, stream=s), seed=0, valid=0.2, **more) for s in (False, True))


def same(one, other):
    assert len(one) == len(other)
    assert all(a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_odd_files_are_decoded_as_they_are_when_all_are_read(folder):
    read, left = (open_dataset(folder, stream=s) for s in (False, True))
    assert left.inputs.shape == read.inputs.shape == (60, 10, 12, 3)
    assert len({len(np.unique(image)) for image in read.inputs}) > 5
    np.testing.assert_array_equal(left.inputs[:], read.inputs)
    np.testing.assert_array_equal(left.inputs[[7, 3]], read.inputs[[7, 3]])
    np.testing.assert_array_equal(left.inputs[-1], read.inputs[-1])
    np.testing.assert_array_equal(np.asarray(left.inputs.at(slice(2, 5))), read.inputs[2:5])
    assert list(left.files) == list(read.files) and left.target.tolist() == read.target.tolist()


@pytest.mark.parametrize("size", [None, (7, 9)])
def test_the_batches_are_those_of_data_in_memory(folder, size):
    read, left = both(folder, input_size=size)
    assert left.preparation.encoder == read.preparation.encoder and left.spec == read.spec
    resident, streamed = (kind(p.train, 7, 3) for kind, p in ((Resident, read), (Streamed, left)))
    assert streamed.steps_per_epoch == resident.steps_per_epoch
    for step in range(2 * resident.steps_per_epoch + 2):
        same(resident.batch(step), streamed.batch(step))
    assert streamed.batch(step, 1) is streamed.batch(step, 0)
    streamed.close()


@pytest.mark.parametrize("first", [1, 5, 23, 2])
def test_it_begins_at_any_step(folder, first):
    read, left = both(folder)
    resident, streamed = Resident(read.train, 7, 3), Streamed(left.train, 7, 3)
    for step in (first, first + 1, 0, first):  # on, back, and on again
        same(resident.batch(step), streamed.batch(step))
    streamed.close()


def test_a_sampler_and_a_batch_of_everything(folder):
    class Evens:
        def order(self, epoch):
            return (2 * torch.arange(len(left.train)) % len(left.train)).roll(epoch)

    read, left = both(folder)
    for size, sampler in ((4, Evens()), (1000, None)):
        resident, streamed = (
            kind(p.train, size, 0, "cpu", sampler) for kind, p in ((Resident, read), (Streamed, left))
        )
        for step in range(12 if sampler else 2):
            same(resident.batch(step), streamed.batch(step))
        streamed.close()
    with pytest.raises(UsageError, match="both must be at least 1"):
        Streamed(left.train, 0, 0)


@pytest.mark.parametrize(
    ("pieces", "mine"), [(3, range(1, 2)), (2, range(2)), (4, range(2, 4)), (9, range(0))]
)
def test_of_a_divided_batch_only_its_own_pieces_are_decoded(folder, pieces, mine, monkeypatch):
    read, left = both(folder)
    resident, streamed = Resident(read.train, 10, 3), Streamed(left.train, 10, 3)
    streamed.divide(pieces, mine)
    for step in range(streamed.steps_per_epoch):
        whole, part = resident.batch(step), streamed.batch(step)
        assert torch.equal(whole[1], part[1])
        for k, (a, b) in enumerate(zip(whole[0].tensor_split(pieces), part[0].tensor_split(pieces))):
            assert torch.equal(b, a if k in mine else torch.zeros_like(a))
    streamed.close()


def test_parts_go_by_in_batches_in_their_order(folder):
    read, left = both(folder)
    x = left.valid.x
    assert x.shape == read.valid.x.shape and x.dtype == torch.float32 and len(x) == len(read.valid)
    same(list(x.split(4)), read.valid.x.split(4))
    same([x[3], x[2:5], x[torch.tensor([4, 1])], x.index_select(0, torch.tensor([2]))],
         [read.valid.x[i] for i in (3, slice(2, 5), [4, 1], [2])])  # fmt: skip
    same([x[left.valid.y == 1]], [read.valid.x[read.valid.y == 1]])


def test_what_else_a_tensor_can_do_is_done_on_all_rows(folder, monkeypatch):
    monkeypatch.setattr(files, "MANY", 8)  # several processes
    read, left = both(folder)
    found, wanted = (
        [x.flatten(1), torch.cat([x, x]), torch.ones(3, 1, 1) * x] for x in (left.train.x, read.train.x)
    )
    same(found, wanted)
    with pytest.raises(AttributeError):
        left.train.x.nonsense  # noqa: B018
    monkeypatch.setattr(files, "MOST_BYTES", 1000)
    with pytest.raises(DataError, match=r"needs them at once: read them smaller with size="):
        left.train.x.flatten(1)


def test_a_large_folder_streams_by_itself_and_says_so(folder, monkeypatch):
    monkeypatch.setattr("torchatlas.data.images.STREAMED", 4 * 60 * 10 * 12 * 3 - 1)
    data = open_dataset(folder)
    assert isinstance(data.inputs, files.Files)
    assert any("stay in their files" in note for note in data.notes)
    assert isinstance(open_dataset(folder, stream=False).inputs, np.ndarray)
    monkeypatch.setattr("torchatlas.data.images.STREAMED", 4 * 60 * 10 * 12 * 3)
    assert isinstance(open_dataset(folder).inputs, np.ndarray)
    with pytest.raises(UsageError, match="must be True or False"):
        open_dataset(folder, stream="perhaps")


def test_brightness_is_scaled_by_a_sample_of_many(folder, monkeypatch):
    monkeypatch.setattr(prepared, "FITTED", 12)
    first, again = (prepare(open_dataset(folder, stream=True), seed=1) for _ in range(2))
    assert first.preparation.encoder == again.preparation.encoder
    assert "brightness is scaled by 12 of 41 training images" in first.notes
    sample = first.train.x[:][np.isin(first.train.rows, prepared.drawn(first.train.rows, 12, 1, "fit"))]
    np.testing.assert_allclose(sample.mean((0, 2, 3)), 0, atol=1e-5)
    unit = prepare(open_dataset(folder, stream=True), seed=1, scaling="unit")
    assert not any("brightness" in note for note in unit.notes)


def halved(folder):
    """A file whose header is whole."""
    path = folder / "a" / "99.jpg"
    Image.effect_noise((64, 64), 50).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[:-1000])
    return path


def test_a_file_that_turns_out_broken_is_named(folder):
    path = halved(folder)
    data = open_dataset(folder, stream=True)
    assert len(data) == 61 and not [f for f in check(data) if f.severity != "note"]
    ready = prepare(data, seed=0, valid=0, test=0, scaling="unit")
    source = Streamed(ready.train, 8, 0)
    with pytest.raises(DataError, match=r"99\.jpg.*truncated.*delete or replace the file") as told:
        for step in range(8):
            source.batch(step)
    assert "Traceback" not in str(told.value) and str(path) in str(told.value)
    if os.path.isdir("/proc/self"):
        assert not children()


def test_broken_files_are_left_out_where_that_was_asked(folder):
    halved(folder)
    (folder / "a" / "00.png").write_text("no image at all")
    found = [open_dataset(folder, stream=s, skip_broken=True) for s in (False, True)]
    np.testing.assert_array_equal(found[0].inputs, found[1].inputs[:])
    assert found[0].files == found[1].files and len(found[1]) == 59
    warned = [sorted(f.message for f in data.findings) for data in found]
    assert warned[0] == warned[1] and len(warned[0]) == 2
    with pytest.raises(DataError, match=r"00\.png: it is no image"):
        prepare(open_dataset(folder, stream=True), seed=0)


@linux
def test_workers_end_with_the_source_and_a_dead_one_is_told(folder):
    ready = prepare(open_dataset(folder, stream=True), seed=0)
    before = signal.getsignal(signal.SIGCHLD)
    state = torch.get_rng_state()
    source = Streamed(ready.train, 4, 0)
    source.batch(0)
    assert children()
    source.close()
    assert not children()
    source.batch(1)
    assert all(os.getpgid(pid) != os.getpgid(0) for pid in children()), "Ctrl-C would end them"
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(AtlasError, match=r"ended unexpectedly.*--resume"):
        for step in range(2, 40):
            source.batch(step)
    assert not children()
    assert signal.getsignal(signal.SIGCHLD) is before
    assert torch.equal(torch.get_rng_state(), state), "it draws from the default generator"


@linux
def test_a_source_that_is_forgotten_leaves_no_worker(folder):
    ready = prepare(open_dataset(folder, stream=True), seed=0)
    source = Streamed(ready.train, 4, 0)
    source.batch(0)
    del source
    parts = ready.train.x.split(4)
    next(parts)
    assert children()
    del parts
    end = time.monotonic() + 10
    while children() and time.monotonic() < end:
        time.sleep(0.01)
    assert not children()


def test_a_process_is_for_what_fits(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(64), raising=False)
    assert workers(1) == 16
    assert workers(2**30) == 1
    assert workers(2**30 // 4 // 5) == 5
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(1))
    assert workers(1) == 1


def _memory():
    """The memory that this process holds, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@linux
def test_memory_does_not_grow_with_the_files(tmp_path):
    """The 400 images are 19 MiB as floats, and those of three epochs 56: none of them is kept."""
    draw = np.random.default_rng(0)
    for i in range(400):
        path = tmp_path / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path, compress_level=1)
    ready = prepare(open_dataset(tmp_path, stream=True), seed=0, valid=0, test=0, scaling="unit")
    source, sizes = Streamed(ready.train, 8, 0), []
    for step in range(3 * source.steps_per_epoch):
        source.batch(step)
        sizes.append(_memory())
    source.close()
    assert max(sizes) - sizes[10] < 6 * 1024
    # What a worker does, done here: of a worker itself nobody knows what it still shares with its parent.
    sizes = [
        _memory() for step in range(3 * source.steps_per_epoch) if len(ready.train.x[source.chosen(step)])
    ]
    assert max(sizes) - sizes[10] < 6 * 1024
