import numpy as np
import pandas as pd
import pytest

from torchatlas.data.reading import Reading, did_you_mean, listed, read_bytes, shown
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


def test_cells_are_shown_as_one_writes_them():
    cells = (
        np.float64("inf"),
        np.int64(3),
        np.str_("a"),
        2.5,
        "b",
        pd.Timestamp("2024-12-31"),
        np.True_,
        None,
    )
    written = ["inf", "3", "'a'", "2.5", "'b'", "2024-12-31 00:00:00", "True", "None"]
    assert [shown(cell) for cell in cells] == written


def test_a_target_said_twice_is_one():
    assert Reading(target=["y", "z", "y"]).targets == ["y", "z"]
