import json
import math
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from torchatlas import catalog, get
from torchatlas.cards.card import Card
from torchatlas.data import Preparation
from torchatlas.data.preprocessing import ImageEncoder, TableEncoder
from torchatlas.data.spec import Spec
from torchatlas.data.targets import TargetCoder
from torchatlas.data.text import TextEncoder
from torchatlas.engine.errors import AtlasError, UsageError
from torchatlas.learning.supervised.supervised import Supervised
from torchatlas.networks.image import AbstractImageNetwork
from torchatlas.study.inspecting import export as page
from torchatlas.study.inspecting.export import export
from torchatlas.study.laws import networks as laws
from torchatlas.study.training.recipe import Recipe
from torchatlas.study.training.run import Run
from torchatlas.study.training.train import train

# Of networks of images some that are made of different operations; the others share theirs.
SOME = ("resnet18", "densenet121", "inception_v3", "convnext_tiny", "mobilenetv3_small_100", "ghostnet_100")
SOME += ("shufflenet_v2_x1_0", "micronet_m0", "capsule_network", "vit_tiny_patch16_224", "swin_tiny")


def is_tried(card: Card) -> bool:
    made = getattr(get(card.name), "func", get(card.name))
    return laws.stands_for_itself(card) and (card.name in SOME or not issubclass(made, AbstractImageNetwork))


NETWORKS = [card for card in catalog().values() if card.kind == "network" and is_tried(card)]
FORMATS = ("torch", "onnx")


def answers(file, x):
    """What a file gives for inputs, read by the library that its format belongs to."""
    if file.suffix == ".pt2":
        return torch.export.load(file).module()(torch.as_tensor(x)).detach().numpy()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    return session.run(None, {port.name: np.asarray(x)})[0]


def untrained(learner: nn.Module, x: torch.Tensor, task: str, outputs: int) -> Run:
    """A run of a learner as if it had been trained on data with inputs like x; images are read smaller."""
    classes, words = tuple(f"c{i}" for i in range(outputs)), "abcdefghijklmnopqrstuvwxyz"
    if task == "language":
        encoder, modality = TextEncoder(words[:outputs], x.shape[1]), "text"
    elif x.ndim == 4:
        size, channels = tuple(x.shape[2:]), x.shape[1]
        raw = (size[0] - 3, size[1] + 2)
        scaling = (0.4, 0.3, 0.6)[:channels], (0.2, 0.5, 0.3)[:channels]
        encoder, modality = ImageEncoder(size, raw, channels, 255.0, "standard", *scaling), "image"
    else:
        encoder, modality = TableEncoder((), None, classes), "table"
    scale = (tuple(range(outputs)), (3.0,) * outputs) if task == "regression" else ((), ())
    coder = TargetCoder(task, classes if task == "regression" else ("y",), classes, (), *scale)
    spec = Spec(modality, tuple(x.shape[1:]), task, outputs, classes)
    return Run(Recipe(method="own", data="own"), learner, Preparation(spec, encoder, coder), spec)


def network_run(card: Card) -> Run:
    net, x = laws.build(card).eval(), laws.example(card, 2)
    with torch.no_grad():
        for buffer in net.buffers():  # running averages as training leaves them
            if buffer.is_floating_point():
                buffer.add_(0.1 * torch.rand_like(buffer))
        outputs = net(x).shape[-1]
    task = "language" if laws.reads_text(card) else laws.task_of(net)
    return untrained(laws.learner(card, net), x, task, outputs)


def swept(card: Card, to: str, folder: Path) -> None:
    run = network_run(card)
    found = export(run, to, folder / f"model{page.SUFFIXES[to]}")
    assert found.difference < 1e-3
    for count in (2, 7):
        if run.spec.modality == "image":
            pixels = np.random.default_rng(count).integers(0, 256, (count, *run.preparation.encoder.raw, 1))
            pixels = pixels.repeat(run.spec.shape[0], 3).astype(np.float32)
            x, prepared = pixels.transpose(0, 3, 1, 2), run.preparation.encode(pixels)
        else:
            prepared = laws.example(card, count, seed=count)
            x = prepared.numpy()
        expected = by_hand(run, prepared)
        np.testing.assert_allclose(answers(found.file, x), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def by_hand(run, prepared):
    scores = run.model.network(prepared)
    if run.spec.task == "regression":
        return (scores * 3 + torch.arange(run.spec.outputs)).numpy()
    if read := getattr(getattr(run.model, "criterion", None), "probabilities", None):
        return read(scores).numpy()
    return (scores.sigmoid() if run.spec.task == "multilabel" else scores.softmax(-1)).numpy()


@pytest.mark.parametrize("card", NETWORKS, ids=lambda card: card.name)
def test_every_network_is_the_same_after_torch_export(card, tmp_path):
    swept(card, "torch", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("card", NETWORKS, ids=lambda card: card.name)
def test_every_network_is_the_same_in_onnx_runtime(card, tmp_path):
    swept(card, "onnx", tmp_path)


@pytest.mark.parametrize("name", ["sppnet", "addernet"])
def test_operations_that_onnx_lacks_are_written_in_others(name, tmp_path):
    swept(catalog()[name], "onnx", tmp_path)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"size": draw.normal(size=60), "colour": draw.choice(["red", "blue"], 60)})
    frame["kind"] = np.where(frame["size"] > 0, "cat", "dog")
    frame["loud"], frame["small"] = (frame["size"] > 0.5).astype(int), (frame["size"] < -0.5).astype(int)
    frame["price"] = 1e4 + 300 * frame["size"]
    return frame


def trained(frame, target, home):
    columns = ["size", "colour", *([target] if isinstance(target, str) else target)]
    words = {"target": target, "steps": 30, "hidden": (8,), "threads": 1}
    return train("mlp", frame[columns], out=home / "run", **words)


@pytest.mark.parametrize("target", ["kind", ("loud", "small"), "price"])
def test_a_table_by_the_preparation_of_its_run(table, target, tmp_path):
    run = trained(table, target if isinstance(target, str) else list(target), tmp_path)
    new = table[["size", "colour"]].head(17)
    for to in FORMATS:
        found = export(tmp_path / "run", to)
        assert found.file == tmp_path / "run" / f"model{page.SUFFIXES[to]}"
        assert found.facts["input"]["shape"] == ["n", 3] and len(found.facts["features"]) == 3
        given = answers(found.file, run.preparation.encode(new).numpy())
        columns = ["price"] if target == "price" else [f"p_{name}" for name in found.facts["classes"]]
        np.testing.assert_allclose(given, run.predict(new)[columns].to_numpy(), rtol=1e-5, atol=1e-5)
        if target == "price":
            assert abs(given.mean() - 1e4) < 1e3 and given.std() > 10


@pytest.mark.parametrize("to", FORMATS)
def test_raw_pixels_are_what_an_image_file_takes(digits, to, tmp_path):
    found = export(digits, to, tmp_path / f"digits{page.SUFFIXES[to]}")
    images = load_digits().images
    given = answers(found.file, images[:, None].astype(np.float32))
    expected = digits.predict("digits")
    np.testing.assert_allclose(given, expected.iloc[:, -10:].to_numpy(), rtol=1e-4, atol=1e-5)
    names = np.array(found.facts["classes"])[given.argmax(1)]
    assert (names == expected["prediction"]).all()
    assert "pixels (n, 1, 8, 8) float32: brightness from 0 to 16" in found.text()
    assert f"within {found.difference:.1e}" in found.text() and "digits." in found.text()


def test_a_text_by_the_numbers_of_its_characters(tmp_path):
    (tmp_path / "novel.txt").write_text("the cat sat on the mat. " * 20)
    words = {"steps": 3, "context": 8, "width": 8, "heads": 2, "layers": 1, "threads": 1}
    run = train("gpt", f"text:{tmp_path / 'novel.txt'}", out=tmp_path / "run", **words)
    for to in FORMATS:
        found = export(run, to)
        vocabulary = found.facts["classes"]
        ids = np.array([[vocabulary.index(c) for c in part] for part in ("the cat ", "the mat.")])
        given = answers(found.file, ids)
        with torch.no_grad():
            expected = run.model.network(torch.from_numpy(ids)).softmax(-1).numpy()
        assert given.shape == (2, 8, len(vocabulary))
        np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(given[0, :4], given[1, :4], rtol=1e-5)  # the same beginning


def test_an_onnx_file_tells_of_itself(digits, tmp_path):
    found = export(digits, out=tmp_path / "digits.onnx")
    model = onnx.load(found.file)
    onnx.checker.check_model(model)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(told["classes"]) == [str(i) for i in range(10)] and told["method"] == "mlp"
    assert json.loads(told["scaling"])["maximum"] == 16 and told["task"] == "classification"
    (taken,), (given,) = model.graph.input, model.graph.output
    assert (taken.name, given.name) == ("pixels", "probabilities")
    assert taken.type.tensor_type.shape.dim[0].dim_param == "n"
    assert digits.folder.as_posix().encode() not in found.file.read_bytes()


def test_a_pt2_file_tells_of_itself_and_holds_no_pickle(digits, tmp_path):
    found = export(digits, out=tmp_path / "digits.pt2")
    extra = {page.FACTS: ""}
    torch.export.load(found.file, extra_files=extra)
    assert json.loads(extra[page.FACTS]) == json.loads(json.dumps(found.facts))
    with zipfile.ZipFile(found.file) as archive:
        assert not any(archive.read(name).startswith((b"\x80", b"PK")) for name in archive.namelist())
    assert b"stack_trace" not in found.file.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["digits.pt2"]


def test_a_file_that_answers_otherwise_is_not_kept(digits, tmp_path, monkeypatch):
    path = export(digits, out=tmp_path / "digits.pt2").file
    before = path.read_bytes()
    monkeypatch.setattr(page.Scaling, "forward", lambda self, pixels: pixels / 16.02 - self.mean)
    with pytest.raises(AtlasError, match="differ from the run's by up to"):
        export(digits, out=path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_shift_by_a_thousandth_of_the_targets_scale_is_seen(table, tmp_path, monkeypatch):
    run = trained(table, "price", tmp_path)
    spread = run.preparation.coder.scale[0]
    monkeypatch.setattr(page.Unit, "forward", lambda self, x: x * self.scale + self.mean + spread / 1000)
    with pytest.raises(AtlasError, match="differ"):
        export(run)


class Turns(nn.Module):
    """A network whose way depends on its numbers."""

    def forward(self, x):
        return x[:, :3] if x.sum() > 0 else x[:, 1:4]


class Fixed(nn.Module):
    """A network that knows one batch size."""

    def forward(self, x):
        return (x.reshape(3, -1) * torch.arange(1.0, 1 + x.shape[1])).reshape(len(x), -1)[:, :3]


class Fourier(nn.Module):
    """A network of an operation that ONNX does not have."""

    def forward(self, x):
        return torch.special.bessel_j0(x[:, :3])


@pytest.mark.parametrize(
    ("kind", "to"), [(Turns, "torch"), (Fixed, "torch"), (Turns, "onnx"), (Fourier, "onnx")]
)
def test_a_network_that_cannot_be_exported_is_told_of(kind, to, tmp_path):
    run = untrained(Supervised(kind()), torch.zeros(2, 5), "classification", 3)
    with pytest.raises(AtlasError, match="own cannot be exported") as told:
        export(run, to, tmp_path / f"model{page.SUFFIXES[to]}")
    assert "\n" not in str(told.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"to": "tensorflow"}, "torch or onnx, not to 'tensorflow'"),
        ({"to": "onnx", "out": "model.pt2"}, r"onnx ends in \.onnx, as in model\.onnx"),
        ({"out": "model"}, r"torch ends in \.pt2, as in model\.pt2"),
        ({"out": "nowhere/model.pt2"}, "no folder nowhere"),
    ],
)
def test_wrong_words(digits, words, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AtlasError, match=told):
        export(digits, **words)


def test_a_run_without_a_folder_wants_a_file():
    run = untrained(Supervised(nn.Linear(5, 3)), torch.zeros(2, 5), "classification", 3)
    with pytest.raises(UsageError, match="out=FILE"):
        export(run)


def test_what_is_missing_is_told_with_its_extra(digits, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"onnxruntime is not installed: pip install 'torchatlas\[export\]'"):
        export(digits, "onnx", tmp_path / "model.onnx")


def test_only_networks_that_predict_are_exported(tmp_path):
    forest = train("random_forest", "iris", n_estimators=3)
    with pytest.raises(UsageError, match="random_forest is scikit-learn's"):
        export(forest, out=tmp_path / "model.pt2")
    vae = train("vae", "digits", steps=1, threads=1)
    with pytest.raises(UsageError, match="vae predicts nothing"):
        export(vae, out=tmp_path / "model.pt2")


def test_the_run_stays_as_it_was(digits, tmp_path):
    before = {name: value.clone() for name, value in digits.model.state_dict().items()}
    torch.manual_seed(3)
    state = torch.get_rng_state()
    export(digits, out=tmp_path / "digits.pt2")
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in digits.model.state_dict().items())
    assert math.isfinite(digits.evaluate("digits")["accuracy"])
