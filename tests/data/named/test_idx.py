import gzip
import lzma
import os
import struct

import numpy as np
import pytest

from torchatlas.data import open_dataset
from torchatlas.data.named import files
from torchatlas.data.named.idx import parse
from torchatlas.engine.errors import DataError

draw = np.random.default_rng(0)


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHATLAS_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "own" / "mnist").mkdir(parents=True)
    return tmp_path / "own" / "mnist"


@pytest.fixture
def small(home):
    parts = {}
    for part, count, pack in (("train", 30, gzip.compress), ("t10k", 10, lzma.compress)):
        x, y = draw.integers(0, 256, (count, 28, 28), dtype=np.uint8), np.arange(count, dtype=np.uint8) % 10
        end = "gz" if pack is gzip.compress else "xz"
        (home / f"{part}-images-idx3-ubyte.{end}").write_bytes(pack(idx(x)))
        (home / f"{part}-labels-idx1-ubyte").write_bytes(idx(y))
        parts[part] = x, y
    return parts


def test_files_of_ones_own_are_read_packed_or_not(small):
    data = open_dataset("mnist")
    assert (data.inputs[30:, ..., 0] == small["t10k"][0]).all()
    assert data.target[:30].tolist() == small["train"][1].tolist()
    assert data.test.tolist() == [*range(30, 40)]
    assert data.classes == tuple("0123456789")
    assert data.notes[0].startswith("a subset: 30 of 60,000 training and 10 of 10,000 test images")


def test_damaged_files_are_named(home, small):
    path = home / "train-images-idx3-ubyte.gz"
    whole = gzip.decompress(path.read_bytes())
    for data, message in (
        (gzip.compress(whole[:-5]), "truncated"),
        (gzip.compress(b"no idx file"), "no idx file"),
        (path.read_bytes()[:100], "cannot read"),
        (gzip.compress(idx(np.zeros((30, 8, 8), np.uint8))), r"shape \(30, 8, 8\).*\(n, 28, 28\)"),
        (gzip.compress(idx(np.zeros((7, 28, 28), np.uint8))), "expected 7 labels"),
    ):
        path.write_bytes(data)
        with pytest.raises(DataError, match=message):
            open_dataset("mnist")


def test_a_part_that_is_missing_is_named(home, small):
    (home / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="lacks t10k-labels-idx1-ubyte"):
        open_dataset("mnist")


def test_without_files_and_network_the_message_says_what_to_put_where(home, monkeypatch):
    def offline(url, timeout):
        raise OSError("no network")

    monkeypatch.setattr(files.urllib.request, "urlopen", offline)
    message = (
        r"MNIST is not in .*no network.*get train-images-idx3-ubyte\.gz.*put them into .TORCHATLAS_DATA/mnist"
    )
    with pytest.raises(DataError, match=message):
        open_dataset("mnist")


def test_a_download_is_checked_and_kept(home, small, monkeypatch):
    packed = {name: (home / name).read_bytes() for name in os.listdir(home)}
    asked = []

    def fetch(url, md5):
        asked.append(url)
        name = url.rpartition("/")[2].removesuffix(".gz")
        for end, unpack in (("", bytes), (".gz", gzip.decompress), (".xz", lzma.decompress)):
            if name + end in packed:
                return gzip.compress(unpack(packed[name + end]))
        raise OSError(url)

    monkeypatch.setattr(files, "download", fetch)
    for name in packed:
        (home / name).unlink()
    first = open_dataset("mnist")
    assert len(asked) == 4
    assert (open_dataset("mnist").inputs == first.inputs).all()
    assert len(asked) == 4


def test_what_is_not_as_published_is_not_kept(monkeypatch):
    class Answer:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def read(self):
            return b"something else"

    monkeypatch.setattr(files.urllib.request, "urlopen", lambda url, timeout: Answer())
    with pytest.raises(OSError, match="was published"):
        files.download("http://somewhere", "0" * 32)
    assert files.download("http://somewhere", "6c7ba9c5a141421e1c03cb9807c97c74") == b"something else"


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        files.write_whole(tmp_path / "a", b"data")
    assert not any(tmp_path.iterdir())


def test_an_idx_file_says_its_shape(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert (parse(idx(array), tmp_path) == array).all()


@pytest.mark.skipif("TORCHATLAS_DATA" not in os.environ, reason="TORCHATLAS_DATA is not set")
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_real_files(name):
    folder = {"mnist": "mnist", "fashion_mnist": "fashion-mnist"}[name]
    if not any(p.is_dir() for p in files.folders(folder)):
        pytest.skip(f"no folder {folder} in TORCHATLAS_DATA")
    data = open_dataset(name)
    assert data.inputs.shape == (70000, 28, 28, 1)
    assert np.bincount(data.target).sum() == 70000
    if name == "mnist":  # published: the mean brightness of the training images is 0.1307, its spread 0.3081
        train = data.inputs[:60000] / np.float32(255)
        assert train.mean() == pytest.approx(0.1307, abs=1e-4)
        assert train.std() == pytest.approx(0.3081, abs=1e-4)
        assert np.bincount(data.target[:60000])[:2].tolist() == [5923, 6742]
