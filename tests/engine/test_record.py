import json
import os
import warnings

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
    with pytest.warns(UserWarning, match=r"record.jsonl: 1 earlier lines of this record were lost"):
        write(path, [3], start=2)
    assert "1 earlier lines" in json.loads(path.read_text().splitlines()[1])["message"]


NONSENSE = (b"", b"\xff\xfe\x00", b"[]", b"5", b"null", b'{"kind"', b'"kind"', b'{"loss": 1}')


@pytest.mark.parametrize("text", NONSENSE)
def test_damaged_lines_are_left_out_and_told(tmp_path, text):
    path = tmp_path / "record.jsonl"
    write(path, [1, 2, 3])
    first, _, last = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join((first, text, last, b"")))
    with pytest.warns(UserWarning, match=r"record.jsonl is damaged: line 2 left out"):
        assert [line["step"] for line in read_record(path)] == [1, 3]
    with pytest.warns(UserWarning, match=r"1 earlier lines"):
        write(path, [4], start=3)
    assert [line.get("step") for line in read_record(path)] == [1, 3, None, 4]


def test_every_flipped_byte_is_found_or_harmless(tmp_path):
    path = tmp_path / "record.jsonl"
    write(path, [1, 2])
    whole, wanted = path.read_bytes(), without_clock(read_record(path))
    found = 0
    for place in range(len(whole) - 1):  # without its last byte, a line is one that a kill cut short
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            got = without_clock(read_record(path))
        found += bool(told)
        assert told or got == wanted, place  # what is not told of hit the clock
    assert found > 0.7 * len(whole)


def without_clock(lines):
    return [{key: value for key, value in line.items() if key != "clock"} for line in lines]


def test_the_same_lines_are_the_same_but_for_the_clock(tmp_path):
    lines = []
    for name in "ab":
        write(tmp_path / name, [1, 2])
        lines.append(without_clock(map(json.loads, (tmp_path / name).read_text().splitlines())))
    assert lines[0] == lines[1] and lines[0][0]["crc"] != lines[0][1]["crc"]


def test_a_record_without_checksums_is_read(tmp_path):
    path = tmp_path / "record.jsonl"
    path.write_text('{"kind": "train", "step": 1, "loss": NaN, "clock": 2.0}\n')
    assert [line["step"] for line in read_record(path)] == [1]


def test_the_disk_has_every_line_once_it_was_waited_for(tmp_path, monkeypatch):
    synced, record = [], Record(tmp_path / "record.jsonl")
    record.rewind()
    record(Event("train", 1, 0.0, {}))
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    record.sync()
    assert synced == [record.path.stat().st_size] and synced[0] > 0
    record.close()
    record.sync()  # nothing is open: nothing to wait for
    assert len(synced) == 1


def test_it_can_be_taken_back_while_it_is_open(tmp_path):
    record = Record(tmp_path / "record.jsonl")
    record.rewind()
    for step in (1, 2, 3):
        record(Event("train", step, 0.0, {}))
    record.sync()
    record.rewind(1)
    record(Event("train", 9, 0.0, {}))
    record.close()
    assert [line["step"] for line in read_record(record.path)] == [1, 9]


def test_a_last_line_cut_short_is_left_out(tmp_path):
    path = tmp_path / "record.jsonl"
    write(path, [1, 2])
    path.write_text(path.read_text()[:-9])
    assert [line["step"] for line in read_record(path)] == [1]
    assert read_record(tmp_path / "nowhere") == []


def test_where_it_cannot_be_written_the_cure_is_named(tmp_path):
    with pytest.raises(AtlasError, match=r"could not be written|no permission"):
        Record(tmp_path / "missing" / "record.jsonl").rewind()
