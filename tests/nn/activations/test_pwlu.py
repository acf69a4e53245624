from math import floor, sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def formula(x: float, low: float, high: float, left: float, right: float, heights: list[float]) -> float:
    n = len(heights) - 1
    if x < low:
        return heights[0] + left * (x - low)
    if x > high:
        return heights[-1] + right * (x - high)
    d = (high - low) / n
    piece = min(floor((x - low) / d), n - 1)
    return heights[piece] + (x - low - piece * d) * (heights[piece + 1] - heights[piece]) / d


def settled(channels: int = 3, pieces: int = 4, **options: int) -> torch.nn.Module:
    """One that has seen its statistics and learned something."""
    act = create("pwlu", channels=channels, pieces=pieces, settling=2, **options).double()
    torch.manual_seed(1)
    for _ in range(3):
        act(torch.randn(50, channels, 2, 2, dtype=torch.double) * 2 + 0.5)
    with torch.no_grad():
        for p in act.parameters():
            p.normal_(std=0.3)
    return act.eval()


def test_it_is_the_formula_for_each_channel():
    act, x = settled(), torch.randn(20, 3, 2, 5, dtype=torch.double) * 6
    got = act(x)
    for c in range(3):
        mean, spread = act.mean[c].item(), act.spread[c].item()
        start, end = mean - 3 * spread, mean + 3 * spread
        relu = [max(0, start + k * (end - start) / 4) for k in range(5)]
        heights = [y + d for y, d in zip(relu, act.points[c].tolist())]
        low, high = start + act.low[c].item(), end + act.high[c].item()
        left, right = act.left[c].item(), 1 + act.right[c].item()
        for y, z in zip(got[:, c].flatten().tolist(), x[:, c].flatten().tolist()):
            assert y == pytest.approx(formula(z, low, high, left, right, heights), abs=1e-9)
    assert (x[:, 0] < start).any() and (x[:, 0] > end).any()


def test_the_gradients_are_right_by_all_that_it_learns():
    act, x = settled(), torch.randn(6, 3, 2, 2, dtype=torch.double, requires_grad=True)
    names = [name for name, _ in act.named_parameters()]

    def call(x, *values):
        return torch.func.functional_call(act, dict(zip(names, values)), (5 * x,))

    values = [p.detach().clone().requires_grad_() for p in act.parameters()]
    assert torch.autograd.gradcheck(call, (x, *values))
    assert torch.autograd.gradgradcheck(call, (x, *values))


def test_it_watches_as_relu_and_learns_nothing_until_it_has_settled():
    act = create("pwlu", channels=2, settling=3)
    mean, spread = [0.0, 0.0], [0.0, 0.0]
    for step in range(3):
        x = torch.randn(40, 2) * torch.tensor([1.0, 3.0]) + step
        y = act(x)
        assert torch.equal(y, x.relu())
        y.sum().backward()
        assert all(not p.grad.any() for p in act.parameters())
        for c in range(2):
            rows = x[:, c].tolist()
            m = sum(rows) / 40
            s = sqrt(sum((r - m) ** 2 for r in rows) / 40)
            mean[c] = m if step == 0 else 0.9 * mean[c] + 0.1 * m
            spread[c] = s if step == 0 else 0.9 * spread[c] + 0.1 * s
    assert act.mean.tolist() == pytest.approx(mean, abs=1e-5)
    assert act.spread.tolist() == pytest.approx(spread, abs=1e-5)
    kept = {name: buffer.clone() for name, buffer in act.named_buffers()}
    x = torch.linspace(-9, 9, 200)[:, None].expand(-1, 2)
    y = act(x)
    (y + 1).square().sum().backward()
    assert all(p.grad.any() for p in act.parameters())
    assert all(torch.equal(buffer, kept[name]) for name, buffer in act.named_buffers())
    width = 6 * act.spread / 16
    apart = (y - x.relu()).abs()
    assert apart.max() > 0 and (apart[x.abs() > width] < 1e-5).all()  # unlike ReLU around zero alone


def test_with_a_piece_that_ends_at_zero_it_starts_as_relu():
    act, x = create("pwlu", channels=1, settling=0), torch.linspace(-9, 9, 99)[:, None]
    assert torch.allclose(act(x), x.relu(), atol=1e-6)


def test_it_goes_on_where_it_was_stopped():
    whole = create("pwlu", channels=3, settling=4)
    batches = [torch.randn(8, 3) for _ in range(6)]
    for x in batches[:2]:
        whole(x)
    other = create("pwlu", channels=3, settling=4)
    other.load_state_dict(whole.state_dict())
    for x in batches[2:]:
        assert torch.equal(whole(x), other(x))
    assert whole.seen == other.seen == 4
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), other.state_dict().values()))


def test_evaluation_and_empty_batches_move_nothing():
    act = create("pwlu", channels=3)
    act(torch.zeros(0, 3))
    act.eval()(torch.randn(5, 3))
    assert act.seen == 0 and not act.mean.any() and (act.spread == 1).all()


def test_closed_ranges_constant_inputs_and_gaps_stay_usable():
    act = create("pwlu", channels=1, settling=1)
    act(torch.full((4, 1), 2.0))
    x = torch.tensor([[-5.0], [2.0], [7.0]], requires_grad=True)
    y = act(x)
    y.sum().backward()
    assert torch.isfinite(y).all() and torch.isfinite(x.grad).all()
    assert y[:, 0].tolist() == pytest.approx([2, 2, 7], abs=1e-2)
    assert act(torch.tensor([[torch.nan], [torch.inf]])).isnan().tolist() == [[True], [False]]


@pytest.mark.parametrize("words", [{"channels": 0}, {"channels": 2, "pieces": 0}])
def test_counts_are_checked(words):
    with pytest.raises(UsageError, match="must be a whole number of at least 1"):
        create("pwlu", **words)
    with pytest.raises(UsageError, match="settling=-1"):
        create("pwlu", channels=2, settling=-1)
