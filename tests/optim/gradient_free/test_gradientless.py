import math
from itertools import pairwise

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

NAMES = ("gradientless_descent", "gld_fast")


def run(name, steps=40, transform=lambda y: y, dtype=torch.double, **options):
    """The path and the losses on a bowl, each point that was looked at, with one seed."""
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=dtype))
    optimizer = create(name, [weight], **{"lr": 2.0} | options)
    path, losses, looks = [], [], []

    def closure():
        looks.append(weight.detach().clone())
        return transform((torch.tensor([1.0, 3.0, 2.0], dtype=dtype) * weight**2).sum())

    with torch.no_grad():
        for _ in range(steps):
            losses.append(optimizer.step(closure).item())
            path.append(weight.detach().clone())
    return path, losses, looks


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_never_rises_and_falls_far(name):
    _, losses, _ = run(name, 300)
    assert all(b <= a for a, b in pairwise(losses))
    assert losses[-1] < 1e-3 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_any_rising_function_of_the_loss_gives_the_same_path(name):
    plain, _, _ = run(name)
    for transform in (torch.exp, lambda y: -torch.exp(-y.sqrt()), lambda y: 5 * y - 100):
        other, _, _ = run(name, transform=transform)
        assert all(torch.equal(a, b) for a, b in zip(plain, other, strict=True))


def test_a_step_goes_to_the_best_of_what_it_looked_at():
    path, _, looks = run("gradientless_descent", 6, halvings=4)
    assert len(looks) == 6 * 6
    for step, end in enumerate(path):
        points = looks[6 * step : 6 * step + 6]
        values = [(torch.tensor([1.0, 3.0, 2.0]) * p**2).sum().item() for p in points]
        assert torch.equal(end, points[values.index(min(values))])


def test_radii_are_halved_from_the_rate_on():
    """Points of a ball of three dimensions: their mean length is 3/4 of its radius."""
    looks = [run("gradientless_descent", 1, seed=seed, halvings=3)[2] for seed in range(400)]
    for k in range(4):
        lengths = [(points[1 + k] - points[0]).norm().item() for points in looks]
        radius = 2.0 * 2**-k
        assert max(lengths) <= radius * (1 + 1e-6)
        assert sum(lengths) / 400 == pytest.approx(0.75 * radius, rel=0.05)


def test_the_fast_search_looks_at_fewer_radii_and_narrows_them():
    _, _, looks = run("gld_fast", 1, condition=4.0)
    assert len(looks) == 1 + 2 * 3 + 1  # K = log2(4 * 2) = 3
    period = math.ceil(3 * 4.0 * 2)
    weight = torch.nn.Parameter(torch.zeros(3))
    optimizer = create("gld_fast", [weight], lr=1.0, condition=4.0)
    assert [optimizer._powers(3, step) for step in (0, period - 1, period, 2 * period)] == [
        (range(-3, 4), 0),
        (range(-3, 4), 0),
        (range(-3, 4), 1),
        (range(-3, 4), 2),
    ]


def test_each_group_has_its_own_radius():
    moving, resting = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = create(
        "gradientless_descent", [{"params": [moving], "lr": 1.0}, {"params": [resting], "lr": 0.0}]
    )
    for _ in range(10):
        optimizer.step(lambda: (moving.square() + resting.square()).sum())
    assert resting.tolist() == [1.0, 1.0] and moving.square().sum() < 2


def test_the_weights_are_put_back_where_the_closure_fails():
    weight, calls = torch.nn.Parameter(torch.ones(2)), []

    def fails():
        calls.append(1)
        if len(calls) == 4:
            raise KeyError
        return weight.square().sum()

    with pytest.raises(KeyError):
        create("gradientless_descent", [weight]).step(fails)
    assert weight.tolist() == [1.0, 1.0]


def test_wrong_options_are_refused():
    weight = torch.nn.Parameter(torch.ones(2))
    for options in ({"halvings": -1}, {"condition": 0.5}):
        with pytest.raises(UsageError, match=next(iter(options))):
            create("gradientless_descent", [weight], **options)
    with pytest.raises(UsageError, match="closure"):
        create("gradientless_descent", [weight]).step()
