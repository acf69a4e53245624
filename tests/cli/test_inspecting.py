import json

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits


def test_an_attack_is_told_with_its_picture(atlas, here, digits_run):
    words = ("--with", "fgsm", "--set", "epsilon=(0.05, 0.2)", "--out", "fooled.png")
    outcome = atlas("attack", digits_run, *words)
    assert outcome.status == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].startswith("accuracy on 359 images") and lines[2].split()[0] == "0.05"
    assert "examples: fooled.png" in lines[-1]
    with Image.open("fooled.png") as image:
        assert image.width > 300
    found = json.loads(atlas("attack", digits_run, *words, "--json").out)
    assert [level["epsilon"] for level in found["levels"]] == [0.05, 0.2]
    assert f"{found['clean']['value']:.3f}" in lines[0]


def test_an_explanation_is_a_picture_or_bars(atlas, here, digits_run, pets_run):
    outcome = atlas("explain", digits_run, "--rows", "0,2", "--out", "maps.png")
    assert outcome.status == 0 and "maps: maps.png" in outcome.out, outcome.err
    outcome = atlas("explain", pets_run)
    assert outcome.status == 0 and "size" in outcome.out and "█" in outcome.out
    assert "size" in json.loads(atlas("explain", pets_run, "--json").out)["features"]


def test_a_pruned_run_predicts(atlas, here, digits_run):
    outcome = atlas("prune", digits_run, "--set", "sparsity=0.5", "--epochs", 1, "--out", "small")
    assert outcome.status == 0 and "50.0%" in outcome.out and "run: small" in outcome.out, outcome.err
    assert atlas("predict", "small", "--data", "digits", "--out", "-").status == 0
    told = atlas("prune", digits_run, "--epochs", 0, "--out", "other", "--json").out.splitlines()[-1]
    assert json.loads(told)["folder"] == "other"


def test_an_exported_run_predicts_elsewhere(atlas, here, digits_run):
    outcome = atlas("export", digits_run, "--out", "digits.onnx")
    assert outcome.status == 0 and not outcome.err, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].startswith("takes pixels (n, 1, 8, 8)") and lines[-1].startswith("digits.onnx: ")
    assert atlas("predict", digits_run, "--data", "digits", "--out", "answers.csv").status == 0
    session = onnxruntime.InferenceSession("digits.onnx", providers=["CPUExecutionProvider"])
    (given,) = session.run(None, {"pixels": load_digits().images[:, None].astype(np.float32)})
    np.testing.assert_allclose(given, pd.read_csv("answers.csv").filter(regex="^p_"), rtol=1e-4, atol=1e-5)
    told = json.loads(atlas("export", digits_run, "--to", "torch", "--out", "digits.pt2", "--json").out)
    assert told["bytes"] == (here / "digits.pt2").stat().st_size and told["difference"] < 1e-5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("attack", "--with", "pdg"), "did you mean pgd"),
        (("attack", "--with", "mlp"), "take fgsm, pgd"),
        (("attack", "--set", "seed=3"), "say --seed"),
        (("explain", "--rows", "a"), "--rows wants numbers"),
        (("prune", "--set", "sparsity=1.5"), "below 1"),
        (("prune", "--set", "epochs=3"), "say --epochs"),
        (("export", "--to", "keras"), "torch or onnx"),
        (("export", "--to", "onnx", "--out", "model.pt2"), "ends in .onnx"),
    ],
)
def test_wrong_words(atlas, here, digits_run, words, told):
    outcome = atlas(words[0], digits_run, *words[1:])
    assert outcome.status == 2 and told in outcome.err, outcome.err


@pytest.mark.parametrize("command", ["attack", "explain", "prune", "export"])
def test_a_folder_that_is_no_run(atlas, here, command):
    outcome = atlas(command, "nowhere")
    assert outcome.status == 1 and "run.yaml" in outcome.err
