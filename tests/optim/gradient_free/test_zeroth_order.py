from math import sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.optim.gradient_free.directions import directions


def moved(loss, start, **options):
    """What plain SGD at rate 1 takes from the weights in one step: the estimate."""
    weight = torch.nn.Parameter(torch.tensor(start, dtype=torch.double))
    before = weight.detach().clone()
    optimizer = create("zeroth_order", [weight], lr=1.0, **options)
    value = optimizer.step(torch.no_grad()(lambda: loss(weight)))
    return (before - weight.detach()).tolist(), value.item()


def drawn(count, seed=0, step=0, sample=0):
    """The directions that the seed, the step and the sample lead to."""
    weight = torch.zeros(count, dtype=torch.double)
    return directions([weight], seed, step, sample, "ZerothOrder")[0].tolist()


SLOPE = (3.0, -1.0, 0.5, 2.0)


def linear(w):
    return (torch.tensor(SLOPE, dtype=torch.double) * w).sum() + 7


def bowl(w):
    return (torch.arange(1, len(w) + 1, dtype=torch.double) * w**2).sum() / 2


@pytest.mark.parametrize("two_sided", [True, False])
def test_a_sample_is_the_difference_along_its_direction(two_sided):
    start, eps = [1.0, -2.0, 0.5], 0.01
    u = drawn(3, seed=4)

    def f(w):
        return sum((i + 1) * x * x for i, x in enumerate(w)) / 2

    ahead = f([x + eps * y for x, y in zip(start, u, strict=True)])
    behind = f([x - eps * y for x, y in zip(start, u, strict=True)])
    slope = (ahead - behind) / (2 * eps) if two_sided else (ahead - f(start)) / eps
    got, value = moved(bowl, start, eps=eps, seed=4, two_sided=two_sided)
    assert got == pytest.approx([slope * y for y in u], rel=1e-9)
    assert value == pytest.approx((ahead + behind) / 2 if two_sided else f(start))


def test_only_one_side_has_an_error_in_the_first_order():
    """On a bowl the two-sided slope is exact for any eps; the one-sided one is off by eps uHu / 2."""
    start = [1.0, -2.0, 0.5]
    u = drawn(3)
    exact = sum((i + 1) * x * y for i, (x, y) in enumerate(zip(start, u, strict=True)))
    curved = sum((i + 1) * y * y for i, y in enumerate(u)) / 2
    for eps in (0.1, 1.0):
        both, _ = moved(bowl, start, eps=eps)
        one, _ = moved(bowl, start, eps=eps, two_sided=False)
        assert both == pytest.approx([exact * y for y in u], rel=1e-9)
        assert one == pytest.approx([(exact + eps * curved) * y for y in u], rel=1e-9)


@pytest.mark.parametrize("sphere", [False, True])
def test_the_mean_over_directions_is_the_gradient(sphere):
    got, _ = moved(linear, [0.0] * 4, samples=20000, sphere=sphere)
    assert got == pytest.approx(SLOPE, abs=0.15)


def test_directions_on_the_sphere_need_the_number_of_weights():
    u = drawn(4)
    norm = sqrt(sum(y * y for y in u))
    u = [y / norm for y in u]
    slope = sum(a * y for a, y in zip(SLOPE, u, strict=True))
    got, _ = moved(linear, [0.0] * 4, sphere=True)
    assert got == pytest.approx([4 * slope * y for y in u], rel=1e-7)


def test_samples_are_averaged():
    parts = []
    for sample in range(3):
        u = drawn(4, sample=sample)
        slope = sum(a * y for a, y in zip(SLOPE, u, strict=True))
        parts.append([slope * y for y in u])
    got, _ = moved(linear, [0.0] * 4, samples=3)
    assert got == pytest.approx([sum(some) / 3 for some in zip(*parts, strict=True)], rel=1e-9)


def test_each_step_draws_anew_and_leaves_gradients_and_weights_as_they_were():
    weight = torch.nn.Parameter(torch.ones(3))
    weight.grad = torch.full((3,), 5.0)
    optimizer = create("zeroth_order", [weight], base="sgd", lr=0.0)
    seen = []

    def closure():
        seen.append(weight.detach().clone())
        return weight.square().sum()

    optimizer.step(closure)
    optimizer.step(closure)
    assert weight.tolist() == [1.0] * 3 and weight.grad.tolist() == [5.0] * 3
    assert len(seen) == 4 and not torch.equal(seen[0], seen[2])


def test_the_base_takes_the_step():
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
    create("zeroth_order", [weight], base="adam", lr=0.1).step(lambda: weight.square().sum())
    assert (weight.detach() - torch.tensor([1.0, 2.0, 3.0])).abs().tolist() == pytest.approx(
        [0.1] * 3, rel=1e-3
    )


def test_wrong_options_are_refused():
    weight = torch.nn.Parameter(torch.ones(2))
    for options in ({"eps": 0.0}, {"samples": 0}):
        with pytest.raises(UsageError, match=next(iter(options))):
            create("zeroth_order", [weight], **options)
    with pytest.raises(UsageError, match="closure"):
        create("zeroth_order", [weight]).step()
    with pytest.raises(UsageError, match="complex"):
        create("zeroth_order", [torch.nn.Parameter(torch.ones(2, dtype=torch.cfloat))])
