import pytest
import torch
from torch import nn

from torchatlas import create
from torchatlas.cards.reader import catalog
from torchatlas.engine.errors import UsageError
from torchatlas.inspection import count_activations, count_macs, count_params
from torchatlas.study.inspecting.costing import cost, in_bytes


def test_a_network_in_its_default_setting():
    found, net, x = cost("lenet5"), create("lenet5"), torch.zeros(1, 1, 28, 28)
    assert found.total == (44_426, count_macs(net, x).total, count_activations(net, x).total)
    assert found.input == (1, 1, 28, 28)
    for k, count in enumerate((count_params(net), count_macs(net, x), count_activations(net, x))):
        assert {name: row[k] for name, row in found.layers.items() if row[k]} == count.layers


def test_sizes_that_nobody_says_are_usual_ones_and_options_are_as_for_training():
    assert cost("mlp").input == (1, 784)
    assert cost("mlp").total[0] == 784 * 256 + 256 + 256 * 10 + 10
    wide = cost(
        "mlp", in_features=20, num_classes=3, hidden=(7,), activation="leaky_relu(negative_slope=0.1)"
    )
    assert wide.total == (20 * 7 + 7 + 7 * 3 + 3, 20 * 7 + 7 * 3, 4 * (7 + 7 + 3))
    assert cost("mlp", input=(1, 30)).total[0] == 30 * 256 + 256 + 2570
    small, large = cost("resnet20_cifar"), cost("resnet20_cifar", input_size=(64, 64))
    assert large.input == (1, 3, 64, 64) and large.total[0] == small.total[0]
    assert 3.9 < large.total[1] / small.total[1] < 4.001


@pytest.mark.parametrize(
    ("where", "options", "shape", "parameters", "macs"),
    [
        ("torch.nn:LSTM", {"input_size": 10, "hidden_size": 20}, (5, 1, 10), 2560, 5 * 4 * 600),
        ("torch.nn:GRU", {"input_size": 10, "hidden_size": 20}, (5, 1, 10), 1920, 5 * 3 * 600),
        (
            "torch.nn:Conv2d",
            {"in_channels": 6, "out_channels": 8, "kernel_size": 3, "groups": 2},
            (1, 6, 9, 7),
            224,
            9 * 3 * 8 * 35,
        ),
        ("torch.nn:Embedding", {"num_embeddings": 11, "embedding_dim": 3}, None, 33, 0),
        ("fully_connected", {"in_features": 4096, "out_features": 1000}, (1, 4096), 4_097_000, 4_096_000),
    ],
)
def test_closed_forms(where, options, shape, parameters, macs):
    if shape is None:
        with pytest.raises(UsageError, match="input"):
            cost(where, **options)
        return
    found = cost(where, input=shape, **options)
    assert found.total[:2] == (parameters, macs)


def test_every_network_of_the_atlas_has_a_cost_without_memory():
    for card in catalog().values():
        if card.kind == "network" and not card.parent:
            options = {k: v for k, v in card.tiny.items()}
            assert cost(card.name, **options).total[0] > 0, card.name


class Looks(nn.Module):
    def __init__(self, in_features=4):
        super().__init__()
        self.layer = nn.Linear(in_features, 2)
        self.scale = float(self.layer.weight.sum())

    def forward(self, x):
        return self.layer(x) if float(x.sum()) == 0 else None


def test_a_module_that_looks_at_numbers_is_built_with_them():
    assert cost(f"{__name__}:Looks").total == (10, 8, 8)


def test_text_and_json():
    found = cost("lenet5")
    lines = found.text().splitlines()
    assert lines[0].startswith("lenet5") and "(1, 1, 28, 28)" in lines[0]
    assert lines[-1].split()[:2] == ["total", "44,426"] and len({len(line) for line in lines[1:]}) == 1
    plain = found.as_json()
    assert plain["total"]["parameters"] == 44_426 and plain["input"] == [1, 1, 28, 28]
    assert [in_bytes(n) for n in (48, 1536, 3 * 2**20, 5 * 2**40)] == [
        "48 B",
        "1.5 KiB",
        "3.0 MiB",
        "5120.0 GiB",
    ]


def test_what_has_no_cost_is_told():
    with pytest.raises(UsageError, match="optimizer"):
        cost("adam")
    with pytest.raises(UsageError, match="hidden"):
        cost("mlp", hiden=3)
    with pytest.raises(UsageError, match="say the shape"):
        cost("relu")
    with pytest.raises(UsageError, match="must be a shape"):
        cost("relu", input="large")
    with pytest.raises(UsageError, match="cannot take"):
        cost("lenet5", input=(1, 2, 28, 28))
