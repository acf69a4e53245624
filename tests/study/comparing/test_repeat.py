import shlex

import pytest

from torchatlas.study.comparing.entries import make_entries
from torchatlas.study.comparing.repeat import command_of
from torchatlas.study.training.words import parse_settings, parse_varied


def question(methods, vary=None, settings=None, **more):
    entries = make_entries(methods, vary or {}, settings or {})
    asked = {e.label: {"method": e.method, "settings": dict(e.settings)} for e in entries}
    return {"data": "digits", "data_options": {}, "seeds": [0, 1], "methods": asked} | more


CASES = {
    "plain": (["mlp", "lenet5"], {}, {}),
    "one method has it": (["mlp", "softmax_regression"], {}, {"hidden": [64, 32], "lr": 0.01}),
    "varied": (["mlp"], {"activation": ["tanh", "leaky_relu(negative_slope=0.2)"]}, {"steps": 3}),
    "values of all kinds": (["mlp"], {"hidden": [[3, 4], 5]}, {"schedule": None, "metric": "log_loss"}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_command_asks_the_same(case):
    asked = question(*CASES[case])
    words = shlex.split(command_of(asked)[0])
    flags = {flag: [words[i + 1] for i, w in enumerate(words) if w == flag] for flag in ("--set", "--vary")}
    again = make_entries(CASES[case][0], parse_varied(flags["--vary"]), parse_settings(flags["--set"]))
    assert [(e.method, e.settings) for e in again] == [
        (m["method"], m["settings"]) for m in asked["methods"].values()
    ]
    assert words[: 2 + len(CASES[case][0])] == ["torchatlas", "compare", *CASES[case][0]]
    assert words[words.index("--seeds") + 1] == "2"


def test_the_data_is_said_as_the_command_line_takes_it():
    options = {"target": ["a", "b"], "drop": ["c d"]}
    words = shlex.split(command_of(question(["mlp"], data="csv:/my data/t.csv", data_options=options))[0])
    assert words[words.index("--data") + 1] == "csv:/my data/t.csv"
    assert words.count("--target") == 2 and words[-2:] == ["--set", "drop=['c d']"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"data_given": "object"}, "object"),
        ({"seeds": [3, 4]}, r"\[3, 4\]"),
        ({"methods": {"Net": {"method": "__main__:Net", "settings": {}}}}, "Net lived"),
        ({"methods": {"Net": {"method": "m:f.<locals>.Net", "settings": {}}}}, "Net lived"),
    ],
)
def test_what_no_command_can_say_is_told(more, why):
    import re

    command, told = command_of(question(["mlp"]) | more)
    assert not command and re.search(why, told)


def test_entries_whose_settings_are_no_product_have_no_command():
    asked = question(["mlp"], {"lr": [0.1, 0.2]}, {"hidden": 8})
    asked["methods"]["lr=0.1"]["settings"]["hidden"] = 9
    assert command_of(asked) == ("", "its settings cannot be written as words")
