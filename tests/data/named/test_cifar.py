import hashlib
import io
import lzma
import os
import tarfile

import numpy as np
import pytest

from torchatlas.data import open_dataset
from torchatlas.data.named import cifar, files
from torchatlas.engine.errors import DataError

draw = np.random.default_rng(0)


def records(count):
    images = draw.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    planes = images.transpose(0, 3, 1, 2).reshape(count, -1)
    return images, labels, np.concatenate([labels[:, None], planes], axis=1).tobytes()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHATLAS_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "own" / "cifar10").mkdir(parents=True)
    return tmp_path / "own" / "cifar10"


def test_records_become_images(home):
    train, test = records(20), records(10)
    (home / "data_batch_1.bin.xz").write_bytes(lzma.compress(train[2]))
    (home / "test_batch.bin").write_bytes(test[2])
    data = open_dataset("cifar10")
    assert (data.inputs[:20] == train[0]).all()
    assert (data.inputs[data.test] == test[0]).all()
    assert data.target[:20].tolist() == train[1].tolist()
    assert data.classes[3] == "cat"
    assert data.notes[0].startswith("a subset: 20 of 50,000 training and 10 of 10,000 test images")


def test_damaged_files_are_named(home):
    train = records(20)[2]
    (home / "data_batch_1.bin").write_bytes(train[:-1])
    with pytest.raises(DataError, match=r"lacks test_batch\.bin"):
        open_dataset("cifar10")
    (home / "test_batch.bin").write_bytes(records(10)[2])
    with pytest.raises(DataError, match=r"data_batch_1\.bin has 61,459 bytes, no multiple of 3,073"):
        open_dataset("cifar10")
    (home / "data_batch_1.bin").write_bytes(b"\x0b" + train[1:])
    with pytest.raises(DataError, match="label 11 in record 0"):
        open_dataset("cifar10")


def test_the_archive_is_fetched_and_unpacked(home, monkeypatch):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in (*cifar.TRAIN, cifar.TEST):
            data = records(10)[2]
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    monkeypatch.setattr(files, "download", lambda url, md5: packed.getvalue())
    assert open_dataset("cifar10").inputs.shape == (60, 32, 32, 3)
    monkeypatch.setattr(files, "download", lambda url, md5: pytest.fail("asked again"))
    assert len(open_dataset("cifar10").test) == 10


def test_without_files_and_network_the_message_says_what_to_put_where(home, monkeypatch):
    def offline(url, md5):
        raise OSError("no network")

    monkeypatch.setattr(files, "download", offline)
    with pytest.raises(DataError, match=r"no network.*data_batch_1\.bin.*TORCHATLAS_DATA/cifar10"):
        open_dataset("cifar10")


@pytest.mark.skipif("TORCHATLAS_DATA" not in os.environ, reason="TORCHATLAS_DATA is not set")
def test_the_real_files():
    folder = files.folders("cifar10")[0]
    if not folder.is_dir():
        pytest.skip("no folder cifar10 in TORCHATLAS_DATA")
    path = files.find(folder, cifar.TEST)
    images, labels = cifar.parse(files.unpacked(path), path)
    assert len(set(np.bincount(labels))) == 1
    assert len({hashlib.md5(image.tobytes()).digest() for image in images}) == len(images)
    published = np.array([0.4914, 0.4822, 0.4465])
    np.testing.assert_allclose(images.mean(axis=(0, 1, 2)) / 255, published, atol=0.02)
