from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from torchatlas.cards.reader import catalog, create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection import count_macs, count_params
from torchatlas.study.laws.networks import input_shape

PUBLISHED = [
    card for card in catalog().values() if card.figures.get("multiply_adds") and card.kind == "network"
]


@pytest.mark.parametrize("card", PUBLISHED, ids=lambda card: card.name)
def test_networks_cost_what_is_published(card):
    at = card.figures.get("at", {})
    with torch.device("meta"):
        net, x = create(card.name, **at), torch.zeros(1, *input_shape(replace(card, tiny=at)))
    assert count_macs(net, x).total == card.figures["multiply_adds"]
    assert count_params(net).total == card.figures["parameters"]


def conv(kernel: int, inside: int, outside: int, groups: int, rows: int, columns: int) -> int:
    return kernel * kernel * inside // groups * outside * rows * columns


CLOSED = [  # module, inputs, parameters, multiply-adds
    (nn.Conv2d(6, 8, 3, 2, 1, groups=2), [(2, 6, 9, 7)], 3 * 3 * 3 * 8 + 8, 2 * conv(3, 6, 8, 2, 5, 4)),
    (nn.Conv2d(6, 8, 3, dilation=2, bias=False), [(6, 9, 7)], 9 * 48, conv(3, 6, 8, 1, 5, 3)),
    (nn.Conv1d(4, 5, 3), [(2, 4, 10)], 3 * 4 * 5 + 5, 2 * 3 * 4 * 5 * 8),
    (nn.Conv3d(2, 3, 2), [(1, 2, 4, 4, 4)], 8 * 6 + 3, 8 * 6 * 27),
    (nn.ConvTranspose2d(4, 6, 3, 2, groups=2), [(1, 4, 5, 6)], 9 * 4 * 3 + 6, 9 * 4 * 3 * 30),
    (nn.Linear(5, 7), [(2, 3, 5)], 5 * 7 + 7, 6 * 5 * 7),
    (nn.Linear(5, 7), [(5,)], 42, 35),
    (nn.Bilinear(3, 4, 5), [(2, 3), (2, 4)], 60 + 5, 2 * (60 + 20)),
    (nn.LSTM(10, 20), [(5, 2, 10)], 4 * (10 * 20 + 20 * 20 + 2 * 20), 5 * 2 * 4 * (200 + 400)),
    (nn.LSTM(4, 3, 2, bidirectional=True), [(5, 2, 4)], 4 * 2 * (27 + 33), 10 * 4 * 2 * (12 + 9 + 18 + 9)),
    (nn.GRU(10, 20), [(5, 2, 10)], 3 * (10 * 20 + 20 * 20 + 2 * 20), 5 * 2 * 3 * (200 + 400)),
    (nn.RNNCell(10, 20), [(2, 10)], 640, 2 * 600),
    (nn.MultiheadAttention(8, 2, batch_first=True), [(1, 5, 8)] * 3, 4 * 64 + 32, 4 * 5 * 64 + 2 * 25 * 8),
    (nn.Embedding(11, 3), None, 33, 0),
    (nn.BatchNorm2d(4), [(2, 4, 3, 3)], 8, 0),
    (nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), [(2, 4, 6, 6)], 0, 0),
]


class Numbers(nn.Module):
    """Looks at numbers, so that shapes alone do not do."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, *x):
        return self.inner(*x) if float(x[0].sum()) == 0 else None


@pytest.mark.parametrize(("module", "shapes", "parameters", "macs"), CLOSED)
@pytest.mark.parametrize("wrap", [nn.Identity, Numbers, "inference"])
def test_closed_forms(module, shapes, parameters, macs, wrap):
    inputs = [torch.zeros(shape) for shape in shapes] if shapes else [torch.zeros(2, 3, dtype=torch.long)]
    assert count_params(module).total == parameters
    if wrap is Numbers:
        assert count_macs(Numbers(module), *inputs).total == macs
        return
    with torch.inference_mode(wrap == "inference"):
        assert count_macs(module, *inputs).total == macs


class Formula(nn.Module):
    def __init__(self, formula):
        super().__init__()
        self.formula = formula

    def forward(self, *x):
        return self.formula(*x)


A, B = torch.zeros(4, 2, 3, 5), torch.zeros(4, 2, 5, 7)


@pytest.mark.parametrize(
    ("formula", "inputs", "macs"),
    [
        (lambda a, b: a @ b, (A, B), 8 * 3 * 5 * 7),
        (lambda a, b: torch.einsum("bhij,bhjk->bik", a, b), (A, B), 8 * 3 * 5 * 7),
        (lambda a, b: torch.addbmm(a.new_zeros(3, 7), a[:, 0], b[:, 0]), (A, B), 4 * 3 * 5 * 7),
        (lambda a, b: torch.baddbmm(a.new_zeros(4, 3, 7), a[:, 0], b[:, 0]), (A, B), 4 * 3 * 5 * 7),
        (lambda a, b: a[0, 0] @ b[0, 0, :, 0], (A, B), 15),
        (lambda a, b: torch.dot(a[0, 0, 0], b[0, 0, :, 0]), (A, B), 5),
        (lambda q, k: F.scaled_dot_product_attention(q, k, k), (A, A), 2 * 8 * 3 * 3 * 5),
        (lambda a, b: (a * a).sum() + b.exp().mean(), (A, B), 0),
    ],
)
def test_products_of_matrices(formula, inputs, macs):
    assert count_macs(Formula(formula), *inputs).total == macs


def test_pytorch_s_own_counter_agrees_where_it_looks_and_leaves_out_the_rest():
    block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    x = torch.zeros(3, 7, 16)
    with FlopCounterMode(display=False) as counter:
        block(x)
    attention = 2 * 3 * 7 * 7 * 16  # on the CPU it runs as one operation, which PyTorch's counter passes over
    assert counter.get_total_flops() // 2 in (
        count_macs(block, x).total,
        count_macs(block, x).total - attention,
    )
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        (lstm := nn.LSTM(4, 3))(torch.zeros(5, 2, 4))
    assert counter.get_total_flops() in (0, 2 * 840)
    assert count_macs(lstm, torch.zeros(5, 2, 4)).total == 840


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.inside = nn.Sequential(nn.Linear(4, 2))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x, looks=False):
        self.calls += 1
        assert not self.training and not torch.is_grad_enabled()
        if looks:
            torch.rand(2 if float(x.sum()) >= 0 else 3)
        return self.inside(self.first(self.second(self.second(x)))) @ self.inside[0].weight

    def predict(self, x):
        return self.inside(x)


def test_layers_have_their_own_numbers_and_shared_weights_count_once():
    module, x = Twice(), torch.zeros(3, 4)
    assert count_params(module).layers == {"first": 16, "second": 4, "inside.0": 10}
    expected = {"(itself)": 24, "first": 48, "second": 96, "inside.0": 24}
    assert count_macs(module, x).layers == expected
    assert count_macs(module, x).total == 192
    assert count_macs(module, x, call="predict").layers == {"inside.0": 24}


@pytest.mark.parametrize("looks", [False, True])
def test_counting_leaves_no_trace(looks):
    module = Twice()
    module.first.eval()
    state, modes = (
        {k: v.clone() for k, v in module.state_dict().items()},
        [m.training for m in module.modules()],
    )
    random = torch.get_rng_state()
    count_macs(module, torch.zeros(3, 4), looks=looks)
    assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())
    assert modes == [m.training for m in module.modules()]
    assert torch.equal(random, torch.get_rng_state())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    assert torch.backends.mha.get_fastpath_enabled() and torch.is_grad_enabled()


def test_what_goes_wrong_is_told():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        count_macs(nn.Linear(3, 4), torch.zeros(2, 5))
    for count in (count_params, lambda module: count_macs(module, torch.zeros(2, 5))):
        with pytest.raises(UsageError, match="weight has no shape yet"):
            count(nn.LazyLinear(4))
