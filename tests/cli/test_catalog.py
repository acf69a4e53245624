import json

import torchatlas


def test_list_shows_every_method(atlas):
    outcome = atlas("list")
    names = [line.split()[0] for line in outcome.out.splitlines()]
    assert outcome.status == 0 and set(torchatlas.catalog()) <= set(names)


def test_the_json_list_has_the_promised_fields(atlas):
    listed = json.loads(atlas("list", "--json").out)
    promised = {"name", "aliases", "kind", "family", "topics", "paper", "year"}
    assert all(promised <= set(entry) for entry in listed)
    assert {entry["name"] for entry in listed} == set(torchatlas.catalog())
    mlp = next(entry for entry in listed if entry["name"] == "mlp")
    assert mlp["kind"] == "network" and mlp["family"] == "networks/dense" and mlp["year"] == 1986
    assert "multilayer_perceptron" in mlp["aliases"] and "classification" in mlp["topics"]


def listed(outcome):
    assert outcome.status == 0
    return {entry["name"]: entry for entry in json.loads(outcome.out)}


def test_filters(atlas):
    losses = listed(atlas("list", "--kind", "loss", "--json"))
    assert "cross_entropy" in losses and {entry["kind"] for entry in losses.values()} == {"loss"}
    schedules = listed(atlas("list", "--family", "optim/schedules", "--json"))
    assert "lr_cosine" in schedules and {e["family"] for e in schedules.values()} == {"optim/schedules"}
    assert {"adam", "lr_cosine"} <= set(listed(atlas("list", "--family", "optim", "--json")))
    topical = listed(atlas("list", "--topic", "regression", "--json"))
    assert "mlp" in topical and all("regression" in entry["topics"] for entry in topical.values())
    assert "leaky_relu" in listed(atlas("list", "negative slope", "--json")) or "leaky_relu" in listed(
        atlas("list", "negative", "--json")
    )
    both = listed(atlas("list", "cosine", "--kind", "schedule", "--json"))
    assert "lr_cosine" in both and {entry["kind"] for entry in both.values()} == {"schedule"}


def test_a_list_without_a_method_says_so(atlas):
    outcome = atlas("list", "no such thing")
    assert outcome.status == 1 and "no method fits" in outcome.err and not outcome.out
    assert json.loads(atlas("list", "no such thing", "--json").out) == []


def test_show_tells_what_a_method_is(atlas):
    outcome = atlas("show", "mlp")
    assert outcome.status == 0
    for words in (
        "Multilayer perceptron",
        "hidden",
        "dropout",
        "1986",
        "recipe",
        "certificate",
        "networks/dense/mlp.py",
    ):
        assert words in outcome.said
    assert atlas("show", "multilayer_perceptron").out == outcome.out


def test_show_as_json(atlas):
    card = json.loads(atlas("show", "adam", "--json").out)
    assert card["name"] == "adam" and card["kind"] == "optimizer" and "1412.6980" in card["paper"]


def test_a_wrong_name_gets_a_right_one(atlas):
    outcome = atlas("show", "mpl")
    assert outcome.status == 2 and "'mpl'" in outcome.err and "did you mean mlp" in outcome.err
    assert "Traceback" not in outcome.err


def test_show_tells_what_a_method_costs(atlas):
    outcome = atlas("show", "lenet5", "--cost")
    assert outcome.status == 0
    *_, last = outcome.out.splitlines()
    assert last.split()[:2] == ["total", "44,426"] and "multiply-adds" in outcome.out
    costs = json.loads(
        atlas("show", "mlp", "--cost", "--set", "in_features=8", "--set", "hidden=4", "--json").out
    )
    assert costs["total"]["parameters"] == 8 * 4 + 4 + 4 * 10 + 10
    assert costs["total"]["multiply_adds"] == 8 * 4 + 4 * 10
    layer = atlas("show", "fully_connected", "--cost", "--set", "in_features=3", "--set", "out_features=2")
    assert layer.status == 0 and "(1, 3)" in layer.out and "total" in layer.out


def test_a_cost_that_cannot_be_told_says_why(atlas):
    assert "say the shape" in atlas("show", "relu", "--cost").err
    wrong = atlas("show", "adam", "--cost")
    assert wrong.status == 2 and "optimizer" in wrong.err
    assert "--cost" in atlas("show", "mlp", "--set", "hidden=4").err
    assert "hidden" in atlas("show", "mlp", "--cost", "--set", "hiden=4").err
