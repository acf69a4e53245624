"""Laws of exact densities: of learners that are flows, in float64, at parameters drawn at random.

A flow just built is nearly the identity, which hides every error.
"""

from functools import partial

import torch
from torch import Tensor, nn

from ...cards.card import Card
from ...cards.reader import get
from ...data.spec import Spec
from ...generative.flows.flow import Flow
from .law import Check, close, draw, must

PLANE = Spec("table", (2,), "none", 0)
SPECS = (PLANE, Spec("table", (5,), "none", 0), Spec("image", (1, 8, 8), "none", 0))
GRID = 400  # points along each axis of the plane
DRAWS = 20_000


def is_density(card: Card) -> bool:
    """Whether a card's thing is a flow."""
    thing = get(card.name)
    thing = getattr(thing, "func", thing)  # a variant is a partial
    return isinstance(thing, type) and issubclass(thing, Flow)


def flow(card: Card, spec: Spec, seed: int = 0) -> Flow:
    """The card's flow with every parameter and running average moved from where it starts."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        learner: Flow = get(card.name).for_data(spec, **card.tiny).double().eval()
        with torch.no_grad():
            for parameter in learner.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
            for norm in learner.modules():
                if isinstance(getattr(norm, "variance", None), Tensor):
                    _move(norm)
    return learner.requires_grad_(False)


def _move(norm: nn.Module) -> None:
    for name in ("mean", "variance"):
        average = norm.get_buffer(name)
        average.add_(0.3 * torch.rand_like(average))


def example(spec: Spec, count: int) -> Tensor:
    """Points within 0..1, none at its ends."""
    return draw(count, *spec.shape, dtype=torch.double).sigmoid()


def inverse_undoes_the_transform(card: Card) -> None:
    """Data to noise and back, and noise to data and back, are the identity; the log-determinants cancel."""
    for spec in SPECS:
        learner = flow(card, spec)
        x = example(spec, 4)
        z, log_det = learner.transforms(x)
        back, log_back = learner.transforms.inverse(z)
        must(
            z[0].numel() == x[0].numel(), f"{card.name}: noise has {z[0].numel()} values, data {x[0].numel()}"
        )
        close(back, x, 1e-9, f"{card.name}: data to noise and back")
        close(log_back, -log_det, 1e-9, f"{card.name}: the log-determinant of the inverse")
        noise = draw(*z.shape, seed=1, dtype=torch.double)
        close(learner.transforms(learner.transforms.inverse(noise)[0])[0], noise, 1e-8, card.name)


def log_determinant_is_autograd_s(card: Card) -> None:
    """The log-determinant of each sample is log|det| of the Jacobian that autograd finds."""
    for spec in SPECS:
        learner, x = flow(card, spec), example(spec, 3)
        log_det = learner.transforms(x)[1]
        noise = partial(_noise_of, learner)
        for k, row in enumerate(x):
            jacobian = torch.autograd.functional.jacobian(noise, row)
            exact = jacobian.reshape(row.numel(), -1).slogdet().logabsdet
            close(log_det[k], exact, 1e-8, f"{card.name}: log|det| on a {spec.modality} of {spec.shape}")


def _noise_of(learner: Flow, row: Tensor) -> Tensor:
    return learner.transforms(row[None])[0].flatten()


def samples_stand_alone(card: Card) -> None:
    """In evaluation a row's log-density does not depend on the rows beside it."""
    learner, x = flow(card, SPECS[1]), example(SPECS[1], 4)
    close(learner.log_prob(x), torch.cat([learner.log_prob(row) for row in x.split(1)]), 1e-10, card.name)


def _grid(learner: Flow) -> tuple[Tensor, Tensor]:
    """A grid over all that noise of 7 standard deviations can become, and the area around each point."""
    circle = torch.linspace(0, 2 * torch.pi, 200, dtype=torch.double)
    rings = [r * torch.stack([circle.cos(), circle.sin()], 1) for r in torch.linspace(0, 7, 30).tolist()]
    reached = learner.inverse(torch.cat(rings))
    low, high = reached.amin(0), reached.amax(0)
    axes = [
        torch.linspace(float(a), float(b), GRID, dtype=torch.double) for a, b in zip(low, high, strict=True)
    ]
    area = ((high - low) / (GRID - 1)).prod()
    return torch.cartesian_prod(*axes), area


def density_integrates_to_one(card: Card) -> None:
    """Over the plane the density sums up to 1."""
    learner = flow(card, PLANE)
    points, area = _grid(learner)
    total = float(learner.log_prob(points).exp().sum() * area)
    must(abs(total - 1) < 1e-3, f"{card.name}: its density integrates to {total:.6f}, not to 1")


def samples_follow_the_density(card: Card) -> None:
    """Mean and second moments of samples are those of the density, within five standard errors."""
    learner = flow(card, PLANE)
    points, area = _grid(learner)
    weights = learner.log_prob(points).exp() * area
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        x = learner.sample(DRAWS)

    def moments(p: Tensor) -> Tensor:  # (n, 2) -> (n, 5)
        return torch.stack([p[:, 0], p[:, 1], p[:, 0] ** 2, p[:, 1] ** 2, p[:, 0] * p[:, 1]], 1)

    exact, drawn = (weights[:, None] * moments(points)).sum(0), moments(x)
    errors = (drawn.mean(0) - exact).abs() / (drawn.std(0) / DRAWS**0.5)
    must(
        bool((errors < 5).all()), f"{card.name}: moments of samples are {errors.tolist()} standard errors off"
    )


LAWS: tuple[Check, ...] = (
    inverse_undoes_the_transform,
    log_determinant_is_autograd_s,
    samples_stand_alone,
    density_integrates_to_one,
    samples_follow_the_density,
)
