import pytest

from torchatlas.data import open_dataset
from torchatlas.data.named import texts
from torchatlas.engine.errors import DataError


def test_shakespeare_is_read_from_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHATLAS_DATA", str(tmp_path))
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare" / "input.txt").write_text("To be, or not to be\n" * 20)
    dataset = open_dataset("tinyshakespeare")
    assert (dataset.name, dataset.task, len(dataset)) == ("tinyshakespeare", "language", 400)


def test_where_it_is_not_the_message_says_what_to_get(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHATLAS_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def offline(url, md5):
        raise OSError("no network")

    monkeypatch.setattr(texts.files, "download", offline)
    with pytest.raises(DataError, match=r"Tiny Shakespeare is not in .*no network.*input\.txt"):
        open_dataset("tinyshakespeare")
