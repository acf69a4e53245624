import gzip

import numpy as np
import pandas as pd
import pytest

from torchatlas.data import open_dataset
from torchatlas.engine.errors import DataError, UsageError


def write(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_seen(tmp_path, people, separator):
    text = people.to_csv(index=False, sep=separator, decimal="," if separator == ";" else ".")
    data = open_dataset(write(tmp_path, text))
    assert [*data.inputs] == ["age", "income", "city", "joined", "member"]
    np.testing.assert_allclose(data.inputs["income"], people["income"])
    assert data.inputs["joined"].iloc[1] == pd.Timestamp("2020-01-18")


def test_commas_within_quotes_separate_nothing(tmp_path):
    data = open_dataset(write(tmp_path, 'a;y\n"x;,,,";1\n"z,,,";2\n"q,,,";1\n'))
    assert data.inputs["a"].tolist() == ["x;,,,", "z,,,", "q,,,"]


def test_encodings(tmp_path):
    text = "city,y\nKöln,a\nUlm,b\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        data = open_dataset(write(tmp_path, text.encode(encoding)))
        assert data.inputs["city"].tolist() == ["Köln", "Ulm"]
        assert any("not UTF-8" in note for note in data.notes) == (encoding == "latin-1")
    with pytest.raises(DataError, match="no encoding 'utf-9'"):
        open_dataset(write(tmp_path, text), encoding="utf-9")
    assert open_dataset(write(tmp_path, gzip.compress(text.encode()), "t.csv.gz")).target.tolist() == [
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,y\n", "no rows"),
        ("a,y\n1,2\n1,2,3\n", "line 3"),
        ("a,y\n1,2,3\n1,2,3\n", "more cells"),
        (b"\x00\x01\x02" * 50, "no text file"),
        ("a,b\n1,2\n", "which column of t.csv is the target.*a, b"),
        ("y\n1\n2\n", "no column left"),
    ],
)
def test_bad_files_are_named_with_the_cure(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        open_dataset(write(tmp_path, text))


def test_the_target_is_said_or_has_a_usual_name(people):
    data = open_dataset(people)
    assert "the column 'y' is taken as the target" in data.notes
    assert data.target.tolist() == people["y"].tolist()
    assert open_dataset(people, target="city").inputs.columns.tolist() == [
        "age",
        "income",
        "joined",
        "member",
        "y",
    ]
    assert open_dataset(people, target=["age", "income"]).target.shape == (60, 2)
    with pytest.raises(DataError, match="no column 'sity'; did you mean 'city'"):
        open_dataset(people, target="sity")


def test_no_target_is_wanted_for_task_none(people):
    data = open_dataset(people, task="none")
    assert data.target is None
    assert "y" in data.inputs
    assert "y" not in open_dataset(people, task="none", target="y").inputs


def test_group_time_and_dropped_columns(people):
    data = open_dataset(people, group="city", time="joined", drop="age")
    assert [*data.inputs] == ["income", "joined", "member"]
    assert data.group.tolist() == people["city"].tolist()
    assert (np.diff(data.time) > np.timedelta64(0)).all()
    people.loc[3, "city"] = None
    with pytest.raises(DataError, match="row 3 has nothing in column 'city'"):
        open_dataset(people, group="city")


def test_strange_frames(people):
    with pytest.raises(DataError, match="more than one column called 'a'"):
        open_dataset(pd.DataFrame(np.ones((3, 3)), columns=["a", "a", "y"]))
    with pytest.raises(DataError, match="no rows"):
        open_dataset(people.iloc[:0])
    numbered = open_dataset(pd.DataFrame(np.random.rand(9, 3)), target=2)
    assert [*numbered.inputs] == ["0", "1"]


def test_words_for_missing_cells_are_said(tmp_path):
    path = write(tmp_path, "a,y\n1,u\n?,v\n3,u\n4,v\n5,u\n6,v\n")
    assert open_dataset(path, missing="?").inputs["a"].isna().tolist() == [False, True, *[False] * 4]


def test_row_numbers_without_a_name_are_left_out(tmp_path, people):
    data = open_dataset(write(tmp_path, people.to_csv()))
    assert [*data.inputs] == ["age", "income", "city", "joined", "member"]


def test_rows_know_their_line(tmp_path, people):
    assert open_dataset(write(tmp_path, people.to_csv(index=False))).place(3) == "row 3 (line 5)"
    assert open_dataset(people).place(3) == "row 3"
    quoted = 'a,y\n"two\nlines",u\nb,v\n'
    assert open_dataset(write(tmp_path, quoted)).place(1) == "row 1"


def test_parquet(tmp_path, people):
    pytest.importorskip("pyarrow", reason="reading Parquet needs pyarrow")
    people.to_parquet(tmp_path / "p.parquet")
    data = open_dataset(tmp_path / "p.parquet")
    assert data.inputs["age"].tolist() == people["age"].tolist()
    with pytest.raises(DataError, match="no readable Parquet file"):
        open_dataset(write(tmp_path, "a,b", "q.parquet"))


def test_cells_that_hold_lists_are_named_before_anything_is_reckoned(people):
    people["tags"] = [[i] for i in range(60)]
    with pytest.raises(DataError, match=r"column 'tags' .* row 0 holds .*list.*drop=tags"):
        open_dataset(people)
    assert "tags" not in open_dataset(people, drop="tags").inputs
    with pytest.raises(DataError, match="the target 'tags'"):
        open_dataset(people, target="tags")


def test_categories_as_target_are_classes():
    frame = pd.DataFrame({"x": np.arange(60) ** 2, "c": pd.Categorical(np.arange(60) % 30)})
    assert open_dataset(frame, target="c").task == "classification"
    assert open_dataset(frame, target="c", task="regression").task == "regression"
    assert open_dataset(frame.astype({"c": "Int64"}), target="c").target.dtype == np.int64


def test_words_have_no_order_in_time(people):
    people["when"] = [f"{i % 28 + 1} Jan 2024" for i in range(60)]
    with pytest.raises(DataError, match="time column 'when' holds words such as '1 Jan 2024'"):
        open_dataset(people, time="when")
    with pytest.raises(UsageError, match="'y' is the target: rows cannot be kept together"):
        open_dataset(people, group="y")


def test_the_word_before_the_path_decides(tmp_path, people):
    pytest.importorskip("pyarrow", reason="reading Parquet needs pyarrow")
    people.to_parquet(tmp_path / "p.data")
    assert len(open_dataset(f"parquet:{tmp_path / 'p.data'}")) == 60
    with pytest.raises(DataError, match=r"no text file.*say parquet:"):
        open_dataset(f"csv:{tmp_path / 'p.data'}")
    with pytest.raises(DataError, match=r"no readable Parquet file; it looks like text.*say csv:"):
        open_dataset(f"parquet:{write(tmp_path, 'a,y', 'p.csv')}")
