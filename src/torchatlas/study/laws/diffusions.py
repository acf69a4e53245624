"""Laws of diffusions: of learners with a Gaussian noising process and a step back, in float64."""

import torch
from torch import Tensor, nn

from ...cards.card import Card
from ...cards.reader import get
from ...data.spec import Spec
from ...generative.diffusion.ddpm import DDPM
from ...generative.diffusion.process import Noising
from .law import Check, close, draw, must

LINE = Spec("table", (1,), "none", 0)
MEAN, SPREAD = 0.7, 0.5  # of the data whose noise is known exactly


def is_diffusion(card: Card) -> bool:
    """Whether a card's thing is a diffusion."""
    thing = get(card.name)
    thing = getattr(thing, "func", thing)  # a variant is a partial
    return isinstance(thing, type) and issubclass(thing, DDPM)


def diffusion(card: Card) -> tuple[DDPM, Noising]:
    """The card's learner for one column at its usual number of steps, in float64, and its process."""
    learner: DDPM = get(card.name).for_data(LINE, hidden=(4,))
    learner.process = Noising(learner.process.betas, torch.double)
    return learner.double().requires_grad_(False), learner.process


def noise_adds_up(card: Card) -> None:
    """Single steps from the variances, one after another, are what `noised` does at once at every time."""
    learner, process = diffusion(card)
    must(bool(((process.betas > 0) & (process.betas < 1)).all()), f"{card.name}: a variance is not in 0..1")
    factor, variance = 1.0, 0.0
    for step, beta in enumerate(process.betas.tolist()):
        factor, variance = factor * (1 - beta) ** 0.5, (1 - beta) * variance + beta
        t = torch.tensor([step])
        one, none = torch.ones(1, 1, dtype=torch.double), torch.zeros(1, 1, dtype=torch.double)
        close(learner.process.noised(one, t, none)[0, 0], one[0, 0] * factor, 1e-10, f"{card.name} at {step}")
        got = learner.process.noised(none, t, one)[0, 0] ** 2
        close(got, one[0, 0] * variance, 1e-10, f"{card.name}: the variance at {step}")


def begins_with_data_and_ends_in_noise(card: Card) -> None:
    """The first step leaves 99 % of the signal's power at least, the last one 1 % at most."""
    _, process = diffusion(card)
    first, last = float(process.alpha_bars[0]), float(process.alpha_bars[-1])
    must(first > 0.99 and last < 0.01, f"{card.name}: the signal's power goes from {first:.4f} to {last:.4f}")


def posterior_is_bayes_rule(card: Card) -> None:
    """q(x_{t-1}|x_t,x_0) is the product of q(x_t|x_{t-1}) and q(x_{t-1}|x_0), at every time."""
    _, process = diffusion(card)
    steps = torch.arange(1, len(process))
    x, now = draw(len(steps), 1, dtype=torch.double), draw(len(steps), 1, seed=1, dtype=torch.double)
    beta, before = process.betas[1:, None], process.alpha_bars[:-1, None]
    precision = (1 - beta) / beta + 1 / (1 - before)
    mean = ((1 - beta).sqrt() * now / beta + before.sqrt() * x / (1 - before)) / precision
    close(process.posterior_mean(x, now, steps), mean, 1e-9, f"{card.name}: the posterior's mean")
    close(
        process.posterior_variances[1:], 1 / precision[:, 0], 1e-9, f"{card.name}: the posterior's variance"
    )
    first = torch.zeros(len(x), dtype=torch.long)
    close(process.posterior_mean(x, now, first), x, 1e-9, f"{card.name}: x_0 given x_1 and x_0")
    must(float(process.posterior_variances[0]) == 0, f"{card.name}: x_0 is not certain, given itself")


class ExactNoise(nn.Module):
    """The mean noise in x_t where the data is normal."""

    def __init__(self, process: Noising, mean: float, spread: float):
        super().__init__()
        self.process, self.mean, self.spread = process, mean, spread

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        kept = self.process.alpha_bars[t][:, None]
        off = x - kept.sqrt() * self.mean
        return (1 - kept).sqrt() * off / (kept * self.spread**2 + 1 - kept)


def returned(learner: DDPM, mean: float, spread: float) -> tuple[float, float]:
    """Mean and standard deviation of samples where the network knows the noise of normal data exactly.

    Each step back is then affine, so both are carried through it without drawing.
    """
    learner.network = ExactNoise(learner.process, mean, spread)
    now_mean, now_variance = 0.0, 1.0
    probe = torch.tensor([[0.0], [1.0], [0.0]], dtype=torch.double)
    noise = torch.tensor([[0.0], [0.0], [1.0]], dtype=torch.double)
    for step in reversed(range(len(learner.process))):
        offset, at_one, with_noise = learner.step_back(probe, torch.full((3,), step), noise)[:, 0].tolist()
        slope, added = at_one - offset, with_noise - offset
        now_mean, now_variance = offset + slope * now_mean, slope**2 * now_variance + added**2
    return now_mean, now_variance**0.5


def exact_noise_gives_back_the_data(card: Card) -> None:
    """With the exact noise of normal data, samples have its mean and standard deviation, within 1 %."""
    learner, _ = diffusion(card)
    mean, spread = returned(learner, MEAN, SPREAD)
    must(
        abs(mean - MEAN) < 0.01 * MEAN and abs(spread - SPREAD) < 0.01 * SPREAD,
        f"{card.name}: samples of N({MEAN}, {SPREAD}²) have mean {mean:.5f} and deviation {spread:.5f}",
    )


def the_last_step_adds_no_noise(card: Card) -> None:
    """The step to the data itself is the same whatever noise it is handed."""
    learner, _ = diffusion(card)
    now, t = draw(4, 1, dtype=torch.double), torch.zeros(4, dtype=torch.long)
    still, moved = (learner.step_back(now, t, torch.full_like(now, value)) for value in (0.0, 5.0))
    must(torch.equal(still, moved), f"{card.name}: the last step back adds noise")


LAWS: tuple[Check, ...] = (
    noise_adds_up,
    begins_with_data_and_ends_in_noise,
    posterior_is_bayes_rule,
    exact_noise_gives_back_the_data,
    the_last_step_adds_no_noise,
)
