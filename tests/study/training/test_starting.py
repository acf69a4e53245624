import filecmp
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from torchatlas.cards.reader import find
from torchatlas.data.spec import Dataset
from torchatlas.engine.errors import AtlasError, UsageError
from torchatlas.engine.record import read_record
from torchatlas.study.training.inputs import prepare
from torchatlas.study.training.loops import make_loop
from torchatlas.study.training.resolve import resolve
from torchatlas.study.training.run import best_weights, load
from torchatlas.study.training.starting import located, read_start
from torchatlas.study.training.train import resume, train

SMALL = {"depth": 8, "input_size": (8, 8)}
NET = {"method": "resnet20_cifar", **SMALL}
QUICK = {"steps": 6, "batch_size": 16, "threads": 1, "numerics": "exact", "schedule": None}


def pictures(names=("cat", "dog", "owl"), seed=0, count=120):
    draw = np.random.default_rng(seed)
    y = draw.integers(0, len(names), count)
    x = (draw.integers(0, 90, (count, 8, 8, 1)) + 50 * y[:, None, None, None]).astype(np.uint8)
    return Dataset("pictures", "image", x, y, "classification", classes=tuple(names))


def network(folder):
    state = best_weights(Path(folder)).items()
    return {name.removeprefix("network."): t for name, t in state if name.startswith("network.")}


def trained(out, data=None, **settings):
    words = NET | QUICK | settings
    return train(words.pop("method"), data or pictures(), out=out, **words)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run to start from; not to be changed."""
    folder = tmp_path_factory.mktemp("source") / "run"
    trained(folder, ema=0.5)
    return folder


def loop_of(data, **settings):
    words = NET | QUICK | settings
    recipe, card = resolve(words.pop("method"), "pictures", words), find("resnet20_cifar")
    start = read_start(recipe)
    return make_loop(recipe, prepare(recipe, card, data), card, None, start=start)


def test_at_step_0_the_weights_are_those_of_the_run(source):
    loop, wanted = loop_of(pictures(), start=source, ema=0.9), network(source)
    for state in (loop.learner.state_dict(), loop.average.state_dict()):
        assert all(torch.equal(state[f"network.{name}"], t) for name, t in wanted.items())


def test_other_classes_have_a_fresh_head(source):
    wanted = network(source)
    for names in (("cat", "dog"), ("cat", "dog", "pig")):  # another number of classes; as many, but others
        fresh, loop = (
            each.learner.network.state_dict()
            for each in (loop_of(pictures(names)), loop_of(pictures(names), start=str(source)))
        )
        assert all(torch.equal(loop[name], fresh[name]) for name in ("head.weight", "head.bias"))
        assert all(torch.equal(loop[name], t) for name, t in wanted.items() if not name.startswith("head"))


def test_what_a_run_says_of_its_start(source, tmp_path):
    told = []
    run = trained(
        tmp_path / "run",
        pictures(("cat", "dog")),
        start=str(source),
        listeners=[lambda event: told.append(event.values.get("message"))],
    )
    words = f"starts from the weights of {source}; fresh, for other classes: head.bias, head.weight"
    assert words in told and read_record(tmp_path / "run" / "record.jsonl")[0]["message"] == words
    recipe = yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())
    assert recipe["start"] == str(source) and len(recipe["started"]["sha256"]) == 64
    note = f"it started from the weights of {source} (resnet20_cifar on pictures, seed 0)"
    assert note in run.result["notes"] and load(tmp_path / "run").scores == run.scores


def test_rows_of_this_test_part_may_have_been_seen(source, tmp_path):
    for seed, seen in ((0, False), (1, True)):
        notes = trained(tmp_path / str(seed), seed=seed, start=source, steps=1).result["notes"]
        assert any("another split" in note for note in notes) is seen


def test_frozen_parts_are_the_same_bit_for_bit(source, tmp_path):
    words = {"optimizer.weight_decay": 0.1, "ema": 0.5, "penalty": "l2_regularization", "validate_every": 2}
    trained(tmp_path / "run", start=source, freeze="stem,stage1-stage2", lr=0.1, **words)
    before, after = network(source), network(tmp_path / "run")
    kept = ("stem.", "stages.0.", "stages.1.")
    moved = {name for name, t in before.items() if not torch.equal(after[name], t)}
    assert any("running_mean" in name for name in before if name.startswith(kept))
    assert not any(name.startswith(kept) for name in moved)
    assert {"stages.2.0.body.0.weight", "stages.2.0.body.1.running_mean", "head.weight"} <= moved


def without_clock(folder):
    result = json.loads((folder / "result.json").read_text())
    lines = read_record(folder / "record.jsonl")
    return [{k: v for k, v in each.items() if k not in ("clock", "sha256")} for each in (result, *lines)]


class Stop(Exception):
    pass


def stopping(event):
    if event.kind == "train" and event.step == 5:
        raise Stop


def test_a_resumed_run_needs_its_source_no_more(source, tmp_path):
    there = tmp_path / "source"
    shutil.copytree(source, there)
    words = {"start": there, "freeze": "stem-stage1", "layer_decay": 0.7, "ema": 0.8, "steps": 8}
    words |= {"save_every_steps": 2, "log_every": 1, "optimizer.momentum": 0.9, "schedule": "lr_cosine"}
    trained(tmp_path / "whole", **words)
    with pytest.raises(Stop):
        trained(tmp_path / "cut", listeners=[stopping], **words)
    shutil.rmtree(there)
    resume(tmp_path / "cut", pictures())
    names = [f"checkpoints/00000008/{name}" for name in ("state.safetensors", "state.json")]
    assert filecmp.cmpfiles(tmp_path / "whole", tmp_path / "cut", names, shallow=False) == (names, [], [])
    assert without_clock(tmp_path / "whole") == without_clock(tmp_path / "cut")


def test_without_a_checkpoint_the_source_is_needed_again(source, tmp_path):
    there = tmp_path / "source"
    shutil.copytree(source, there)
    with pytest.raises(Stop):
        trained(tmp_path / "run", start=there, log_every=1, save_every=None, listeners=[stopping])
    shutil.move(there, tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"there is no run in .*source to start from"):
        resume(tmp_path / "run", pictures())
    shutil.move(tmp_path / "elsewhere", there)
    resume(tmp_path / "run", pictures())
    trained(tmp_path / "whole", start=there, log_every=1)
    assert without_clock(tmp_path / "whole") == without_clock(tmp_path / "run")


def test_a_recipe_is_not_run_again_with_other_weights(tmp_path):
    there, recipe = tmp_path / "weights.safetensors", str(tmp_path / "a" / "run.yaml")
    learner = loop_of(pictures()).learner
    save_file(learner.network.state_dict(), there)
    words = {key: value for key, value in (NET | QUICK).items() if key != "method"} | {"steps": 1}
    first = train(NET["method"], "digits", out=tmp_path / "a", start=there, **words)
    assert train(recipe, out=tmp_path / "b").scores == first.scores
    torch.nn.init.zeros_(learner.network.stem[0].weight)
    save_file(learner.network.state_dict(), there)
    with pytest.raises(
        AtlasError, match=r"holds other weights than this recipe was begun with .* say --from"
    ):
        train(recipe, out=tmp_path / "c")
    assert not (tmp_path / "c").exists()
    again = train(recipe, out=tmp_path / "c", start=str(there))
    assert again.recipe.started["sha256"] != first.recipe.started["sha256"]
    assert train(recipe, out=tmp_path / "d", start=None).recipe.started is None


def test_a_file_without_classes_of_ours(tmp_path):
    theirs = loop_of(pictures(tuple("abcde"))).learner.network.state_dict()
    there = tmp_path / "weights.safetensors"
    save_file(theirs, there)
    ours = loop_of(pictures(), start=there).learner.network.state_dict()
    assert ours["head.weight"].shape == (3, 64)
    assert all(torch.equal(ours[name], t) for name, t in theirs.items() if not name.startswith("head"))
    del theirs["head.weight"], theirs["head.bias"]
    save_file(theirs, there)
    loop_of(pictures(), start=there)
    del theirs["stem.0.weight"]
    save_file(theirs, there)
    with pytest.raises(UsageError, match=r"1 missing \(stem.0.weight\).*--set input_size"):
        loop_of(pictures(), start=there)


@pytest.mark.parametrize(
    ("method", "words", "told"),
    [
        (
            "resnet20_cifar",
            SMALL | {"start": "nowhere"},
            "no run in .*nowhere to start from: name the folder",
        ),
        ("resnet20_cifar", SMALL | {"start": "nowhere.safetensors"}, r"no file .*nowhere\.safetensors"),
        (
            "resnet20_cifar",
            SMALL | {"depth": 14},
            r"30 missing .*is a run of .*depth=8, .* for 1×8×8.*depth=14",
        ),
        ("resnet20_cifar", SMALL | {"freeze": "stem,layer1"}, "no part 'layer1'; take stem, stage1"),
        ("mlp", {}, "does not fit mlp: .*say the same method"),
        ("vae", {}, "does not fit vae: .* for 1×8×8"),
        ("random_forest", {}, "so start means nothing here"),
    ],
)
def test_what_does_not_fit_is_told_in_a_line(source, tmp_path, method, words, told):
    quick = {} if method == "random_forest" else QUICK
    with pytest.raises(UsageError, match=told) as error:
        train(method, pictures(), out=tmp_path / "run", **{"start": source} | quick | words)
    assert not (tmp_path / "run").exists() and "\n" not in str(error.value)


def test_runs_that_have_no_weights_here(source, tmp_path):
    train("random_forest", "iris", out=tmp_path / "forest")
    with pytest.raises(UsageError, match="is a run of random_forest, which has no weights"):
        loop_of(pictures(), start=tmp_path / "forest")
    train("vae", pictures(), out=tmp_path / "vae", steps=1, threads=1)
    with pytest.raises(UsageError, match="is a run of vae, which holds no network such as resnet20_cifar"):
        loop_of(pictures(), start=tmp_path / "vae")
    save_file({"weight": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(UsageError, match="vae is no network: it starts from the folder of a run of its own"):
        train("vae", pictures(), out=tmp_path / "run", steps=1, start=tmp_path / "x.safetensors")


def test_a_damaged_run(source, tmp_path):
    there = tmp_path / "source"
    shutil.copytree(source, there)
    (path,) = there.glob("checkpoints/*/state.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(AtlasError, match=r"no sound checkpoint .*train it again"):
        trained(tmp_path / "run", start=there)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", ["vae", "autoencoder", "mlp"])
def test_other_learners_start_from_a_run_of_theirs(tmp_path, method):
    first = train(method, pictures(), out=tmp_path / "a", steps=2, threads=1, lr=0.01)
    second = train(method, pictures(), out=tmp_path / "b", steps=1, threads=1, lr=1e-30, start=tmp_path / "a")
    for name, tensor in first.model.state_dict().items():
        torch.testing.assert_close(second.model.state_dict()[name], tensor, atol=1e-20, rtol=0)


def test_a_source_has_an_absolute_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert located("run:runs/a") == located(Path("runs/a")) == str(tmp_path / "runs" / "a")
    assert located("timm:resnet18.a1_in1k") == "timm:resnet18.a1_in1k"
    assert located("timm:") == str(tmp_path / "timm:")
