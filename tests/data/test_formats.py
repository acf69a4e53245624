import io
import pickle

import numpy as np
import pytest
from PIL import Image

from torchatlas.data.formats import looks_like, refuse_file_for_folder, refuse_format


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WebP", "BMP", "TIFF"])
def test_images_are_seen(form):
    file = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(file, form)
    assert f" {form} image" in looks_like(file.getvalue())


def test_arrays_archives_and_text_are_seen():
    file, packed = io.BytesIO(), io.BytesIO()
    np.save(file, np.eye(2))
    np.savez(packed, x=np.eye(2))
    assert "npy" in looks_like(file.getvalue())
    assert "npz:" in looks_like(packed.getvalue())
    assert "pickle" in looks_like(pickle.dumps({"a": 1}, protocol=4))
    assert "csv:" in looks_like("größe,y\n1,2\n".encode())
    assert "csv:" in looks_like(b"a" * 4095 + "ö".encode())  # a letter cut in two
    assert "csv:" in looks_like(b"BMI,age\n20,3\n") and "BMP" not in looks_like(b"BMI,age\n20,3\n")
    assert looks_like(bytes(range(128, 256))) == looks_like(b"") == looks_like(b"\0\1") == ""


def test_the_message_names_the_file_and_the_cure(tmp_path):
    assert (
        refuse_format(tmp_path, b"\0", "no npz file", "try again") == f"{tmp_path} is no npz file; try again"
    )
    assert refuse_format(tmp_path, b"\0", "no npz file") == f"{tmp_path} is no npz file"
    (tmp_path / "a.csv").write_text("a,y\n1,2\n")
    assert "a.csv is a file, not a folder" in refuse_file_for_folder(tmp_path / "a.csv")
    assert refuse_file_for_folder(tmp_path / "a.csv").endswith("say csv: before its path")
