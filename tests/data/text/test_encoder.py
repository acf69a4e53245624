import gzip

import numpy as np
import pytest
import torch

from torchatlas.data import open_dataset, prepare
from torchatlas.data.preparation import Preparation
from torchatlas.data.text import TextEncoder, codes_of, text_of
from torchatlas.engine.errors import DataError, UsageError

TEXT = "to be or not to be, that is the question: größer, 漢字, 🙂\n" * 40


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "play.txt"
    file.write_text(TEXT, encoding="utf-8")
    return file


def test_codes_and_text_are_inverse():
    assert text_of(codes_of(TEXT)) == TEXT


def test_a_file_is_read_with_its_last_tenth_for_testing(path):
    dataset = open_dataset(f"text:{path}")
    assert (dataset.modality, dataset.task, len(dataset)) == ("text", "language", len(TEXT))
    assert dataset.test[-1] == len(TEXT) - 1 and len(dataset.test) == round(len(TEXT) / 10)


def test_packed_and_other_encodings(tmp_path):
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    assert text_of(np.asarray(open_dataset(f"text:{packed}").inputs)) == TEXT
    latin = tmp_path / "b.txt"
    latin.write_bytes(("größer\n" * 100).encode("latin-1"))
    with pytest.raises(DataError, match=r"b\.txt, line 1: byte 2 is not utf-8.*--encoding latin-1"):
        open_dataset(f"text:{latin}")
    assert text_of(np.asarray(open_dataset(f"text:{latin}", encoding="latin-1").inputs)).startswith("größer")


@pytest.mark.parametrize(
    ("raw", "words"), [(b"short", "needs 100 or more"), (b"a\0" * 200, "zero bytes"), (b"", "0 characters")]
)
def test_what_is_no_text_is_told(tmp_path, raw, words):
    file = tmp_path / "x.txt"
    file.write_bytes(raw)
    with pytest.raises(DataError, match=words):
        open_dataset(f"text:{file}")


def test_windows_hold_each_character_and_its_successor(path):
    prepared = prepare(open_dataset(f"text:{path}"), seed=0, context=16, valid=0.1)
    for part, name in ((prepared.train, "train"), (prepared.valid, "valid"), (prepared.test, "test")):
        assert part is not None and part.y is not None, name
        texts = prepared.preparation.restore(part.x)
        follow = prepared.preparation.restore(part.y)
        for k, start in enumerate(part.rows):
            assert texts[k] == TEXT[start : start + 16]
            assert follow[k] == TEXT[start + 1 : start + 17]
    ends = [part.rows[-1] + 16 for part in (prepared.train, prepared.valid, prepared.test)]
    assert prepared.valid.rows[0] >= ends[0] and prepared.test.rows[0] >= ends[1]


def test_the_vocabulary_is_the_training_part_s_and_others_are_unknown():
    text = "ab" * 100 + "z" * 25
    encoder = TextEncoder.fit(codes_of(text[:200]), 10)
    assert encoder.vocabulary == "\ufffdab"
    assert encoder.ids("abz").tolist() == [1, 2, 0]
    assert encoder.restore(torch.tensor([1, 2, 0])) == ["ab\ufffd"]


def test_a_preparation_of_text_comes_back_from_disk(path, tmp_path):
    prepared = prepare(open_dataset(f"text:{path}"), seed=0, context=16)
    prepared.preparation.save(tmp_path / "kept")
    back = Preparation.load(tmp_path / "kept")
    assert back.spec == prepared.spec
    assert torch.equal(back.encode(TEXT[:64]), prepared.preparation.encode(TEXT[:64]))


def test_text_needs_a_method_that_reads_it_and_room_for_a_window(path):
    dataset = open_dataset(f"text:{path}")
    with pytest.raises(UsageError, match="mlp does not read text"):
        prepare(dataset, seed=0, wanted_by="mlp")
    with pytest.raises(DataError, match="holds no window of 5000"):
        prepare(dataset, seed=0, context=5000)
