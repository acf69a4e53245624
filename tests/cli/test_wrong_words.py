"""What a new user mistypes: exit status 2, the word at fault, and where there is one the right word."""

import pytest

WRONG = {
    "method": (["mpl"], ["'mpl'", "did you mean mlp"]),
    "option": (["mlp", "--set", "hiden=3"], ["'hiden'", "did you mean hidden", "dropout", "batch_size"]),
    "number": (["mlp", "--set", "lr=fast"], ["lr='fast'", "number"]),
    "range": (["mlp", "--set", "test=2"], ["test=2", "less than 1"]),
    "no steps": (["mlp", "--steps", "0"], ["steps=0", "greater than 0"]),
    "steps": (["mlp", "--steps", "many"], ["--steps", "integer"]),
    "no value": (["mlp", "--set", "lr"], ["--set", "KEY=VALUE", "'lr'"]),
    "optimizer": (["mlp", "--set", "optimizer=adm"], ["'adm'", "did you mean adam"]),
    "optimizer's option": (["mlp", "--set", "optimizer.momentun=1"], ["adam", "momentun"]),
    "activation": (["mlp", "--set", "activation=rel"], ["'rel'", "did you mean relu"]),
    "loss": (["mlp", "--set", "loss=cross_entrpy"], ["'cross_entrpy'", "did you mean cross_entropy"]),
    "schedule": (["mlp", "--set", "schedule=lr_cosin"], ["'lr_cosin'", "did you mean lr_cosine"]),
    "metric": (["mlp", "--set", "metric=acc"], ["'acc'", "accuracy"]),
    "width": (["mlp", "--set", "hidden=wide"], ["mlp", "hidden", "wide"]),
    "negative width": (["mlp", "--set", "hidden=-3"], ["mlp", "hidden", "-3"]),
    "share": (["mlp", "--set", "dropout=2"], ["mlp", "dropout", "2"]),
    "device": (["mlp", "--device", "gpu"], ["'gpu'", "cuda"]),
    "data": (["mlp", "--data", "digts"], ["'digts'", "did you mean 'digits'"]),
    "data's kind": (["mlp", "--data", "cvs:a.csv"], ["'cvs:'", "csv"]),
    "task": (["mlp", "--data", "iris", "--task", "classify"], ["'classify'", "classification"]),
    "module": (["nowhere:Net"], ["nowhere:Net", "PYTHONPATH"]),
    "thing of a module": (["json:Net"], ["json:Net", "Net"]),
    "recipe": (["nowhere.yaml"], ["nowhere.yaml"]),
    "nothing": ([], ["NAME", "--resume"]),
    "both": (["mlp", "--resume", "run"], ["--resume"]),
    "what is no model": (["init_normal"], ["init_normal", "cannot be trained"]),
    "a table for images": (["lenet5", "--data", "iris"], ["lenet5", "images", "mlp"]),
    "epochs": (["mlp", "--epochs", "-1"], ["epochs=-1", "greater than 0"]),
    "save_every": (["mlp", "--save-every", "0"], ["save_every=0", "greater than 0"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_words(atlas, here, case):
    given, expected = WRONG[case]
    short = [] if {"--steps", "--epochs", "--resume"} & set(given) else ["--steps", 2]
    before = sorted(here.rglob("*"))
    outcome = atlas("train", *given, *short, "--out", "run")
    assert outcome.status == 2, outcome.said
    missing = [word for word in expected if word not in outcome.said]
    assert not missing, f"{missing} not in: {outcome.said}"
    assert "Traceback" not in outcome.err
    assert sorted(here.rglob("*")) == before, "what never ran left files behind"


def test_a_device_that_is_not_there(atlas, here):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has it")
    outcome = atlas("train", "mlp", "--device", "cuda", "--steps", 1, "--out", "run")
    assert outcome.status in (1, 2) and "cuda" in outcome.err.lower() and "device" in outcome.err


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_nothing_to_resume(atlas, folder):
    outcome = atlas("train", "--resume", folder)
    assert outcome.status == 1 and "not a run to go on with" in outcome.err and "run.yaml" in outcome.err


def test_a_recipe_that_was_edited_wrongly(atlas, here, digits_run):
    text = (digits_run / "run.yaml").read_text()
    (here / "a.yaml").write_text(text.replace("seed: 0", "sed: 0"))
    outcome = atlas("train", "a.yaml", "--out", "run")
    assert outcome.status == 2 and "a.yaml" in outcome.err and "sed" in outcome.err
    (here / "b.yaml").write_text(text.replace("steps: 3", "steps: [3"))
    outcome = atlas("train", "b.yaml", "--out", "run")
    assert outcome.status == 2 and "b.yaml" in outcome.err
    (here / "c.yaml").write_text("just words")
    outcome = atlas("train", "c.yaml", "--out", "run")
    assert outcome.status == 2 and "c.yaml" in outcome.err


def test_an_option_that_data_does_not_have(atlas):
    for words in (["--data", "iris", "--set", "grup=a"], ["--set", "grup=a"]):
        outcome = atlas("doctor", *words)
        assert outcome.status == 2 and "'grup'" in outcome.err and "did you mean group" in outcome.err
