import pytest
import torch
import torch.nn.functional as F

from torchatlas import create
from torchatlas.engine.errors import UsageError


@pytest.mark.parametrize(
    ("name", "options", "value"),
    [
        ("init_zeros_ones_constant", {}, 0.0),
        ("init_zeros_ones_constant", {"value": 0.01}, 0.01),
        ("init_zeros", {}, 0.0),
        ("init_ones", {}, 1.0),
    ],
)
def test_every_number_is_the_same(name, options, value):
    assert set(create(name, **options)(torch.randn(3, 4, dtype=torch.double)).flatten().tolist()) == {value}


@pytest.mark.parametrize("name", ["init_zeros_ones_constant"])
def test_units_that_begin_alike_stay_alike(name):
    layers = [torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)]
    for layer in layers:
        create(name, value=0.1)(layer.weight), create(name)(layer.bias)
    layers[1](layers[0](torch.randn(5, 3)).tanh()).square().sum().backward()
    gradient = layers[0].weight.grad
    assert gradient.any() and torch.allclose(gradient, gradient[:1].expand(4, 3))


@pytest.mark.parametrize("name", ["init_identity"])
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4)])
def test_the_identity_keeps_what_it_can(name, shape):
    weight = create(name)(torch.full(shape, torch.nan)).tolist()
    assert weight == [[float(i == j) for j in range(shape[1])] for i in range(shape[0])]


@pytest.mark.parametrize("name", ["init_identity"])
@pytest.mark.parametrize(("outputs", "inputs"), [(3, 5), (5, 3)])
def test_a_convolution_passes_its_first_channels_on(name, outputs, inputs):
    few = min(outputs, inputs)
    for conv, place in ((F.conv1d, (7,)), (F.conv2d, (7, 6)), (F.conv3d, (4, 5, 6))):
        weight = create(name)(torch.empty(outputs, inputs, *[3] * len(place)))
        x = torch.randn(2, inputs, *place)
        y = conv(x, weight, padding=1)
        assert torch.equal(y[:, :few], x[:, :few]) and not y[:, few:].any()
    grouped = create(name, groups=2)(torch.empty(6, 2, 3, 3))
    x = torch.randn(1, 4, 5, 5)
    expected = torch.cat([x[:, :2], torch.zeros(1, 1, 5, 5), x[:, 2:], torch.zeros(1, 1, 5, 5)], 1)
    assert torch.equal(F.conv2d(x, grouped, padding=1, groups=2), expected)


def hadamard(i: int, j: int) -> int:
    """Sylvester's matrix: the parity of the bits that both numbers have."""
    return -1 if bin(i & j).count("1") % 2 else 1


@pytest.mark.parametrize("name", ["init_zero_hadamard"])
@pytest.mark.parametrize("shape", [(3, 5), (4, 4), (5, 3), (8, 4), (9, 8), (64, 10), (2, 1)])
def test_wider_layers_have_a_corner_of_hadamards_matrix(name, shape):
    weight = create(name)(torch.full(shape, torch.nan, dtype=torch.double))
    rows, columns = shape
    power = 1
    while 2**power < rows:
        power += 1
    for i in range(rows):
        for j in range(columns):
            expected = float(i == j) if rows <= columns else hadamard(i, j) * 2 ** (-power / 2)
            assert weight[i, j].item() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("name", ["init_zero_hadamard"])
def test_a_whole_hadamard_matrix_keeps_lengths(name):
    weight = create(name)(torch.empty(64, 10))
    torch.testing.assert_close(weight.T @ weight, torch.eye(10))


@pytest.mark.parametrize("name", ["init_zero_hadamard"])
@pytest.mark.parametrize("kernel", [(3,), (3, 5), (3, 3, 3)])
def test_a_convolution_has_it_at_the_middle(name, kernel):
    for outputs, inputs in ((6, 4), (4, 6)):
        weight = create(name)(torch.full((outputs, inputs, *kernel), torch.nan))
        middle = (slice(None), slice(None), *(k // 2 for k in kernel))
        assert torch.equal(weight[middle], create(name)(torch.empty(outputs, inputs)))
        assert torch.count_nonzero(weight) == torch.count_nonzero(weight[middle])


def test_what_is_no_weight_is_told():
    for name in ("init_identity", "init_zero_hadamard"):
        with pytest.raises(UsageError, match=r"\(outputs, inputs"):
            create(name)(torch.zeros(3))
    with pytest.raises(UsageError, match="groups"):
        create("init_identity", groups=2)(torch.zeros(3, 2, 1))
