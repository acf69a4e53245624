import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from torchatlas.data.named.omniglot import ARCHIVES, omniglot
from torchatlas.engine.errors import DataError


def write(path, drawings, size=(105, 105)):
    with zipfile.ZipFile(path, "w") as archive:
        for name, ink in drawings.items():
            picture = Image.new("1", size, 1)
            picture.paste(0, (0, 0, ink, 105))
            raw = io.BytesIO()
            picture.save(raw, "png")
            archive.writestr(f"{path.stem}/{name}", raw.getvalue())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHATLAS_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tmp_path / "omniglot"
    place.mkdir()
    return place


def test_characters_of_both_archives_are_taken_once_and_ink_is_bright(folder):
    one, two = ARCHIVES
    write(folder / one, {"Greek/a/01.png": 0, "Greek/a/02.png": 105, "Latin/b/01.png": 42})
    write(folder / two, {"Greek/a/01.png": 105, "Greek/a/02.png": 105, "Old/c/01.png": 0})
    dataset = omniglot()
    assert dataset.classes == ("Greek/a", "Latin/b", "Old/c")
    assert np.asarray(dataset.target).tolist() == [0, 0, 1, 2]
    assert dataset.inputs.shape == (4, 28, 28, 1)
    means = np.asarray(dataset.inputs).reshape(4, -1).mean(1)
    assert means[0] == 0 and means[1] == 255 and abs(means[2] / 255 - 0.4) < 0.01


def test_damaged_archives_are_told(folder):
    (folder / next(iter(ARCHIVES))).write_bytes(b"PK no zip")
    with pytest.raises(DataError, match=r"cannot read .*get the file again"):
        omniglot()
    write(folder / next(iter(ARCHIVES)), {"Greek/a/01.png": 0}, size=(50, 50))
    with pytest.raises(DataError, match=r"\(50, 50\), not 105x105"):
        omniglot()
