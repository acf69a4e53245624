import math

import numpy as np
import pytest
import torch

from torchatlas.networks.recurrent import LSTM


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def plain(net, ids):
    """The gates' formulas, cell by cell, from the weights alone; the 1997 paper's with Gers' forget gate."""
    w = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    xs = w["embedding.weight"][ids]
    for layer in range(net.cells.num_layers):
        weights = (np.split(w[f"cells.{kind}_l{layer}"], 4) for kind in ("weight_ih", "weight_hh"))
        biases = np.split(w[f"cells.bias_ih_l{layer}"] + w[f"cells.bias_hh_l{layer}"], 4)
        gates = dict(zip("ifco", zip(*weights, biases, strict=True), strict=True))
        h = c = np.zeros(net.cells.hidden_size)
        out = []
        for x in xs:
            a = {name: inward @ x + back @ h + bias for name, (inward, back, bias) in gates.items()}
            c = sigmoid(a["f"]) * c + sigmoid(a["i"]) * np.tanh(a["c"])
            h = sigmoid(a["o"]) * np.tanh(c)
            out.append(h)
        xs = np.array(out)
    return xs @ w["head.weight"].T + w["head.bias"]


@pytest.mark.parametrize("layers", [1, 2])
def test_it_is_the_formula_of_the_paper(layers):
    net, ids = LSTM(7, width=5, layers=layers).double(), torch.randint(7, (3, 9))
    for row, one in zip(net(ids).detach().numpy(), ids.numpy(), strict=True):
        np.testing.assert_allclose(row, plain(net, one), atol=1e-12)


def test_a_new_cell_remembers():
    net = LSTM(7, width=5, layers=2, forget_bias=1.5)
    for layer in range(2):
        biases = [getattr(net.cells, f"bias_{kind}_l{layer}").detach() for kind in ("ih", "hh")]
        assert (sum(biases)[5:10] == 1.5).all()
        others = torch.cat([bias[[0, 1, 2, 3, 4, *range(10, 20)]] for bias in biases])
        assert 0 < float(others.abs().max()) <= 1 / math.sqrt(5)  # as PyTorch draws them


def test_reading_goes_on_from_a_state():
    net, ids = LSTM(7, width=5, layers=2).double().eval(), torch.randint(7, (3, 9))
    first, state = net.read(ids[:, :4])
    second, _ = net.read(ids[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), net(ids), rtol=0, atol=1e-12)
    assert not torch.allclose(net.read(ids[:, 4:])[0], second)


def test_dropout_falls_between_layers_and_before_the_head():
    net = LSTM(7, width=5, layers=2, dropout=0.5)
    assert (net.cells.dropout, net.dropout.p) == (0.5, 0.5)
    assert LSTM(7, width=5, layers=1, dropout=0.5).cells.dropout == 0
    ids = torch.randint(7, (3, 9))
    assert not torch.equal(net(ids), net(ids))
    assert torch.equal(net.eval()(ids), net(ids))


def test_size():
    count = sum(p.numel() for p in LSTM(66, width=256).parameters())
    assert (
        count == 4 * (256 * 256 + 256**2 + 2 * 256) + 66 * 256 + (256 + 1) * 66
    )  # with PyTorch's two biases
