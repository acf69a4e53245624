"""Damage to a run's own files, by the hundred: told in a line that names the file, or nothing is changed."""

import json
import random
import shutil
import warnings

import numpy as np
import pytest
import torch

from torchatlas.engine.errors import AtlasError
from torchatlas.study.training.recipe import read_recipe
from torchatlas.study.training.run import load
from torchatlas.study.training.train import resume, train

FILES = (
    "run.yaml",
    "record.jsonl",
    "result.json",
    "test.safetensors",
    "environment.json",
    "preparation/preparation.json",
    "preparation/transformers.skops",
)
WRONG = (b"", b"null", b"[]", b"5", b'"x"', b"{}", b'{"format": "1"}', b'{"a": {"b": [1]}}', b"\xff" * 9)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    train("mlp", "iris", out=folder, steps=4, log_every=2, hidden=4, threads=1)
    return folder


def damages(name, content):
    draw = random.Random(name)
    yield from ((f"is {text!r}", text) for text in WRONG)
    for place in sorted(draw.sample(range(len(content) - 1), 25)):
        byte = bytes([content[place] ^ 1 << draw.randrange(8)])
        yield f"a bit of byte {place}", content[:place] + byte + content[place + 1 :]
    for place in draw.sample(range(len(content) - 1), 4):
        yield f"cut at {place}", content[:place]
        yield f"{place} bytes of noise", draw.randbytes(place)


def without_clock(things):
    return {key: value for key, value in things.items() if key != "clock"}


def told_by(run):
    """All that a loaded run can tell, clock aside."""
    arrays = {f"test {name}": values for name, values in run.test.items()}
    weights = {name: tensor.numpy() for name, tensor in run.model.state_dict().items()}
    plain = run.recipe.model_dump(), without_clock(run.result), [without_clock(x) for x in run.history]
    return plain, arrays | weights | {"answers": run.predict("iris").to_numpy()}


def same(a, b):
    arrays = a[1].keys() == b[1].keys() and all(np.array_equal(a[1][name], b[1][name]) for name in a[1])
    return a[0] == b[0] and arrays


def outcome(folder, ask):
    """What asking came to (None where it was refused), and what was said."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            found = told_by(ask(folder))
        except AtlasError as error:
            return None, [str(error)]
    return found, [str(one.message) for one in told]


@pytest.mark.parametrize("name", FILES)
def test_load_tells_every_damage(whole, tmp_path, name):
    path, wanted, told = tmp_path / "run" / name, told_by(load(whole)), 0
    shutil.copytree(whole, tmp_path / "run")
    for what, content in damages(name, path.read_bytes()):
        path.write_bytes(content)
        found, said = outcome(tmp_path / "run", load)
        told += bool(said)
        if said:
            assert all(path.name in line and "\n" not in line for line in said), (what, said)
        else:
            assert same(found, wanted), what
    if name == "environment.json":  # it is read by people alone
        assert told == 0
    else:
        assert told > 35


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("run.yaml", "record.jsonl")])
def test_resume_writes_anew_what_it_can(whole, tmp_path, name):
    path, wanted = tmp_path / "run" / name, told_by(load(whole))
    shutil.copytree(whole, tmp_path / "run")
    for content in (None, b"", b"\xff\x00", path.read_bytes()[:-5]):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        resume(tmp_path / "run")
        assert same(told_by(load(tmp_path / "run")), wanted)


def test_a_recipe_that_was_changed_is_refused_by_its_run_and_taken_by_a_new_one(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    path = tmp_path / "run" / "run.yaml"
    path.write_text(path.read_text().replace("seed: 0", "seed: 1"))
    for ask in (load, resume):
        with pytest.raises(
            AtlasError, match=r"run.yaml is not as it was written.*torchatlas train .*run.yaml"
        ):
            ask(tmp_path / "run")
    assert train(str(path), out=tmp_path / "new").recipe.seed == 1
    path.write_text(
        "\n".join((whole / "run.yaml").read_text().splitlines()[1:])
    )  # from before there were sums
    assert same(told_by(load(tmp_path / "run")), told_by(load(whole)))


def test_a_record_that_was_cut_between_lines_is_told(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    path = tmp_path / "run" / "record.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    with pytest.warns(UserWarning, match=rf"record.jsonl has lost 1 of its {len(lines)} lines.*--resume"):
        assert len(load(tmp_path / "run").history) == len(lines) - 1


def test_a_run_from_before_there_were_sums_is_read(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    for name in ("result.json", "preparation/preparation.json"):
        path = tmp_path / "run" / name
        things = json.loads(path.read_text())
        assert len(things.pop("sha256")) == 64
        path.write_text(json.dumps(things))
    assert same(told_by(load(tmp_path / "run")), told_by(load(whole)))


def test_where_every_checkpoint_is_damaged_training_begins_anew_and_says_so(tmp_path):
    told = []
    run = train("mlp", "iris", out=tmp_path / "run", steps=4, save_every_steps=2, hidden=4, threads=1)
    wanted = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    for path in (tmp_path / "run" / "checkpoints").rglob("state.json"):
        path.write_bytes(b"{}")
    with pytest.raises(AtlasError, match=r"no sound checkpoint .*state.json is damaged.*train it again"):
        load(tmp_path / "run")
    again = resume(tmp_path / "run", listeners=[lambda event: told.append((event.kind, event.values))])
    notes = [values["message"] for kind, values in told if kind == "note"]
    assert len(notes) == 2 and "going back" in notes[0] and notes[1].endswith("so training begins anew")
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in again.model.state_dict().items())
    assert len(list((tmp_path / "run" / "checkpoints").glob("damaged-*"))) == 2


def test_what_is_no_recipe_is_told_in_a_line(tmp_path):
    for content in (b"\xff\xfe", b"a: b: c", b"- 1", b"", b"method: 3\n  x"):
        (tmp_path / "run.yaml").write_bytes(content)
        with pytest.raises(AtlasError) as caught:
            read_recipe(tmp_path / "run.yaml")
        assert "run.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_sound_state_of_another_model_is_told(tmp_path, whole):
    train("mlp", "iris", out=tmp_path / "other", steps=2, hidden=7, threads=1)
    shutil.copytree(whole, tmp_path / "mixed")
    shutil.rmtree(tmp_path / "mixed" / "checkpoints")
    shutil.copytree(tmp_path / "other" / "checkpoints", tmp_path / "mixed" / "checkpoints")
    for ask in (load, resume):
        with pytest.raises(AtlasError, match=r"sound but not of this run .*size mismatch"):
            ask(tmp_path / "mixed")
