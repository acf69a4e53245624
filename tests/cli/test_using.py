import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image


def test_predictions_for_a_new_file(atlas, here, pets, pets_run):
    pets.drop(columns=["kind", "price"]).head(9).to_csv("new.csv", index=False)
    outcome = atlas("predict", pets_run, "--data", "new.csv", "--out", "answers.csv")
    assert outcome.status == 0 and "9 predictions: answers.csv" in outcome.out
    table = pd.read_csv("answers.csv")
    assert list(table) == ["prediction", "p_cat", "p_dog"] and len(table) == 9
    assert np.allclose(table["p_cat"] + table["p_dog"], 1, atol=1e-5)
    assert list(table["prediction"]) == list(np.where(table["p_cat"] > table["p_dog"], "cat", "dog"))
    assert (table["prediction"] == pets["kind"].head(9)).mean() > 0.6
    assert (
        atlas("predict", pets_run, "--data", "new.csv", "--out", "-").out
        == (here / "answers.csv").read_text()
    )


def test_the_batch_size_changes_no_prediction(atlas, pets, pets_run, digits_run):
    pets.drop(columns=["kind", "price"]).to_csv("new.csv", index=False)
    for run, data in ((pets_run, "new.csv"), (digits_run, "digits")):
        tables = []
        for size in (1, 7, 256, 5000):
            outcome = atlas("predict", run, "--data", data, "--out", "answers.csv", "--batch-size", size)
            assert outcome.status == 0, outcome.err
            tables.append(pd.read_csv("answers.csv"))
        for table in tables[1:]:
            assert (table["prediction"] == tables[0]["prediction"]).all()
            shares = table.filter(regex="^p_")
            np.testing.assert_allclose(shares, tables[0][list(shares)], rtol=1e-4, atol=1e-6)
    assert atlas("predict", digits_run, "--data", "digits", "--batch-size", 0).status == 2


def test_columns_in_another_order_gaps_and_new_words(atlas, pets, pets_run):
    new = pets.drop(columns=["kind", "price"]).head(3)
    new.to_csv("new.csv", index=False)
    new[["colour", "size"]].assign(more=1).to_csv("turned.csv", index=False)
    straight = atlas("predict", pets_run, "--data", "new.csv", "--out", "-")
    turned = atlas("predict", pets_run, "--data", "turned.csv", "--out", "-")
    assert straight.status == 0 and turned.out == straight.out
    pd.DataFrame({"size": [None, 0.5], "colour": ["violet", None]}).to_csv("gaps.csv", index=False)
    gaps = atlas("predict", pets_run, "--data", "gaps.csv", "--out", "-")
    assert gaps.status == 0 and len(gaps.out.splitlines()) == 3 and "nan" not in gaps.out


def test_a_new_file_without_a_column(atlas, here, pets, pets_run):
    pets[["colour"]].to_csv("new.csv", index=False)
    outcome = atlas("predict", pets_run, "--data", "new.csv", "--out", "answers.csv")
    assert outcome.status == 1 and "new.csv" in outcome.err and "'size'" in outcome.err
    assert not (here / "answers.csv").exists()


def test_a_new_file_with_a_text_among_numbers(atlas, pets, pets_run):
    pets.astype({"size": object}).assign(size=["1", "2", "big"] + ["3"] * 77).to_csv("new.csv", index=False)
    outcome = atlas("predict", pets_run, "--data", "new.csv", "--out", "-")
    assert outcome.status == 1
    assert all(word in outcome.err for word in ("new.csv", "'size'", "'big'", "row 2")), outcome.err


def test_evaluation_on_labelled_data(atlas, pets, pets_run):
    pets.to_csv("more.csv", index=False)
    found = json.loads(atlas("evaluate", pets_run, "--data", "more.csv", "--json").out)
    scores = {name: one["value"] for name, one in found.items()}
    assert all(one["low"] <= one["value"] <= one["high"] for one in found.values())
    assert 0.5 < scores["accuracy"] <= 1 and scores["log_loss"] > 0
    *lines, last = atlas("evaluate", pets_run, "--data", "more.csv").out.splitlines()
    assert "95 % intervals" in last
    assert [line.split()[0] for line in lines] == list(scores)
    table = atlas("predict", pets_run, "--data", "more.csv", "--out", "-").out.splitlines()[1:]
    right = np.mean([line.split(",")[0] == kind for line, kind in zip(table, pets["kind"], strict=True)])
    assert scores["accuracy"] == pytest.approx(right)


def test_evaluation_without_labels_says_which_are_missing(atlas, pets, pets_run):
    pets.drop(columns="kind").to_csv("more.csv", index=False)
    outcome = atlas("evaluate", pets_run, "--data", "more.csv")
    assert outcome.status in (1, 2) and "kind" in outcome.err


def test_samples_as_a_picture_and_as_numbers(atlas, vae_run):
    outcome = atlas("sample", vae_run, "--count", 9, "--out", "new.png")
    assert outcome.status == 0 and "9 samples: new.png" in outcome.out
    with Image.open("new.png") as image:
        assert image.width == image.height and image.width >= 3 * 8
    for name, seed in (("a.npz", 0), ("b.npz", 0), ("c.npz", 1)):
        assert atlas("sample", vae_run, "--count", 5, "--seed", seed, "--out", name).status == 0
    a, b, c = (np.load(name)["samples"] for name in ("a.npz", "b.npz", "c.npz"))
    assert a.shape == (5, 8, 8, 1) and np.array_equal(a, b) and not np.array_equal(a, c)


def test_what_cannot_be_sampled(atlas, digits_run, vae_run):
    outcome = atlas("sample", digits_run)
    assert outcome.status == 2 and "mlp does not make new data" in outcome.err
    outcome = atlas("sample", vae_run, "--out", "new.csv")
    assert outcome.status == 2 and ".png or .npz" in outcome.err
    assert atlas("sample", vae_run, "--count", 0).status == 2


def test_the_report_is_one_file(atlas, here, digits_run):
    outcome = atlas("report", digits_run, "--out", "page.html")
    page = (here / "page.html").read_text()
    assert outcome.status == 0 and "report: page.html" in outcome.out
    assert "mlp" in page and "digits" in page and "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "") and 'src="http' not in page


@pytest.mark.parametrize("command", ["evaluate", "predict", "sample", "report"])
def test_a_folder_that_is_no_run(atlas, here, command):
    words = ["--data", "digits"] if command in ("evaluate", "predict") else []
    for folder in ("nowhere", "."):
        outcome = atlas(command, folder, *words)
        assert outcome.status == 1 and "run.yaml" in outcome.err


def test_a_run_without_a_sound_checkpoint(atlas, here):
    assert atlas("train", "mlp", "--data", "iris", "--steps", 1, "--out", "run").status == 0
    (here / "run" / "checkpoints" / "00000001" / "state.safetensors").write_bytes(b"nonsense")
    outcome = atlas("predict", "run", "--data", "iris", "--out", "-")
    assert outcome.status == 1 and "sound checkpoint" in outcome.err and "checksum" in outcome.err


def test_a_damaged_checkpoint_and_damaged_predictions_are_told(typed, atlas, here):
    assert atlas(
        "train", "mlp", "--data", "iris", "--steps", 2, "--out", "run", "--set", "save_every_steps=1"
    )
    for path in ("checkpoints/00000002/state.safetensors", "test.safetensors"):
        (here / "run" / path).write_bytes(b"nonsense")
    process = typed("predict", "run", "--data", "iris", "--out", "-")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and len(out.splitlines()) == 151
    notes = [line for line in err.splitlines() if line.startswith("note: ")]
    assert len(notes) == len(err.splitlines()) == 2, err
    assert "going back to the checkpoint before it" in notes[0] and "test.safetensors is damaged" in notes[1]


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_gan_predicts_nothing(atlas, here, command):
    assert atlas("train", "gan_nonsaturating", "--steps", 1, "--out", "run").status == 0
    outcome = atlas(command, "run", "--data", "digits")
    assert outcome.status == 2 and "torchatlas sample run" in outcome.err


def test_a_vae_is_evaluated_by_its_bound(atlas, vae_run):
    found = json.loads(atlas("evaluate", vae_run, "--data", "digits", "--json").out)
    scores = {name: one["value"] for name, one in found.items()}
    assert scores["loss"] == pytest.approx(scores["reconstruction"] + scores["kl"], rel=1e-4)


def test_doctor_on_the_machine(atlas):
    outcome = atlas("doctor")
    assert outcome.status == 0 and "torch 2" in outcome.out and "device" in outcome.out
    assert json.loads(atlas("doctor", "--json").out)["findings"] == []


def test_doctor_on_good_and_bad_data(atlas, pets, pets_csv):
    good = atlas("doctor", "--data", f"csv:{pets_csv}", "--target", "kind")
    assert good.status == 0 and "80 rows, classification" in good.out and "nothing is wrong" in good.out
    pets.assign(kind=[None, *pets["kind"][1:]]).to_csv("gap.csv", index=False)
    bad = atlas("doctor", "--data", "csv:gap.csv", "--target", "kind")
    assert bad.status == 1 and "'kind' is missing" in bad.out and "line 2" in bad.out
    found = json.loads(atlas("doctor", "--data", "csv:gap.csv", "--target", "kind", "--json").out)["findings"]
    assert found[0]["severity"] == "error" and "'kind'" in found[0]["message"]
