import filecmp
import json
import re
import sys
import types

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from torchatlas.engine.record import read_record


def record_of(run):
    return [{k: v for k, v in line.items() if k != "clock"} for line in read_record(run / "record.jsonl")]


def recipe_of(run):
    return yaml.safe_load((run / "run.yaml").read_text())


def same_weights(a, b):
    files = [path.relative_to(a) for path in sorted((a / "checkpoints").rglob("*")) if path.is_file()]
    return bool(files) and filecmp.cmpfiles(a, b, files, shallow=False)[1:] == ([], [])


def test_a_run_is_a_folder(atlas, here):
    outcome = atlas("train", "mlp", "--data", "digits", "--steps", 4, "--seed", 3, "--out", "run")
    assert outcome.status == 0
    assert re.search(r"test: accuracy 0\.\d+", outcome.out) and "run: run" in outcome.out
    assert "step 4/4" in outcome.err and "done after 4 steps" in outcome.err
    names = {path.name for path in (here / "run").iterdir()}
    assert {
        "run.yaml",
        "record.jsonl",
        "environment.json",
        "checkpoints",
        "preparation",
        "result.json",
    } <= names
    assert [path.name for path in (here / "run" / "checkpoints").iterdir()] == ["00000004"]
    assert not list((here / "run").rglob("*.pkl")) and not list((here / "run").rglob("*.pt"))
    recipe = recipe_of(here / "run")
    assert recipe["method"] == "mlp" and recipe["steps"] == 4 and recipe["seed"] == 3
    assert recipe["versions"]["torch"] and recipe["threads"] and recipe["device"] != "auto"


def test_settings_reach_the_run(atlas, here):
    words = [
        "--set",
        "hidden=(32, 16)",
        "--set",
        "optimizer=sgd",
        "--set",
        "optimizer.momentum=0.9",
        "--set",
        "lr=0.05",
    ]
    more = [
        "--set",
        "activation=leaky_relu(negative_slope=0.2)",
        "--set",
        "schedule=lr_cosine",
        "--set",
        "batch_size=32",
    ]
    assert atlas("train", "mlp", "--epochs", 0.1, *words, *more, "--out", "run").status == 0
    recipe = recipe_of(here / "run")
    assert recipe["options"]["hidden"] == [32, 16] and recipe["optimizer"] == "sgd" and recipe["lr"] == 0.05
    assert recipe["optimizer_options"] == {"momentum": 0.9} and recipe["batch_size"] == 32
    result = json.loads((here / "run" / "result.json").read_text())
    assert result["parameters"] == 65 * 32 + 33 * 16 + 17 * 10 and result["steps"] == 4  # 0.1 of 39 steps, up


def test_without_out_runs_get_folders_of_their_own(atlas, here):
    for _ in range(2):
        assert atlas("train", "softmax_regression", "--data", "iris", "--steps", 1).status == 0
    assert len(list((here / "runs").iterdir())) == 2


def test_smoke_is_one_batch_of_everything(atlas, here):
    outcome = atlas("train", "mlp", "--smoke", "--out", "run")
    result = json.loads((here / "run" / "result.json").read_text())
    assert outcome.status == 0 and result["steps"] == 1 and set(result["parts"].values()) == {64}


def test_events_as_json(atlas):
    outcome = atlas("train", "mlp", "--steps", 25, "--json", "--out", "run")
    events = [json.loads(line) for line in outcome.out.splitlines()]
    kinds = [event["event"] for event in events]
    assert outcome.status == 0 and outcome.err == ""
    assert (
        kinds[0] == "start"
        and kinds[-2:] == ["end", "result"]
        and {"train", "valid", "checkpoint"} <= set(kinds)
    )
    assert events[0]["steps"] == 25 and events[-1]["folder"] == "run"
    assert 0 < events[-1]["scores"]["accuracy"] < 1
    assert [e["step"] for e in events if e["event"] == "train"] == [20, 25]


def test_the_same_recipe_gives_the_same_record(atlas, here, digits_run):
    assert atlas("train", digits_run / "run.yaml", "--out", "again").status == 0
    assert record_of(here / "again") == record_of(digits_run) != []
    assert same_weights(digits_run, here / "again")
    assert recipe_of(here / "again") == recipe_of(digits_run)


def test_a_recipe_with_another_seed(atlas, here, digits_run):
    assert atlas("train", digits_run / "run.yaml", "--seed", 1, "--out", "again").status == 0
    assert recipe_of(here / "again")["seed"] == 1 and record_of(here / "again") != record_of(digits_run)


def test_a_recipe_with_another_budget(atlas, here, digits_run):
    assert atlas("train", digits_run / "run.yaml", "--epochs", 0.25, "--out", "again").status == 0
    assert json.loads((here / "again" / "result.json").read_text())["steps"] == 5  # a quarter of 20


def test_a_recipe_with_another_option_of_the_method(atlas, here, digits_run):
    assert atlas("train", digits_run / "run.yaml", "--set", "hidden=8", "--out", "again").status == 0
    assert json.loads((here / "again" / "result.json").read_text())["parameters"] == 65 * 8 + 9 * 10


@pytest.mark.parametrize(("pair", "words"), [("lr=abc", "lr='abc'"), ("hiden=8", "did you mean hidden")])
def test_a_recipe_with_a_wrong_setting(atlas, here, digits_run, pair, words):
    outcome = atlas("train", digits_run / "run.yaml", "--set", pair, "--out", "again")
    assert outcome.status == 2 and words in outcome.err
    assert not (here / "again").exists()


def test_resuming_a_finished_run_changes_nothing(atlas, here):
    assert atlas("train", "mlp", "--steps", 3, "--out", "run").status == 0
    record, scores = record_of(here / "run"), json.loads((here / "run" / "result.json").read_text())["scores"]
    outcome = atlas("train", "--resume", "run")
    assert outcome.status == 0 and record_of(here / "run") == record
    assert json.loads((here / "run" / "result.json").read_text())["scores"] == scores


def test_resuming_with_more_steps_goes_on(atlas, here):
    words = ["--data", "iris", "--set", "log_every=1"]
    assert atlas("train", "mlp", *words, "--steps", 3, "--out", "short").status == 0
    assert atlas("train", "--resume", "short", "--steps", 6).status == 0
    assert atlas("train", "mlp", *words, "--steps", 6, "--out", "long").status == 0
    ours, theirs = (
        [
            {k: v for k, v in line.items() if k != "best"}
            for line in record_of(here / run)
            if line["kind"] == "train"
        ]
        for run in ("short", "long")
    )
    assert ours == theirs and len(ours) == 6


@pytest.mark.parametrize("words", [["--set", "lr=3"], ["--seed", 5], ["--data", "iris"], ["--out", "other"]])
def test_a_resumed_run_refuses_what_it_cannot_take(atlas, here, words):
    """Words that change nothing must not look as if they did."""
    assert atlas("train", "mlp", "--steps", 1, "--out", "run").status == 0
    outcome = atlas("train", "--resume", "run", *words)
    assert outcome.status == 2 and str(words[0]) in outcome.err


def test_a_folder_with_a_run_is_not_written_over(atlas, here, digits_run):
    before = (digits_run / "result.json").read_text()
    outcome = atlas("train", "mlp", "--steps", 1, "--out", digits_run)
    assert outcome.status == 1 and f"--resume {digits_run}" in outcome.err and "another --out" in outcome.err
    assert (digits_run / "result.json").read_text() == before


@pytest.mark.parametrize("pair", ["activation=rel", "optimizer=adm", "hidden=abc", "dropout=2"])
def test_a_run_that_never_began_leaves_its_folder_free(atlas, here, pair):
    """Correct the word, press up and enter: the same --out must do."""
    assert atlas("train", "mlp", "--steps", 1, "--set", pair, "--out", "run").status == 2
    outcome = atlas("train", "mlp", "--steps", 1, "--out", "run")
    assert outcome.status == 0, outcome.err


def test_what_is_not_finite_can_be_replayed(atlas, here):
    outcome = atlas("train", "mlp", "--set", "optimizer=sgd", "--set", "lr=1e9", "--out", "run")
    assert outcome.status == 1 and "not finite" in outcome.err and "smaller learning rate" in outcome.err
    command = re.search(r"torchatlas (train --replay \S+)", outcome.err)
    module = re.search(r"First at fault: (\S+) \(", outcome.err)
    again = atlas(*command[1].split())
    assert again.status == 0 and again.out.startswith(f"{module[1]}: ")


def test_a_learning_rate_of_a_billion_is_remarked_upon(atlas):
    """Adam's steps are as long as the rate, and stay finite: the run must still say that it went wrong."""
    outcome = atlas("train", "mlp", "--set", "lr=1e9", "--steps", 60, "--out", "run")
    assert "learning rate" in outcome.said


def test_a_folder_that_is_no_failure_is_not_replayed(atlas, digits_run):
    outcome = atlas("train", "--replay", digits_run / "failures" / "step-00000001")
    assert outcome.status == 1 and "no failure to replay" in outcome.err


def test_a_classical_model_trains_too(atlas, here):
    outcome = atlas("train", "decision_tree", "--data", "iris", "--out", "run")
    assert outcome.status == 0 and "test: accuracy" in outcome.out
    again = atlas("predict", "run", "--data", "iris", "--out", "-")
    assert again.status == 0 and again.out.startswith("prediction,")


def test_pictures_of_ones_own(atlas, here, pictures):
    outcome = atlas("train", "lenet5", "--data", f"folder:{pictures}", "--steps", 2, "--out", "run")
    assert outcome.status == 0 and "28" in outcome.out  # resized, and said so
    Image.new("L", (20, 9), 30).save(here / "new.png")
    said = atlas("predict", "run", "--data", "new.png", "--out", "-").out.splitlines()
    assert said[0] == "file,prediction,p_dark,p_light" and said[1].startswith("new.png,")
    assert len(said) == 2


OWN = """
from torch import nn

class Tiny(nn.Module):
    def __init__(self, in_features, num_classes, width=4):
        super().__init__()
        first, last = nn.Linear(in_features, width), nn.Linear(width, num_classes)
        self.net = nn.Sequential(nn.Flatten(), first, nn.Tanh(), last)

    def forward(self, x):
        return self.net(x)
"""


def test_a_network_of_ones_own_from_the_folder_it_lies_in(atlas, here):
    """Whether through `python -m torchatlas` or the script, which has no working folder on its path."""
    (here / "own_tiny_net.py").write_text(OWN)
    outcome = atlas(
        "train", "own_tiny_net:Tiny", "--data", "iris", "--set", "width=5", "--steps", 2, "--out", "run"
    )
    assert outcome.status == 0, outcome.err
    assert json.loads((here / "run" / "result.json").read_text())["parameters"] == 5 * 5 + 6 * 3
    assert atlas("predict", "run", "--data", "iris", "--out", "-").status == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mlp", "--data", "diabetes", "--set", "loss=cross_entropy"], "no loss for regression"),
        (["mlp", "--data", "iris", "--set", "loss=mse_loss"], "no loss for classification"),
        (["mlp", "--data", "iris", "--set", "activation=adam"], "adam is an optimizer, not an activation"),
        (["mlp", "--data", "iris", "--set", "optimizer=sgd(foo=1)"], "sgd has no option 'foo'"),
        (["mlp", "--data", "iris", "--epochs", "inf"], "epochs=inf: input should be a finite number"),
        (["svm", "--data", "iris", "--epochs", "5"], "fitted, not trained in steps, so epochs means nothing"),
        (["own_wrong_net:Narrow", "--data", "iris"], "Narrow gives (n, 7) for this data's 3 classes"),
        (["own_wrong_net:Broken", "--data", "iris"], "KeyError: 'width' (own_wrong_net.py, line 13)"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_written(atlas, here, words, message):
    (here / "own_wrong_net.py").write_text(WRONG)
    outcome = atlas("train", *words, "--out", "run")
    assert outcome.status == 2 and message in outcome.err, outcome.err
    assert not (here / "run").exists()


WRONG = """from torch import nn

class Narrow(nn.Module):
    def __init__(self, in_features, num_classes):
        super().__init__()
        self.net = nn.Linear(in_features, 7)

    def forward(self, x):
        return self.net(x)

class Broken(nn.Module):
    def __init__(self, num_classes):
        self.width = {}["width"]
"""


def test_a_cyclic_schedule_by_its_name_alone(atlas):
    words = ["--data", "iris", "--set", "schedule=lr_cyclic", "--steps", 6]
    assert atlas("train", "mlp", *words, "--out", "run").status == 0


def test_tensorboard_scalars(atlas, here):
    pytest.importorskip("tensorboard")
    assert atlas("train", "mlp", "--steps", 2, "--tensorboard", "--out", "run").status == 0
    assert list((here / "run" / "tensorboard").glob("events.*"))
    outcome = atlas("train", "mlp", "--steps", 2, "--tensorboard")
    assert outcome.status == 2 and "--out" in outcome.err


SMALL = ["--set", "depth=8", "--set", "input_size=(8, 8)", "--set", "threads=1"]


@pytest.fixture(scope="module")
def small_run(atlas, tmp_path_factory):
    """A small residual network of two steps on digits; not to be changed."""
    folder = tmp_path_factory.mktemp("small") / "run"
    assert atlas("train", "resnet20_cifar", *SMALL, "--steps", 2, "--out", folder).status == 0
    return folder


def test_from_an_earlier_run_with_frozen_parts(atlas, here, small_run):
    words = ["--from", small_run, "--freeze", "stem,stage1", "--set", "layer_decay=0.5", "--steps", 2]
    outcome = atlas("train", "resnet20_cifar", *SMALL, *words, "--out", "run")
    assert outcome.status == 0 and f"starts from the weights of {small_run}" in outcome.err
    recipe = recipe_of(here / "run")
    assert recipe["start"] == str(small_run) and recipe["freeze"] == "stem,stage1"
    assert recipe["layer_decay"] == 0.5 and len(recipe["started"]["sha256"]) == 64
    assert atlas("train", here / "run" / "run.yaml", "--out", "again").status == 0
    assert same_weights(here / "run", here / "again")
    settings = ["--set", f"start={small_run}", "--set", "freeze=stem,stage1", "--set", "layer_decay=0.5"]
    assert atlas("train", "resnet20_cifar", *SMALL, *settings, "--steps", 2, "--out", "third").status == 0
    assert same_weights(here / "run", here / "third")
    outcome = atlas("train", "--resume", "run", "--from", small_run)
    assert outcome.status == 2 and "--from cannot be said with --resume" in outcome.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "nowhere"], "there is no run in"),
        (["--from", "timm:resnet18"], "knows no names of timm's weights"),
        (["--from", "RUN", "--set", "depth=14"], "30 missing"),
        (["--from", "RUN", "--freeze", "layer1"], "take stem, stage1, stage2, stage3, neck, head"),
        (["--from", "RUN", "--set", "layer_decay=2"], "layer_decay=2"),
    ],
)
def test_a_wrong_start_is_told_in_a_line(atlas, here, small_run, monkeypatch, words, told):
    hub = types.ModuleType("huggingface_hub")
    save_file({"x": torch.zeros(1)}, here / "x.safetensors")
    hub.hf_hub_download = lambda *asked: str(here / "x.safetensors")
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    words = [small_run if word == "RUN" else word for word in words]
    outcome = atlas("train", "resnet20_cifar", *SMALL, *words, "--steps", 2, "--out", "run")
    assert outcome.status == 2 and told in outcome.err and outcome.err.count("\n") == 1
    assert not (here / "run").exists()
