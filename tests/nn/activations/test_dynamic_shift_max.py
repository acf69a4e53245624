import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.activations.dynamic_shift_max import squeezed


def affine(row: list[float], layer: torch.nn.Linear) -> list[float]:
    pairs = zip(layer.weight.tolist(), layer.bias.tolist())
    return [sum(w * v for w, v in zip(ws, row)) + b for ws, b in pairs]


@pytest.mark.parametrize(
    ("groups", "shifts", "pieces", "bound"), [(3, 2, 2, 2.0), (2, 1, 2, 1.0), (3, 3, 3, 2.0)]
)
def test_it_is_the_formula(groups, shifts, pieces, bound):
    options = {"groups": groups, "shifts": shifts, "pieces": pieces, "bound": bound}
    act = create("dynamic_shift_max", channels=6, **options).double()
    torch.nn.init.normal_(act.widen.weight, std=3)
    x = torch.randn(2, 6, 2, 2, dtype=torch.double)
    got = act(x)
    for b in range(2):
        hidden = [max(0, v) for v in affine(x[b].mean((1, 2)).tolist(), act.squeeze)]
        hard = [min(max(v + 3, 0), 6) / 6 for v in affine(hidden, act.widen)]
        a = [2 * bound * (v - 0.5) for v in hard]
        for i in range(6):
            for place in range(4):
                sums = [0.0] * pieces
                for k in range(pieces):
                    for j in range(shifts):
                        weight = a[(k * shifts + j) * 6 + i] + (1 if k == 0 and j == 0 else 0)
                        fellow = (i + j * 6 // groups) % 6
                        sums[k] += weight * x[b, fellow].flatten()[place].item()
                assert got[b, i].flatten()[place].item() == pytest.approx(max(sums), abs=1e-9)


def test_the_channels_move_by_one_group():
    act = create("dynamic_shift_max", channels=12, groups=3)
    for layer in (act.squeeze, act.widen):
        torch.nn.init.zeros_(layer.weight)
    with torch.no_grad():  # the second weight of the first piece: hard sigmoid 1, so a = 2
        act.widen.bias.zero_()
        act.widen.bias[12:24] = 3
    x = torch.arange(1.0, 13)[None, :, None, None]
    moved = (act(x) - x).flatten() / 2
    assert (moved - 1).tolist() == [4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3]


def test_without_an_answer_of_its_network_it_is_relu():
    act, x = create("dynamic_shift_max", channels=8), torch.randn(3, 8, 4, 4)
    torch.nn.init.zeros_(act.widen.weight)
    torch.nn.init.zeros_(act.widen.bias)
    assert torch.equal(act(x), x.relu())


@pytest.mark.parametrize(("wide", "narrow"), [(0, 4), (1, 4), (5, 8), (6, 8), (10, 12), (16, 16), (18, 20)])
def test_the_squeeze_is_a_multiple_of_four(wide, narrow):
    assert squeezed(wide) == narrow
    with pytest.raises(UsageError, match="groups=3 must divide"):
        create("dynamic_shift_max", channels=8, groups=3)


def test_the_gradient_is_right_for_more_shifts_and_pieces():
    act = create("dynamic_shift_max", channels=6, groups=3, shifts=3, pieces=3).double()
    torch.nn.init.normal_(act.widen.weight, std=3)
    x = torch.randn(2, 6, 2, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(act, x) and torch.autograd.gradgradcheck(act, x, fast_mode=True)


@pytest.mark.parametrize(("reduction", "hidden"), [(2, 32), (4, 16), (16, 4)])
def test_the_squeeze_is_so_many_times_narrower(reduction, hidden):
    act = create("dynamic_shift_max", channels=64, reduction=reduction)
    assert (act.squeeze.out_features, act.widen.out_features) == (hidden, 2 * 2 * 64)
