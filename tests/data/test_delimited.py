import gzip

import numpy as np
import pandas as pd
import pytest

from torchatlas.data import check, open_dataset, prepare
from torchatlas.engine.errors import DataError, UsageError


def write(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


CONTINENTS = "gdp,continent\n" + "".join(f"{i * i},{('NA', 'EU', 'None')[i % 3]}\n" for i in range(30))


def test_words_that_were_read_as_empty_are_told_with_a_cure_that_works(tmp_path):
    path = write(tmp_path, CONTINENTS)
    found = [f for f in check(open_dataset(path, target="continent")) if "read as an empty cell" in f.message]
    assert [f.severity for f in found] == ["error"]
    for words in ("'continent'", "'NA' in 10 rows", "'None' in 10 rows", "missing="):
        assert words in found[0].message
    kept = prepare(open_dataset(path, target="continent", missing=""), seed=0)
    assert kept.spec.classes == ("EU", "NA", "None")
    again = kept.preparation.read(path)
    assert np.bincount(kept.preparation.target(again.target)).tolist() == [10, 10, 10]


def test_such_words_of_an_input_are_a_note_and_words_that_were_said_are_none(tmp_path):
    text = "city,y\n" + "".join(f"{('NA', 'Ulm', '?')[i % 3]},{i % 2}\n" for i in range(30))
    data = open_dataset(write(tmp_path, text), missing="?")
    found = [f for f in check(data) if "read as an empty cell" in f.message]
    assert [f.severity for f in found] == ["note"]
    assert "'NA' in 10 rows" in found[0].message and "'?'" not in found[0].message
    data = open_dataset(write(tmp_path, text), missing=["", "?"])
    assert data.inputs["city"].value_counts().to_dict() == {"NA": 10, "Ulm": 10}
    assert not [f for f in check(data) if "read as an empty cell" in f.message]


def test_empty_cells_alone_are_no_words(tmp_path):
    text = "city,y\n" + "".join(f"{('', 'Ulm')[i % 2]},{i % 3 > 0}\n" for i in range(20))
    assert not [f for f in check(open_dataset(write(tmp_path, text))) if "empty cell" in f.message]


def test_a_name_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match="more than one column called 'y'; rename"):
        open_dataset(write(tmp_path, "y,a,y\n1,2,1\n2,3,2\n"))
    assert [*open_dataset(write(tmp_path, "a,a.1,y\n1,2,1\n2,3,2\n")).inputs] == ["a", "a.1"]


def test_a_first_line_of_numbers_is_told(tmp_path):
    data = open_dataset(write(tmp_path, "5.1,3.5,y\n4.9,3,a\n4.7,3.2,b\n"))
    assert any("first line is taken as the names" in note for note in data.notes)
    with pytest.raises(DataError, match=r"called '0'; write a line of names above it"):
        open_dataset(write(tmp_path, "0,0,a\n4.9,3,a\n4.7,3.2,b\n"), target="a")
    data = open_dataset(write(tmp_path, "a,,y\n1,2,a\n2,3,b\n"))
    assert any("without a name are called 'Unnamed: 1'" in note for note in data.notes)


def test_spaces_around_words_make_no_classes(tmp_path):
    data = open_dataset(write(tmp_path, "a , y\n1, u \n2,v\n3,u\n4, v\n"))
    assert data.target.tolist() == ["u", "v", "u", "v"]
    assert any("spaces around the words of column 'y'" in note for note in data.notes)
    assert not [n for n in open_dataset(write(tmp_path, "a,y\n1,u\n2,v\n")).notes if "spaces" in n]


@pytest.mark.parametrize("said", ["spaces", "\\s+"])
def test_separators_have_names(tmp_path, said):
    path = write(tmp_path, "a  b y\n1 2   u\n3   4 v\n")
    assert open_dataset(path, separator=said).inputs["b"].tolist() == [2, 4]
    assert open_dataset(write(tmp_path, "a\ty\n1\tu\n2\tv\n"), separator="tab").target.tolist() == ["u", "v"]
    with pytest.raises(UsageError, match="one character"):
        open_dataset(path, separator="::")


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG image: for images say folder:"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "JPEG image"),
        (b"PAR1\x15\x04\x15\x00", "Parquet file: say parquet:"),
        (b"PK\x03\x04\x14\0\0\0\0\0[Content_Types].xml", "Excel file"),
        (b"PK\x03\x04\x14\0\0\0\0\0notes.txt", "zip archive: unpack"),
        (b"\xfd7zXZ\x00\x00", "xz file"),
        (b"%PDF-1.7\n\xe2\xe3\xcf\xd3", "PDF"),
    ],
)
def test_what_is_no_text_is_told_with_the_right_word(tmp_path, start, words):
    with pytest.raises(DataError, match="no text file") as refused:
        open_dataset(f"csv:{write(tmp_path, start + bytes([0xC3, 0x28]) * 20)}", target="y")
    assert words in str(refused.value)


def test_an_npz_called_csv_is_told(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.eye(3))
    with pytest.raises(DataError, match="npz file: say npz:"):
        open_dataset(f"csv:{tmp_path / 'a.npz'}", target="y")


def test_packed_text_is_seen_from_its_bytes(tmp_path):
    packed = gzip.compress(b"a,y\n1,u\n2,v\n")
    assert len(open_dataset(f"csv:{write(tmp_path, packed, 'data.bin')}")) == 2
    with pytest.raises(DataError, match="damaged"):
        open_dataset(f"csv:{write(tmp_path, packed[:-9], 'data.bin')}")
    image = gzip.compress(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(DataError, match="PNG image"):
        open_dataset(f"csv:{write(tmp_path, image, 'data.csv.gz')}")


def test_odd_but_good_files(tmp_path):
    for text in (
        "\ufeffa,b,y\n1,ä,u\n4,ö,v\n",
        "a;b;y\n1,0;ä;u\n4,0;ö;v\n",
        "a,b,y\r1,ä,u\r4,ö,v\r",
        'a,"b",y\n1,"ä",u\n4,"ö",v\n',
        "\n\na,b,y\n1,ä,u\n4,ö,v\n",
    ):
        data = open_dataset(write(tmp_path, text))
        assert data.inputs.to_dict("list") == {"a": [1, 4], "b": ["ä", "ö"]}, text
        assert data.target.tolist() == ["u", "v"]
    assert open_dataset(write(tmp_path, 'a,y\n"x\nz",u\nw,v\n')).inputs["a"].tolist() == ["x\nz", "w"]
    assert pd.isna(open_dataset(write(tmp_path, "a,e,y\n1,,u\n2,,v\n")).inputs["e"]).all()
