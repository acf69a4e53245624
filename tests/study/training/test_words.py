import numpy as np
import pytest
from torch import nn

from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.study.training.build import build
from torchatlas.study.training.resolve import resolve
from torchatlas.study.training.words import (
    choice,
    parse_settings,
    parse_value,
    parse_varied,
    part,
    split_values,
    written,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1e-3", 0.001),
        ("(64, 32)", (64, 32)),
        ("true", True),
        ("None", None),
        ("relu", "relu"),
        ("sgd(lr=0.1)", "sgd(lr=0.1)"),
        ("'1'", "1"),
        ("a/b c.csv", "a/b c.csv"),
    ],
)
def test_values(text, value):
    assert parse_value(text) == value and type(parse_value(text)) is type(value)


def test_settings_and_what_is_varied():
    assert parse_settings(["lr=0.1", "path=a=b"]) == {"lr": 0.1, "path": "a=b"}
    assert parse_varied(["hidden=(8,),(8, 8)", "act=relu,elu(alpha=2, inplace=False)"]) == {
        "hidden": [(8,), (8, 8)],
        "act": ["relu", "elu(alpha=2, inplace=False)"],
    }
    assert split_values("a,b(c=[1,2]),{3,4}") == ["a", "b(c=[1,2])", "{3,4}"]
    for wrong in ("lr", "=1", "lr="):
        with pytest.raises(UsageError, match="--set wants KEY=VALUE"):
            parse_settings([wrong])


def test_a_name_with_options():
    assert choice("sgd(lr=0.1, nesterov=True)") == ("sgd", {"lr": 0.1, "nesterov": True})
    assert choice("my.nets:Thing") == ("my.nets:Thing", {})
    made = part("leaky_relu(negative_slope=0.2)")()
    assert isinstance(made, nn.LeakyReLU) and made.negative_slope == 0.2
    with pytest.raises(UsageError, match="write it as"):
        choice("sgd(0.1")


def test_an_option_is_written_by_its_name():
    assert written("act", nn.ReLU) == "torch.nn.modules.activation:ReLU"
    assert written("hidden", (np.int64(3), 4)) == (3, 4) and written("rate", np.float32(0.5)) == 0.5
    for nameless in (lambda: None, nn.ReLU()):
        with pytest.raises(UsageError, match="cannot be written"):
            written("act", nameless)
    learner = build(resolve("mlp", "iris", {"activation": nn.Tanh}), Spec("table", (4,), "classification", 3))
    assert any(isinstance(module, nn.Tanh) for module in learner.modules())
