import json

import pytest

from torchatlas.engine.errors import AtlasError
from torchatlas.engine.record import Event, Record, read_record


def write(path, steps, start=0):
    record = Record(path)
    record.rewind(start)
    for step in steps:
        record(Event("train", step, step / 10, {"loss": 1 / step}))
        record(Event("checkpoint", step, step / 10, {}))
    record.close()


def test_a_resumed_record_has_no_line_twice(tmp_path):
    path = tmp_path / "record.jsonl"
    write(path, [1, 2, 3, 4])
    write(path, [3, 4, 5], start=2)
    assert [line["step"] for line in read_record(path)] == [1, 2, 3, 4, 5]
    assert all(line["kind"] == "train" and line["clock"] > 0 for line in read_record(path))


def test_lost_lines_are_told(tmp_path):
    path = tmp_path / "record.jsonl"
    write(path, [1])
    write(path, [3], start=2)
    assert "1 earlier lines" in json.loads(path.read_text().splitlines()[1])["message"]


def test_a_last_line_cut_short_is_left_out(tmp_path):
    path = tmp_path / "record.jsonl"
    write(path, [1, 2])
    path.write_text(path.read_text()[:-9])
    assert [line["step"] for line in read_record(path)] == [1]
    assert read_record(tmp_path / "nowhere") == []


def test_where_it_cannot_be_written_the_cure_is_named(tmp_path):
    with pytest.raises(AtlasError, match=r"could not be written|no permission"):
        Record(tmp_path / "missing" / "record.jsonl").rewind()
