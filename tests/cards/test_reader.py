import functools
import sys
from pathlib import Path

import pytest

import torchatlas
from torchatlas.cards.reader import UnknownName, UnknownOption, catalog, scan

PAGE = '''"""A page."""

from ...cards.card import borrowed, method

borrowed("one_line", "torch.nn:ReLU", "Title (with a bracket)", aliases=("single",))

borrowed(
    "settled",
    "torch.optim:SGD",
    "A title",
    kind="optimizer",
    formula="a (b) "
    "and c",
    options={"momentum": 0.9},
    recipe={"lr": -1e-2},
    parent="one_line",
)


@final
@method(
    "net",
    year=2015,
    paper="arXiv:1512.03385",
    topics=("residual",),
    tiny={"layers": (1, 1)},
    figures={"parameters": 1},
    variants={
        "net18": {"layers": (2, 2), "figures": {"parameters": 18}, "aliases": ("small_net",)},
        "net50": {"layers": (3, 4), "deep": True, "year": 2016},
    },
)
@other(1)
class Net(Base, extra=1):
    r"""Net: the first line, $\\sigma$.

    More.
    """


@method("plain")
def plain(
    a: int,
    b: str = "x",
) -> int:
    """Plain: a function."""


@method("untold", kind="tool")
class Untold:
    def run(self):
        """Not the title."""
'''


def write(folder: Path, text: str, page: str = "nn/activations/page.py") -> Path:
    root = folder / "pkg"
    (root / page).parent.mkdir(parents=True, exist_ok=True)
    (root / page).write_text(text)
    return root


def test_the_three_forms_are_read(tmp_path):
    cards = scan(write(tmp_path, PAGE))
    assert list(cards) == ["one_line", "settled", "net", "net18", "net50", "plain", "untold"]
    assert all(c.family == "nn/activations" and c.page == "nn/activations/page.py" for c in cards.values())
    one, settled, net = cards["one_line"], cards["settled"], cards["net"]
    assert (one.where, one.title, one.kind) == ("torch.nn:ReLU", "Title (with a bracket)", "activation")
    assert one.aliases == ("single",)
    assert (settled.kind, settled.formula, settled.parent) == ("optimizer", "a (b) and c", "one_line")
    assert (settled.options, settled.recipe) == ({"momentum": 0.9}, {"lr": -0.01})
    assert (net.where, net.title) == ("pkg.nn.activations.page:Net", r"Net: the first line, $\sigma$.")
    assert (net.year, net.paper, net.topics) == (2015, "arXiv:1512.03385", ("residual",))
    assert cards["plain"].where == "pkg.nn.activations.page:plain"
    assert cards["plain"].title == "Plain: a function."
    assert cards["untold"].title == ""


def test_a_variant_has_options_and_its_own_facts(tmp_path):
    cards = scan(write(tmp_path, PAGE))
    small, large = cards["net18"], cards["net50"]
    assert small.parent == large.parent == "net"
    assert small.options == {"layers": (2, 2)}
    assert large.options == {"layers": (3, 4), "deep": True}
    assert (small.figures, large.figures) == ({"parameters": 18}, {})
    assert (small.aliases, large.aliases) == (("small_net",), ())
    assert (small.year, large.year) == (2015, 2016)
    assert small.tiny == {"layers": (1, 1)}
    assert small.where == large.where == cards["net"].where


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('"a", "torch.nn:ReLU", "t"', '"a", "torch.nn:ReLU", "t"'),
        ('"a", "torch.nn:ReLU", "t"', '"b", "torch.nn:ReLU", "t", aliases=("a",)'),
        ('"b", "torch.nn:ReLU", "t", aliases=("a",)', '"c", "torch.nn:ReLU", "t", aliases=("a",)'),
    ],
)
def test_a_name_taken_twice_is_refused_with_both_places(tmp_path, first, second):
    write(tmp_path, f"borrowed({first})\n", "nn/first.py")
    root = write(tmp_path, f"borrowed({second})\n", "optim/second.py")
    with pytest.raises(ValueError, match=r"'a'.*nn/first\.py.*optim/second\.py"):
        scan(root)


@pytest.mark.parametrize(
    "line",
    [
        'borrowed("a", "torch.nn:ReLU", TITLE)',
        'borrowed("a", "torch.nn:ReLU", "t", colour="red")',
        'borrowed("a", "torch.nn:ReLU", "t", kind="nonsense")',
        'borrowed("a", "torch.nn:ReLU")',
    ],
)
def test_an_unreadable_card_names_its_page_and_line(tmp_path, line):
    root = write(tmp_path, f'"""A page."""\n\n{line}\n')
    with pytest.raises(ValueError, match=r"nn/activations/page\.py, line 3"):
        scan(root)


def test_a_card_on_a_shelf_without_kind_must_state_one(tmp_path):
    root = write(tmp_path, 'borrowed("a", "torch.nn:ReLU", "t")\n', "engine/page.py")
    with pytest.raises(ValueError, match="no kind"):
        scan(root)


def test_find_takes_names_and_aliases():
    assert torchatlas.find("swish") is torchatlas.find("silu") is catalog()["swish"]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("leakyrelu", "leaky_relu"), ("Leaky-ReLU", "leaky_relu"), ("sillu", "silu"), ("adamm", "adam")],
)
def test_an_unknown_name_is_told_what_is_near(wrong, right):
    with pytest.raises(UnknownName, match=rf"no method is called '{wrong}'; did you mean .*\b{right}\b"):
        torchatlas.find(wrong)


def test_an_unknown_name_is_a_lookup_error_without_far_fetched_hints():
    with pytest.raises(LookupError) as caught:
        torchatlas.find("zzzzqqqq")
    assert "did you mean" not in str(caught.value)


OWN = '''"""Own things."""


class Net:
    """A net of one's own.

    More.
    """

    def __init__(self, width: int = 3):
        self.width = width


def small() -> Net:
    return Net(1)
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "ownpkg").mkdir()
    (tmp_path / "ownpkg" / "__init__.py").write_text("")
    (tmp_path / "ownpkg" / "nets.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield tmp_path
    for name in [n for n in sys.modules if n.partition(".")[0] == "ownpkg"]:
        del sys.modules[name]
    torchatlas.cards.signature.look_up.cache_clear()


def test_own_things_are_found_in_the_working_folder(own):
    card = torchatlas.find("ownpkg.nets:Net")
    assert (card.kind, card.family, card.title) == ("own", "", "A net of one's own.")
    assert "ownpkg" not in sys.modules
    assert torchatlas.create("ownpkg.nets:Net", width=5).width == 5
    assert torchatlas.create("ownpkg.nets:small").width == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ownpkg.nets:Nett", "ownpkg.nets has no 'Nett'; did you mean Net"),
        ("ownpkg.other:Net", "no module 'ownpkg.other'"),
        ("nowhere_at_all:Net", "no module 'nowhere_at_all'"),
        ("ownpkg.nets:", "not of the form"),
        ("own pkg:Net", "not of the form"),
    ],
)
def test_a_wrong_own_name_is_explained(own, name, message):
    with pytest.raises(UnknownName, match=message):
        torchatlas.get(name)


def test_a_module_that_fails_by_itself_is_not_called_missing(own):
    (own / "ownpkg" / "broken.py").write_text("import not_installed_anywhere\n")
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        torchatlas.get("ownpkg.broken:Net")


def test_get_binds_the_options_of_the_card():
    import torch

    assert torchatlas.get("adam") is torch.optim.Adam
    bound = torchatlas.get("nag")
    assert isinstance(bound, functools.partial)
    assert bound.func is torch.optim.SGD
    assert bound.keywords == {"momentum": 0.9, "nesterov": True}


def test_create_builds_and_lets_options_be_changed():
    import torch

    weights = [torch.nn.Parameter(torch.zeros(2))]
    assert torchatlas.create("momentum_sgd", weights, lr=0.5).defaults["momentum"] == 0.9
    assert torchatlas.create("momentum_sgd", weights, momentum=0.5).defaults["momentum"] == 0.5


def test_create_binds_a_plain_function_without_calling_it():
    import torch

    fill = torchatlas.create("init_uniform", a=2.0, b=3.0)
    weights = fill(torch.zeros(100))
    assert 2 <= weights.min() < 2.2 < 2.8 < weights.max() <= 3


def test_a_word_that_a_method_does_not_take_is_explained():
    with pytest.raises(UnknownOption, match=r"adam has no option 'beta'; did you mean betas\?.*weight_decay"):
        torchatlas.create("adam", [], beta=0.9)


@pytest.mark.parametrize("name", [3, None, ["mlp"], functools.partial])
def test_what_is_no_name_is_explained(name):
    for verb in (torchatlas.find, torchatlas.get, torchatlas.create):
        with pytest.raises(TypeError, match=r"found by its name, not by .*'mlp'"):
            verb(name)


def test_a_class_of_the_atlas_is_told_its_name():
    with pytest.raises(TypeError, match="say 'mlp'"):
        torchatlas.find(torchatlas.get("mlp"))


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_unknown(name):
    with pytest.raises(UnknownName, match="torchatlas list"):
        torchatlas.create(name)


def test_what_was_defined_inside_a_function_is_not_found():
    with pytest.raises(UnknownName, match="defined inside a function"):
        torchatlas.find("nets:make.<locals>.Net")
