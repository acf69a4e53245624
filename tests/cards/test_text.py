import json

import pytest

import torchatlas
from torchatlas.cards.card import Card
from torchatlas.cards.reader import UnknownName
from torchatlas.cards.text import list_json, list_text, select, show_text

CARDS = list(torchatlas.catalog().values())


def names(**filters: str) -> list[str]:
    return [card.name for card in select(CARDS, **filters)]


def test_filters_narrow_together():
    assert set(names(family="optim")) > set(names(family="optim/schedules")) > set(names(kind="schedule"))
    assert names(family="schedules") == names(family="optim/schedules/")
    assert "leaky_relu" in names(family="nn", text="LEAKY") and "relu" not in names(family="nn", text="LEAKY")
    assert "swish" in names(text="silu") and "mish" not in names(text="silu")
    assert names(text="no such words") == []
    assert names() == [c.name for c in CARDS]


def test_a_topic_gathers_cards():
    gan = names(topic="gan")
    assert "gan_nonsaturating" in gan
    assert len(gan) < len(CARDS)


@pytest.mark.parametrize(
    ("filters", "hint"),
    [
        ({"family": "activation"}, "did you mean activations"),
        ({"kind": "optimiser"}, "did you mean optimizer"),
        ({"topic": "qqqq"}, "there are "),
    ],
)
def test_a_wrong_filter_is_explained(filters, hint):
    with pytest.raises(UnknownName, match=hint):
        select(CARDS, **filters)


def test_a_kind_that_no_card_has_yet_is_no_error():
    assert select(CARDS[:1], kind="demo") == []


def test_the_list_is_aligned():
    lines = list_text(select(CARDS, kind="activation")).splitlines()
    assert lines[-1] == f"{len(lines) - 1} methods"
    column = lines[0].index("activation ")
    assert all(line[column:].startswith("activation ") for line in lines[:-1])
    assert list_text([torchatlas.find("adam")]).endswith("\n1 method")
    assert list_text([]) == "0 methods"


def test_json_holds_the_facts():
    (fact,) = json.loads(json.dumps(list_json([torchatlas.find("momentum_sgd")])))
    assert {"name", "aliases", "kind", "family", "topics", "paper", "year"} <= set(fact)
    assert (fact["name"], fact["aliases"], fact["year"]) == ("momentum_sgd", ["momentum"], 1964)
    assert [fact["name"] for fact in json.loads(json.dumps(list_json(CARDS)))] == [c.name for c in CARDS]


def test_show_tells_all_that_is_known():
    text = show_text(torchatlas.find("nag"))
    for part in (
        "Nesterov's accelerated gradient",
        "θ ← θ - γ (g + μ m)",
        "optimizer: torch.optim.Optimizer",
        "nesterov",
        "variant of:  momentum_sgd",
        "torch.optim.SGD(params",
        "options set: momentum=0.9, nesterov=True",
        "recipe:      lr=0.01",
        "Sutskever et al., ICML, 2013",
        "certificate: ",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 110
    assert "momentum_sgd" in show_text(torchatlas.find("sgd"))


def test_show_takes_the_formula_of_our_own_things_from_their_docstring():
    text = show_text(torchatlas.find("mlp"))
    assert torchatlas.get("mlp").__doc__.split("\n\n", 1)[1].strip().splitlines()[0] in text


def test_published_figures_are_readable():
    card = Card("x", "", "own", "nowhere_at_all:X", figures={"parameters": 44426, "accuracy": 0.99})
    assert "parameters=44,426, accuracy=0.99" in show_text(card)
    assert "its source is not installed here" in show_text(card)
    assert "none stored; torchatlas verify x proves it here" in show_text(card)
