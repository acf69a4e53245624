import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import torchatlas
from torchatlas.cards.signature import look_up


def names(where: str) -> list[str]:
    seen = look_up(where)
    assert seen
    return [p.name for p in seen.parameters]


@pytest.mark.parametrize(
    "where",
    [
        "torch.optim:Adam",
        "torch.optim.lr_scheduler:StepLR",
        "torch.nn:ReLU",
        "torch.nn:Dropout2d",
        "torch.nn:BatchNorm2d",
        "torch.nn.init:kaiming_uniform_",
        "torch.optim.swa_utils:SWALR",
        "sklearn.tree:DecisionTreeClassifier",
        "sklearn.svm:SVC",
        "sklearn.ensemble:HistGradientBoostingRegressor",
        "torchatlas.cards.card:borrowed",
    ],
)
def test_it_says_what_python_says(where):
    module, _, name = where.partition(":")
    thing = getattr(__import__(module, fromlist=[name]), name)
    seen, truth = look_up(where), inspect.signature(thing)
    assert seen
    said = {p.name: p for p in seen.parameters if p.name not in {"*", "/"}}
    assert [n.lstrip("*") for n in said] == list(truth.parameters)
    for name, parameter in truth.parameters.items():
        if parameter.default is parameter.empty:
            assert not said[name].default
        else:
            assert ast.literal_eval(said[name].default) == parameter.default
    assert seen.doc == inspect.getdoc(thing) or (not seen.doc and module.startswith("torch."))


def test_a_class_without_a_constructor_takes_nothing():
    assert names("torch.nn:Sigmoid") == []


def test_keyword_only_words_follow_a_star():
    words = names("torch.optim:SGD")
    assert words.index("*") == words.index("nesterov") + 1


@pytest.mark.parametrize(
    "where", ["torch.nn:NoSuchThing", "no_such_package:Thing", "torch.optim.nowhere:Adam", "a:B.c"]
)
def test_what_is_not_there_gives_none(where):
    assert look_up(where) is None


def test_imports_bases_and_texts_at_the_line_start_are_followed(tmp_path, monkeypatch):
    package = tmp_path / "sigpkg"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("from .inner import (\n    Hidden as Shown,  # renamed\n)\n")
    (package / "inner" / "__init__.py").write_text("from .page import Hidden\nfrom . import Loop\n")
    (package / "inner" / "page.py").write_text(
        "from ..base import Base\n\n\nclass Hidden(Base[int]):\n"
        '    """Hidden: a title.\n\nclass Fake:\n    """\n\n    def go(self, wrong):\n        pass\n'
    )
    (package / "base.py").write_text(
        "class Base:\n    def __init__(self, x, /, y: int = 2, *rest, z='a', **more): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    seen = look_up("sigpkg:Shown")
    assert seen
    assert str(seen) == "(x, /, y: int = 2, *rest, z='a', **more)"
    assert seen.doc.startswith("Hidden: a title.")
    assert look_up("sigpkg.inner:Loop") is None  # an import that leads back to itself


def test_nothing_is_imported():
    code = (
        "import sys; from torchatlas.cards.signature import look_up\n"
        "assert look_up('torch.nn:GELU') and look_up('sklearn.svm:SVC')\n"
        "assert not {'torch', 'numpy', 'sklearn'} & set(sys.modules)"
    )
    source = str(Path(torchatlas.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": source})


@pytest.mark.parametrize("where", ["os:path", "math:sin", "sys:path"])
def test_what_has_no_source_file_has_no_signature(where):
    assert look_up(where) is None
