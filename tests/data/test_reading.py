import pytest

from torchatlas.data.reading import did_you_mean, listed, read_bytes
from torchatlas.engine.errors import DataError


def test_near_names_are_offered_in_their_own_spelling():
    assert did_you_mean("DIGTS", ["digits", "wine"]) == "; did you mean 'digits'?"
    assert did_you_mean("sity", ["City", "wine"]) == "; did you mean 'City'?"
    assert did_you_mean("zzz", ["digits"]) == ""


def test_long_lists_are_cut():
    assert listed([1, 2, 3], most=2) == "1, 2 and 1 more"
    assert listed([1, 2]) == "1, 2"


def test_a_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "people.csv").write_text("")
    with pytest.raises(DataError, match=r"no file or folder .*peple\.csv; did you mean 'people\.csv'"):
        read_bytes(tmp_path / "peple.csv")
    with pytest.raises(DataError, match=r"there is no folder .*nowhere either"):
        read_bytes(tmp_path / "nowhere" / "x.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_bytes(tmp_path)
