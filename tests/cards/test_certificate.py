import json
from dataclasses import replace
from pathlib import Path

import pytest

from torchatlas.cards import certificate
from torchatlas.cards.card import Card
from torchatlas.cards.certificate import Certificate, Line, source_hash, stored, why_stale, write
from torchatlas.cards.reader import catalog

LINES = (
    Line("law", "keeps_the_shape", "study/laws/activations.py", True, clock=0.5),
    Line("law", "gradient_is_right", "study/laws/activations.py", False, message="off by 2", clock=1.0),
    Line("reference", "tests/nn/activations/test_wavy.py", "tests/nn/activations/test_wavy.py", True, 7),
    Line("figure", "parameters", "nn/activations/wavy.py", None, message="12: published, not counted here"),
)
PAGES = ("engine/useful.py", "nn/activations/wavy.py")


@pytest.fixture
def card() -> Card:
    where = "torchatlas.nn.activations.wavy:Wavy"
    return Card("wavy", "nn/activations", "activation", where, page="nn/activations/wavy.py")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in a checkout: two pages and a reference."""
    root = tmp_path / "src" / "torchatlas"
    for page in PAGES:
        (root / page).parent.mkdir(parents=True)
        (root / page).write_text(f"# {page}\n")
    tests = tmp_path / "tests" / "nn" / "activations"
    tests.mkdir(parents=True)
    (tests / "test_wavy.py").write_text("# its tests\n")
    (tmp_path / "tests" / "conftest.py").touch()
    return root


@pytest.fixture(autouse=True)
def nothing_remembered():
    yield
    certificate._bytes.cache_clear()
    certificate._family.cache_clear()


def certified(card: Card, root: Path, lines: tuple[Line, ...] = LINES) -> Certificate:
    versions = (("python", "3.11.2"), ("torch", "2.13.0"))
    hashes = source_hash(card, PAGES, root), certificate.reference_hash(card, root)
    return Certificate(card.name, lines, PAGES, *hashes, "2026-11-20", versions)


def changed(path: Path) -> None:
    path.write_text("# something else\n")
    certificate._bytes.cache_clear()


def test_what_is_written_is_read(card, package, tmp_path):
    kept = certified(card, package)
    path = write("nn/activations", [kept], tmp_path / "store")
    assert path == tmp_path / "store" / "nn" / "activations.json"
    untimed = replace(kept, lines=tuple(replace(line, clock=None) for line in LINES))
    assert stored(card, tmp_path / "store") == untimed
    assert stored(replace(card, name="other"), tmp_path / "store") is None
    assert stored(replace(card, family="losses"), tmp_path / "store") is None


def test_each_checked_thing_is_a_line_of_the_file_and_names_are_in_order(card, package, tmp_path):
    kept = certified(card, package)
    path = write("nn/activations", [kept, replace(kept, name="abc")], tmp_path)
    text = path.read_text()
    assert list(json.loads(text)) == ["abc", "wavy"]
    assert sum('"gradient_is_right"' in line for line in text.splitlines()) == 2
    assert "clock" not in text
    assert (
        path.read_text() == write("nn/activations", [replace(kept, name="abc"), kept], tmp_path).read_text()
    )


@pytest.mark.parametrize("page", PAGES)
def test_a_changed_page_makes_it_stale(card, package, page):
    kept = certified(card, package)
    assert why_stale(card, kept, package) == ""
    changed(package / page)
    assert "its source" in why_stale(card, kept, package)


def test_a_changed_reference_or_card_makes_it_stale(card, package):
    kept = certified(card, package)
    assert why_stale(replace(card, title="Other words"), kept, package) == ""
    assert "its source" in why_stale(replace(card, options={"slope": 2}), kept, package)
    changed(package.parents[1] / "tests/nn/activations/test_wavy.py")
    assert why_stale(card, kept, package) == "its tests have changed since"


def test_without_tests_beside_it_the_source_alone_counts(card, package):
    kept = certified(card, package)
    (package.parents[1] / "tests" / "conftest.py").unlink()
    assert certificate.checkout(package) is None
    assert why_stale(card, kept, package) == ""
    changed(package / PAGES[0])
    assert why_stale(card, kept, package)


def test_line_ends_do_not_count(card, package):
    kept = certified(card, package)
    (package / PAGES[0]).write_bytes(b"# engine/useful.py\r\n")
    certificate._bytes.cache_clear()
    assert why_stale(card, kept, package) == ""


@pytest.mark.parametrize(
    ("verdicts", "passes"),
    [((), None), ((None,), None), ((True, None), True), ((True, False), False), ((None, False), False)],
)
def test_it_passes_where_all_that_can_be_checked_does(verdicts, passes):
    lines = tuple(Line("law", "one", "", verdict) for verdict in verdicts)
    kept = Certificate("wavy", lines)
    assert kept.passes is passes
    assert kept.verdict == {True: "passes", False: "fails", None: "none"}[passes]


def test_the_summary_counts_what_was_checked(card, package):
    assert certified(card, package).summary() == "2 laws, 7 tests"
    assert certified(card, package, LINES[:1]).summary() == "1 law"


def test_show_tells_lines_state_date_and_versions(card, package, tmp_path, monkeypatch):
    write("nn/activations", [certified(card, package)], tmp_path / "store")
    text = certificate.certificate_text(card, tmp_path / "store")
    first, *lines = text.splitlines()
    assert first.startswith(
        "fails: 2 laws, 7 tests; stored 2026-11-20 with python 3.11.2, torch 2.13.0; stale"
    )
    assert "Any shape comes out as it went in." in lines[0] and "passes" in lines[0]
    rest = " ".join(lines[1:])
    assert rest.index("fails: off by 2") < rest.index("7 tests") < rest.index("12: published")
    assert "none stored" in certificate.certificate_text(card, tmp_path / "nowhere")


def test_show_as_json_has_the_same(card, package, tmp_path):
    write("nn/activations", [certified(card, package)], tmp_path)
    told = certificate.certificate_json(card, tmp_path)
    assert told is not None and told["stale"] and told["versions"]["torch"] == "2.13.0"
    assert [line["name"] for line in told["lines"]] == [line.name for line in LINES]
    assert certificate.certificate_json(card, tmp_path / "nowhere") is None


def test_every_stored_certificate_is_of_a_method_and_readable():
    families = {path.relative_to(certificate.STORE) for path in certificate.STORE.rglob("*.json")}
    for family in families:
        names = json.loads((certificate.STORE / family).read_text(encoding="utf-8"))
        for name in names:
            card = catalog()[name]
            kept = stored(card)
            assert f"{card.family}.json" == family.as_posix()
            assert kept is not None and kept.lines and kept.date and kept.versions
