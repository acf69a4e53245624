import pytest

from torchatlas.cards.reader import UnknownName
from torchatlas.engine.errors import DataError, UsageError
from torchatlas.study.training.faults import told


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("width"), r"trying: KeyError: 'width' \(test_faults.py, line \d+\)"),
        (ValueError("too wide"), r"trying: too wide \(test_faults.py, line \d+\)"),
        (AssertionError(), r"trying: AssertionError \(test_faults.py, line \d+\)"),
    ],
)
def test_an_error_in_words_with_its_place(error, words):
    def theirs():
        raise error

    with pytest.raises(UsageError, match=words) as caught, told("trying"):
        theirs()
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [DataError("row 3"), UnknownName("no such name")])
def test_ours_pass_as_they_are(error):
    with pytest.raises(type(error)) as caught, told("trying"):
        raise error
    assert caught.value is error
