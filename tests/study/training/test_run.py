import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_iris
from torch import nn

from torchatlas.data.preprocessing import ImageEncoder
from torchatlas.engine.errors import DataError, UsageError
from torchatlas.engine.learner import Learner
from torchatlas.study.training.run import load
from torchatlas.study.training.train import resume, train

QUICK = {"steps": 4, "threads": 1}


@pytest.fixture(scope="module")
def iris_run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    train("mlp", "iris", out=folder, save_every_steps=2, **QUICK)
    return folder


def test_rows_that_it_learned_from_are_scored_too():
    run = train("mlp", "iris", valid=0, **QUICK)
    iris, kept = load_iris(), np.setdiff1d(np.arange(150), run.test["rows"])
    found = run.predict("iris")["prediction"].to_numpy()[kept]
    right = found == iris.target_names[iris.target[kept]]
    assert 0 < right.mean() < 1
    assert run.result["train_scores"]["accuracy"] == pytest.approx(right.mean())
    assert run.result["train_scores"].keys() == run.scores.keys()


@pytest.fixture
def copied(iris_run, tmp_path) -> Path:
    for path in iris_run.rglob("*"):
        if path.is_file():
            target = tmp_path / "run" / path.relative_to(iris_run)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path / "run"


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_newest_checkpoint_is_told_of(copied):
    spoil(copied / "checkpoints" / "00000004" / "state.safetensors")
    with pytest.warns(UserWarning, match=r"00000004.*damaged.*going back to the checkpoint before it"):
        run = load(copied)
    assert len(run.predict("iris")) == 150
    assert sorted(path.name for path in (copied / "checkpoints").iterdir()) == ["00000002", "00000004"]


@pytest.mark.parametrize("fault", ["spoilt", "cut", "gone"])
def test_damaged_test_predictions_are_told_of_and_dropped(copied, fault):
    path = copied / "test.safetensors"
    whole = path.read_bytes()
    if fault == "gone":
        path.unlink()
    else:
        spoil(path) if fault == "spoilt" else path.write_bytes(whole[:9])
    with pytest.warns(UserWarning, match=r"test.safetensors is (damaged|missing).*left out.*--resume"):
        run = load(copied)
    assert run.test == {} and run.scores["accuracy"] > 0
    assert resume(copied).test and path.read_bytes() == whole and load(copied).test


def test_predictions_without_a_sum_are_read_where_they_can_be(copied):
    result = json.loads((copied / "result.json").read_text())
    assert re.fullmatch("[0-9a-f]{64}", result.pop("test_sha256"))
    del result["sha256"]  # of the result itself
    (copied / "result.json").write_text(json.dumps(result))
    assert load(copied).test
    (copied / "test.safetensors").write_bytes(b"nonsense")
    with pytest.warns(UserWarning, match="damaged"):
        assert load(copied).test == {}


def test_a_damaged_result_is_told_of(copied):
    (copied / "result.json").write_text('{"scores": ')
    with pytest.warns(UserWarning, match=r"result.json is damaged"):
        run = load(copied)
    assert run.scores == {} and len(run.predict("iris")) == 150


def test_what_makes_data_predicts_nothing(tmp_path):
    for method in ("vae", "gan_nonsaturating"):
        run = train(method, "digits", out=tmp_path / method, **QUICK)
        with pytest.raises(
            UsageError, match=f"{method} makes data and predicts nothing: use torchatlas sample"
        ):
            run.predict("digits")
    with pytest.raises(UsageError, match=r"gan_nonsaturating has no score.*torchatlas sample"):
        run.evaluate("digits")


def test_a_learner_without_predictions_is_evaluated_by_its_own_scores(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(80, 3)), columns=list("abc"))
    run = train("vae", frame, task="none", out=tmp_path / "run", **QUICK)
    rows = run.result["parts"]["test"]
    torch.manual_seed(3)
    before = torch.get_rng_state()
    scores = run.evaluate(frame)
    assert torch.equal(torch.get_rng_state(), before) and not run.model.training
    assert list(scores) == ["loss", "reconstruction", "kl"] and scores == load(tmp_path / "run").evaluate(
        frame
    )
    x = run.preparation.encode(frame)
    kl = run.model.scores((x,))["kl"].mean().item()  # it draws nothing, unlike the others
    assert scores["kl"] == pytest.approx(kl, rel=1e-5) and rows < 80


class Margin(Learner):
    """Learns from a target and predicts nothing."""

    def __init__(self, width):
        super().__init__()
        self.net = nn.Linear(width, 1)

    @classmethod
    def for_data(cls, spec):
        return cls(spec.shape[0])

    def loss(self, player, batch):
        return self.scores(batch)["loss"].mean()

    def scores(self, batch):
        return {"loss": (self.net(batch[0])[:, 0] - batch[1]).square()}


def test_scores_that_need_a_target_get_one(tmp_path):
    run = train(Margin, "iris", out=tmp_path / "run", **QUICK)
    assert run.evaluate("iris")["loss"] > 0
    with pytest.raises(UsageError, match=r"Margin predicts nothing$"):
        run.predict("iris")
    frame = pd.DataFrame(np.ones((3, 4)), columns=[column.name for column in run.preparation.encoder.columns])
    with pytest.raises(UsageError, match="no target to evaluate against"):
        run.evaluate(frame)


def test_predictions_of_files_name_them(tmp_path):
    for name, level in (("dark", 20), ("light", 220)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(8):
            Image.new("L", (6, 6), level + i).save(tmp_path / "pictures" / name / f"{i}.png")
    run = train("mlp", f"folder:{tmp_path / 'pictures'}", out=tmp_path / "run", **QUICK)
    (tmp_path / "new").mkdir()
    for name in ("b.png", "a.png"):
        Image.new("L", (6, 6), 30).save(tmp_path / "new" / name)
    table = run.predict(f"folder:{tmp_path / 'new'}")
    assert list(table) == ["file", "prediction", "p_dark", "p_light"]
    assert [Path(file).name for file in table.file] == ["a.png", "b.png"]


def test_images_are_encoded_by_the_batch(monkeypatch):
    images = np.random.default_rng(0).random((50, 6, 6, 1), dtype=np.float32)
    run = train("mlp", (images, np.arange(50) % 2), hidden=(4,), **QUICK)
    whole, encode, sizes = run.outputs(images), ImageEncoder.encode, []

    def counted(self, inputs, dtype=torch.float32):
        sizes.append(len(inputs))
        return encode(self, inputs, dtype)

    monkeypatch.setattr(ImageEncoder, "encode", counted)
    np.testing.assert_allclose(run.outputs(images, batch_size=20), whole, rtol=1e-5, atol=1e-7)
    assert sizes == [20, 20, 10]
    assert run.outputs(images[:0], batch_size=20).shape == (0, 2)
    images[43, 2, 2] = np.nan
    with pytest.raises(DataError, match="image 43 has"):
        run.outputs(images, batch_size=20)
    with pytest.raises(UsageError, match="batch_size must be at least 1, not 0"):
        run.predict(images, batch_size=0)
