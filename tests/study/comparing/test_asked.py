import pytest
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.study.comparing.asked import asked_methods, asked_seeds, asked_values, check_words
from torchatlas.study.comparing.compare import compare

QUICK = {"seeds": 1, "jobs": 1, "show": "none", "steps": 1, "threads": 1}


@pytest.mark.parametrize("methods", [[], (), None, 3, ["mlp", 3]])
def test_what_no_method_can_be_is_told_in_words(methods):
    with pytest.raises(UsageError, match=r"nothing to compare|is no method"):
        asked_methods(methods)


def test_one_method_alone_and_a_network_that_is_made_already():
    assert asked_methods("mlp") == ["mlp"] and asked_methods(nn.Linear) == [nn.Linear]
    with pytest.raises(UsageError, match=r"give its class"):
        asked_methods([nn.Linear(2, 2)])


@pytest.mark.parametrize("seeds", [-1, True, 1.5, "x", ["x"], [0.5], [-1], None])
def test_what_no_seed_can_be(seeds):
    with pytest.raises(UsageError, match=r"seeds="):
        asked_seeds(seeds)
    assert asked_seeds(2) == [0, 1] and asked_seeds((7, 3)) == [7, 3]


@pytest.mark.parametrize(
    "vary", ["lr=1", {"lr": 0.1}, {"activation": "relu"}, {"lr": []}, {"test": [0.1, 0.2]}]
)
def test_what_cannot_be_varied(vary):
    with pytest.raises(UsageError, match=r"vary|varied"):
        asked_values(vary)
    assert asked_values(None) == {} and asked_values({"lr": (1, 2)}) == {"lr": [1, 2]}


@pytest.mark.parametrize("words", [{"seed": 3}, {"jobs": 0}, {"jobs": "x"}, {"show": "table"}])
def test_words_that_mean_nothing_to_a_comparison(words):
    given = {"jobs": None, "show": "auto"} | words
    with pytest.raises(UsageError, match=next(iter(words))):
        check_words({k: v for k, v in words.items() if k == "seed"}, {}, given["jobs"], given["show"])
    with pytest.raises(UsageError, match=r"seeds"):
        check_words({}, {"seed": [1, 2]}, None, "none")


@pytest.mark.parametrize(
    ("words", "told"),
    [({"metric": "accurazy"}, "accurazy.*did you mean accuracy.*log_loss"), ({"device": "foo"}, "'foo'")],
)
def test_a_wrong_metric_or_device_fails_before_the_first_run(tmp_path, words, told):
    with pytest.raises(UsageError, match=told):
        compare("mlp", "iris", out=tmp_path / "s", **QUICK, **words)
    assert not (tmp_path / "s").exists()
