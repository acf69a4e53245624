"""Data that cannot be learned from: status 1, the file, the place and the cure; nothing is left behind."""

import numpy as np
import pytest


def refused(atlas, here, source, *words, method="mlp", more=()):
    before = sorted(here.rglob("*"))
    outcome = atlas("train", method, "--data", source, *more, "--steps", 2, "--out", "run")
    assert outcome.status == 1, outcome.said
    missing = [word for word in words if word not in outcome.err]
    assert not missing, f"{missing} not in: {outcome.err}"
    assert "Traceback" not in outcome.err and sorted(here.rglob("*")) == before


def test_a_file_that_is_not_there(atlas, here, pets_csv):
    refused(atlas, here, "csv:pet.csv", "pet.csv", "did you mean 'pets.csv'", more=["--target", "kind"])
    refused(atlas, here, "pet.csv", "pet.csv", more=["--target", "kind"])
    refused(atlas, here, "folder:nowhere", "nowhere")


def test_a_text_where_a_number_should_be(atlas, here, pets):
    pets.astype({"size": object}).assign(size=[*pets["size"][:17], "big", *pets["size"][18:]]).to_csv(
        "a.csv", index=False
    )
    refused(atlas, here, "csv:a.csv", "'size'", "'big'", "line 19", "correct", more=["--target", "kind"])
    pets.assign(price=["cheap", *pets["price"][1:].astype(object)]).to_csv("b.csv", index=False)
    refused(atlas, here, "csv:b.csv", "'price'", "'cheap'", "line 2", more=["--target", "price"])


def test_the_cure_that_the_message_names_works(atlas, here, pets):
    pets.astype({"size": object}).assign(size=[*pets["size"][:17], "big", *pets["size"][18:]]).to_csv(
        "a.csv", index=False
    )
    words = ["--data", "csv:a.csv", "--target", "kind", "--steps", 2]
    assert "missing" in atlas("train", "mlp", *words, "--out", "run").err
    outcome = atlas("train", "mlp", *words, "--set", "missing=big", "--out", "run")
    assert outcome.status == 0, outcome.err


def test_a_gap_in_the_target(atlas, here, pets):
    pets.assign(kind=[*pets["kind"][:5], None, *pets["kind"][6:]]).to_csv("a.csv", index=False)
    refused(
        atlas,
        here,
        "csv:a.csv",
        "'kind'",
        "missing",
        "1 row",
        "line 7",
        "drop or fill",
        more=["--target", "kind"],
    )
    pets.assign(price=[*pets["price"][:5], np.nan, *pets["price"][6:]]).to_csv("b.csv", index=False)
    refused(atlas, here, "csv:b.csv", "'price'", "missing", "line 7", more=["--target", "price"])


def test_an_infinity(atlas, here, pets):
    pets.assign(size=[*pets["size"][:3], np.inf, *pets["size"][4:]]).to_csv("a.csv", index=False)
    refused(atlas, here, "csv:a.csv", "'size'", "infinite", "line 5", more=["--target", "kind"])


def test_files_without_data(atlas, here):
    (here / "empty.csv").write_text("")
    refused(atlas, here, "csv:empty.csv", "empty.csv", "empty", more=["--target", "y"])
    (here / "head.csv").write_text("x,y\n")
    refused(atlas, here, "csv:head.csv", "head.csv", more=["--target", "y"])
    (here / "noise.npz").write_bytes(bytes(range(256)))
    refused(atlas, here, "npz:noise.npz", "noise.npz")
    (here / "noise.csv").write_bytes(bytes(range(256)) * 4)
    refused(atlas, here, "csv:noise.csv", "noise.csv", more=["--target", "y"])


def test_one_class_only(atlas, here, pets):
    pets.assign(kind="cat").to_csv("a.csv", index=False)
    refused(atlas, here, "csv:a.csv", "'kind'", "'cat'", "two classes", more=["--target", "kind"])


def test_one_broken_picture_among_good_ones(atlas, here, pictures):
    broken = pictures / "dark" / "3.png"
    broken.write_bytes(broken.read_bytes()[:40])
    refused(atlas, here, f"folder:{pictures}", "dark/3.png", "delete or replace")
    outcome = atlas("doctor", "--data", f"folder:{pictures}")
    assert outcome.status == 1 and "dark/3.png" in outcome.out
    outcome = atlas(
        "train",
        "mlp",
        "--data",
        f"folder:{pictures}",
        "--steps",
        2,
        "--set",
        "skip_broken=true",
        "--out",
        "run",
    )
    assert outcome.status == 0 and "dark/3.png" in outcome.said, outcome.err


def test_a_target_that_is_not_there(atlas, here, pets_csv):
    source = f"csv:{pets_csv}"
    refused(atlas, here, source, "'knid'", "did you mean 'kind'", "pets.csv", more=["--target", "knid"])
    refused(atlas, here, source, "pets.csv", "target", "columns: size, colour, kind, price")


@pytest.mark.parametrize("words", [("--group", "owner"), ("--time", "born")])
def test_a_column_to_split_by_that_is_not_there(atlas, here, pets_csv, words):
    refused(atlas, here, f"csv:{pets_csv}", f"'{words[1]}'", "columns:", more=["--target", "kind", *words])


def test_data_that_changed_since_the_run_began(atlas, here, pets, pets_csv):
    words = ["--data", f"csv:{pets_csv}", "--target", "kind", "--steps", 2]
    assert atlas("train", "mlp", *words, "--out", "run").status == 0
    pets.assign(size=pets["size"] + 1).to_csv(pets_csv, index=False)
    outcome = atlas("train", "--resume", "run", "--steps", 4)
    assert outcome.status == 1 and "fingerprint" in outcome.err and "pets.csv" in outcome.err


def test_groups_and_times_together(atlas, here, pets, pets_csv):
    pets.assign(owner=np.arange(80) // 4, day=np.arange(80)).to_csv("a.csv", index=False)
    words = ["--target", "kind", "--group", "owner", "--time", "day"]
    pets_csv.unlink()
    outcome = atlas("train", "mlp", "--data", "csv:a.csv", *words, "--steps", 2, "--out", "run")
    assert outcome.status == 2 and "split=group or split=time" in outcome.said and not (here / "run").exists()
    words += ["--set", "split=time", "--steps", 2, "--out", "run"]
    assert atlas("train", "mlp", "--data", "csv:a.csv", *words).status == 0


def test_a_class_that_is_called_as_no_value_is(atlas, here, pets):
    pets.assign(kind=np.where(pets["kind"] == "cat", "NA", "EU")).to_csv("a.csv", index=False)
    refused(atlas, here, "csv:a.csv", "'kind'", "'NA'", 'missing=""', "line 4", more=["--target", "kind"])
    words = ["--data", "csv:a.csv", "--target", "kind", "--steps", 2, "--out", "run"]
    assert atlas("train", "mlp", *words, "--set", 'missing=""').status == 0
    assert atlas("train", "--resume", "run", "--steps", 3).status == 0
    assert atlas("predict", "run", "--data", "csv:a.csv", "--out", "p.csv").status == 0
    assert "p_NA" in (here / "p.csv").read_text().splitlines()[0]


def test_a_file_under_the_wrong_word(atlas, here, pets_csv, pictures):
    refused(atlas, here, f"npz:{pets_csv}", "pets.csv", "no npz file", "say csv:")
    refused(atlas, here, f"parquet:{pets_csv}", "pets.csv", "say csv:", more=["--target", "kind"])
    refused(atlas, here, "csv:pictures/dark/0.png", "0.png", "PNG image", "folder:", more=["--target", "y"])
    refused(atlas, here, f"folder:{pets_csv}", "pets.csv", "not a folder", "say csv:")
    np.savez("a.npz", x=np.eye(4), y=np.arange(4))
    refused(atlas, here, "csv:a.npz", "a.npz", "npz file: say npz:", more=["--target", "y"])


def test_several_text_targets(atlas, here, pets_csv):
    words = ["--target", "kind", "--target", "colour"]
    refused(
        atlas,
        here,
        f"csv:{pets_csv}",
        "kind, colour",
        "choose one",
        more=[*words, "--task", "classification"],
    )
    refused(atlas, here, f"csv:{pets_csv}", "'kind'", "choose one", more=words)
