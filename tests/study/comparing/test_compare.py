import numpy as np
import pandas as pd
import pytest
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.study.comparing.compare import compare, make_entries
from torchatlas.study.verdict.statistics import BOOTSTRAP, RESAMPLED

QUICK = {"seeds": 2, "jobs": 1, "show": "none", "steps": 3, "threads": 1}


def table(rows=120):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    frame["kind"] = np.where(frame.a > 0, "up", "down")
    frame["day"] = pd.date_range("2021-01-01", periods=rows)
    return frame


class Own(nn.Module):
    def __init__(self, in_features: int, num_classes: int, width: int = 4):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(in_features, width), nn.ReLU(), nn.Linear(width, num_classes))

    def forward(self, x):
        return self.net(x)


def test_an_own_network_and_a_frame(tmp_path):
    found = compare([Own, "mlp"], table(), target="kind", drop="day", width=6, out=tmp_path / "s", **QUICK)
    assert list(found.table.index.sort_values()) == [
        "Own",
        "majority (baseline)",
        "mlp",
        "random_forest (baseline)",
    ]
    own = next(m for m in found.study.methods if m.label == "Own")
    assert own.parameters == 3 * 6 + 6 + 6 * 2 + 2 and own.macs == 3 * 6 + 6 * 2  # width went to Own alone
    assert found.verdict.test == RESAMPLED and found.report.exists()
    assert {"results.csv", "results.json", "study.yaml"} <= {path.name for path in (tmp_path / "s").iterdir()}


def test_a_split_by_time_is_no_redrawn_split(tmp_path):
    found = compare(
        ["mlp", "softmax_regression"], table(), target="kind", time="day", out=tmp_path / "s", **QUICK
    )
    assert found.verdict.test == BOOTSTRAP
    assert found.study.split == "the same test part for each seed"


def test_generative_methods_have_no_baselines(tmp_path):
    found = compare("vae", "digits", vary={"code": [2, 4]}, out=tmp_path / "s", **QUICK)
    assert [m.label for m in found.study.methods] == ["code=2", "code=4"] and not found.study.baselines
    assert found.study.metric == "loss" and len(found.study.methods[0].runs[0].samples) == 16


def test_what_has_no_score_is_not_called_a_failure(tmp_path):
    found = compare(["gan_minimax", "gan_nonsaturating"], "digits", out=tmp_path / "s", **QUICK)
    assert "no score" in found.sentence and [m.failed for m in found.verdict.methods] == [0, 0]


def test_settings_go_to_the_methods_that_have_them():
    entries = make_entries(["mlp", "lenet5"], {"activation": ["relu", "tanh"]}, {"hidden": 8, "lr": 0.1})
    assert [e.label for e in entries] == [
        f"{name} activation={act}" for name in ("mlp", "lenet5") for act in ("relu", "tanh")
    ]
    assert entries[0].settings == {"hidden": 8, "lr": 0.1, "activation": "relu"}
    assert "hidden" not in entries[2].settings and entries[2].settings["lr"] == 0.1
    with pytest.raises(UsageError, match="hiden"):
        make_entries(["mlp"], {}, {"hiden": 8})


@pytest.mark.parametrize("seeds", [0, [], [0, 0]])
def test_seeds_must_be_some_and_each_once(tmp_path, seeds):
    with pytest.raises(UsageError, match="each once"):
        compare("mlp", "iris", out=tmp_path / "s", **(QUICK | {"seeds": seeds}))
    assert not (tmp_path / "s").exists()


def test_a_file_that_changed_is_read_again(tmp_path):
    frame, path = table().drop(columns="day"), tmp_path / "table.csv"
    accuracy = []
    for name in ("first", "second"):
        frame.to_csv(path, index=False)
        words = {"target": "kind", "out": tmp_path / name, **(QUICK | {"steps": 200})}
        found = compare("softmax_regression", f"csv:{path}", **words)
        accuracy.append(found.study.methods[0].runs[0].scores["accuracy"])
        frame["kind"] = np.random.default_rng(0).permutation(frame["kind"])
    assert accuracy[0] > 0.9 > accuracy[1]
