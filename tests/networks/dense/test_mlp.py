import pytest
import torch
from torch import nn

from torchatlas.networks.dense import MLP


def test_parameters_are_those_of_the_textbook():
    assert sum(p.numel() for p in MLP(784, 10).parameters()) == 203_530


def test_set_weights_solve_xor():
    net = MLP(2, 1, hidden=2)
    with torch.no_grad():
        net.body[0].weight.fill_(1.0)
        net.body[0].bias.copy_(torch.tensor([0.0, -1.0]))
        net.head.weight.copy_(torch.tensor([[1.0, -2.0]]))
        net.head.bias.zero_()
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert net(x)[:, 0].tolist() == [0.0, 1.0, 1.0, 0.0]


def test_without_an_activation_it_is_one_affine_map():
    net = MLP(5, 3, hidden=(7, 6), activation=nn.Identity).double()
    x = torch.randn(4, 5, dtype=torch.double)
    first, second, head = net.body[0], net.body[2], net.head
    weight = head.weight @ second.weight @ first.weight
    bias = head.weight @ (second.weight @ first.bias + second.bias) + head.bias
    torch.testing.assert_close(net(x), x @ weight.mT + bias, rtol=0, atol=1e-12)


def test_hidden_layers_are_activated_and_dropped():
    net = MLP(6, 2, hidden=(5, 4), activation="tanh", dropout=0.5)
    kinds = [type(layer) for layer in net.body]
    assert kinds == [nn.Linear, nn.Tanh, nn.Dropout] * 2
    x = torch.randn(3, 6)
    expected = torch.tanh(net.body[3](torch.tanh(net.body[0](x))))
    torch.testing.assert_close(net.eval().forward_features(x), expected)
    assert not torch.equal(net.train()(x), net.eval()(x))


@pytest.mark.parametrize(("hidden", "count"), [(8, 5 * 8 + 8 + 8 * 3 + 3), ((), 5 * 3 + 3)])
def test_hidden_may_be_a_number_or_empty(hidden, count):
    assert sum(p.numel() for p in MLP(5, 3, hidden).parameters()) == count
