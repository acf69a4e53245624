from pathlib import Path

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.verify.references import Test, reference_line, run_page

TESTS = """
import pytest


@pytest.mark.parametrize("name", ["wavy", "flat"])
def test_value(name):
    assert name == "wavy", "the value is off"


def test_both():
    pass


@pytest.mark.skip
def test_elsewhere():
    pass
"""
NAMES = ("wavy", "flat")


def card(name: str) -> Card:
    return Card(name, "nn", "layer", "torch.nn:Identity", page="nn/waves.py")


@pytest.fixture(scope="module")
def tests(tmp_path_factory: pytest.TempPathFactory) -> list[Test]:
    home = tmp_path_factory.mktemp("home")
    (home / "test_waves.py").write_text(TESTS)
    return run_page("test_waves.py", home)


def test_a_page_s_tests_are_told_one_by_one(tests):
    assert {test.name: test.passes for test in tests} == {
        "test_value[wavy]": True,
        "test_value[flat]": False,
        "test_both": True,
        "test_elsewhere": None,
    }
    assert "the value is off" in next(test.message for test in tests if test.passes is False)


def test_a_test_is_about_the_method_that_it_names_or_about_all(tests):
    wavy, flat = (reference_line(card(name), NAMES, tests) for name in NAMES)
    assert wavy.passes is True and wavy.count == 2
    assert flat.passes is False and flat.message.startswith("1 of 2 tests, the first test_value[flat]: ")
    assert wavy.name == wavy.page == "tests/nn/test_waves.py"


def test_nothing_that_ran_is_no_verdict():
    line = reference_line(
        card("wavy"), NAMES, [Test("test_value[flat]", True, 0.1), Test("test_x", None, 0.1)]
    )
    assert line.passes is None and line.count == 0


def test_a_page_that_cannot_be_collected_fails(tmp_path: Path):
    (tmp_path / "test_waves.py").write_text("import no_such_module\n")
    line = reference_line(card("wavy"), NAMES, run_page("test_waves.py", tmp_path))
    assert line.passes is False and "no_such_module" in line.message
