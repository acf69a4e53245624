"""Laws of agents that learn values from replay: on a corridor whose values are known, in float64."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...cards.card import Card
from ...cards.reader import get
from ...data.experience import ObservationEncoder
from ...data.preparation import Preparation
from ...data.prepared import Prepared
from ...data.spec import Part, Spec
from ...data.targets import TargetCoder
from ...engine.learner import Batch
from ...learning.reinforcement.dqn import DQN
from .law import Check, close, must

PLACES, ACTIONS, PATIENCE = 5, 2, 3  # an episode is cut after PATIENCE steps
ROWS, STEPS = 128, 100


class Corridor:
    """Five places in a row, seen one-hot: 0 steps left, 1 right. The left end pays 0.3, the right end 2.

    Both ends end the episode; a time limit cuts it. Other steps cost 0.1.
    """

    observation_space = SimpleNamespace(shape=(PLACES,))
    action_space = SimpleNamespace(n=ACTIONS)

    def reset(self, *, seed: int | None = None) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
        self.place, self.steps = 1 + (seed or 0) % (PLACES - 2), 0
        return np.eye(PLACES)[self.place], {}

    def step(self, action: int) -> tuple[np.ndarray[Any, Any], float, bool, bool, dict[str, Any]]:
        self.place, reward, ended = walked(self.place, action)
        self.steps += 1
        return np.eye(PLACES)[self.place], reward, ended, self.steps == PATIENCE and not ended, {}

    def close(self) -> None: ...


def walked(place: int, action: int) -> tuple[int, float, bool]:
    """One step of the corridor: where it leads, what it pays, whether it ends there."""
    place += 1 if action else -1
    return place, {0: 0.3, PLACES - 1: 2.0}.get(place, -0.1), place in (0, PLACES - 1)


def optimal(discount: float) -> Tensor:
    """The corridor's values (places, actions) by value iteration; those of its ends are never asked for."""
    values = [[0.0] * ACTIONS for _ in range(PLACES)]
    for _ in range(100):
        for place in range(1, PLACES - 1):
            for action in range(ACTIONS):
                after, reward, ended = walked(place, action)
                values[place][action] = reward + (0.0 if ended else discount * max(values[after]))
    for end in (0, PLACES - 1):
        values[end] = [5.0, 7.0]  # as if life went on there: an agent that believes it is wrong
    return torch.tensor(values, dtype=torch.double)


def corridor() -> Prepared:
    """The corridor as data; its episodes are seeds 0..7."""
    spec = Spec(
        "environment", (PLACES,), "control", ACTIONS, tuple("01"[:ACTIONS]), environment="the corridor"
    )
    part = Part(torch.arange(8), None, np.arange(8))
    encoder = ObservationEncoder("the corridor", (PLACES,), ACTIONS)
    return Prepared(spec, part, part, part, Preparation(spec, encoder, TargetCoder("none", (), ())))


def agent(card: Card, seed: int = 0, **options: Any) -> DQN:
    """The card's agent for the corridor, its weights drawn from a seed, told of a plan."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        made: DQN = get(card.name).for_data(corridor().spec, environment=Corridor, **{**card.tiny, **options})
    made.planned(STEPS, STEPS)
    return made


def knowing(card: Card, values: Callable[[float], Tensor]) -> DQN:
    """The card's agent in float64 with values (places, actions) of its discount in both of its networks."""
    made = agent(card, hidden=(), reward_scale=1.0).double()
    with torch.no_grad():
        for parameter in made.network.parameters():
            parameter.zero_()
            if parameter.ndim == 2:
                parameter.copy_(values(made.discount).T)
    made.updated("all", made.period - 1)
    return made


def _lived(made: DQN, seed: int = 0) -> Batch:
    """A batch of the agent's own experience."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        source = made.source(corridor(), ROWS, seed, "cpu")
        for _ in range(ROWS):
            source.live(made, 0)
        return source.batch(0, 0, made)


def _loss(made: DQN, batch: Batch) -> Tensor:
    loss = made.loss("all", batch)
    return loss[0] if isinstance(loss, tuple) else loss


def optimal_values_have_no_loss(card: Card) -> None:
    """With the values of value iteration every transition agrees, at ends and at time limits."""
    made = knowing(card, optimal)
    batch = _lived(made)
    ended = batch[4] > 0
    must(
        bool(ended.any()) and not bool(ended.all()),
        f"{card.name}: its experience has no ends, or nothing else",
    )
    close(_loss(made, batch), torch.zeros(()), 1e-12, f"{card.name}: the loss of the optimal values")


def a_cut_is_no_end(card: Card) -> None:
    """Transitions into a time limit are remembered as going on, those into an end of the corridor as ends."""
    before, action, _, after, ended = _lived(agent(card))
    at_end = after[:, 0] + after[:, -1]
    close(ended, at_end, 0, f"{card.name}: what it takes for an end")
    places = before.argmax(1) + 2 * action - 1
    close(after.argmax(1), places, 0, f"{card.name}: where actions led")


def loss_is_the_clipped_error(card: Card) -> None:
    """The gradient at each value is its temporal-difference error, clipped to [-1, 1], over the batch."""
    made = knowing(card, lambda discount: 3 * optimal(discount).sin())
    batch = _lived(made)
    before, action, reward, after, ended = batch
    table = 3 * optimal(made.discount).sin()
    grads = torch.zeros(PLACES, ACTIONS, dtype=torch.double)
    for row in range(ROWS):
        place, goal = int(before[row].argmax()), float(reward[row])
        if not ended[row]:
            goal += made.discount * max(table[int(after[row].argmax())].tolist())
        error = float(table[place, action[row]]) - goal
        grads[place, action[row]] += min(1.0, max(-1.0, error)) / ROWS
    _loss(made, batch).backward()
    (weight,) = (p for p in made.network.parameters() if p.ndim == 2)
    assert weight.grad is not None
    close(weight.grad.T, grads, 1e-10, f"{card.name}: the gradient of its loss")


def the_target_moves_at_its_period(card: Card) -> None:
    """The target stands still but for every `period`-th update, when it becomes the network."""
    made, other = agent(card), agent(card, seed=1)
    made.network.load_state_dict(other.network.state_dict())
    before = [buffer.clone() for buffer in made.target.buffers()]
    for step in range(made.period):
        same = all(torch.equal(b, now) for b, now in zip(before, made.target.buffers(), strict=True))
        must(same, f"{card.name}: its target moves before update {step + 1} of a period of {made.period}")
        made.updated("all", step)
    pairs = zip(made.network.parameters(), made.target.buffers(), strict=True)
    must(all(torch.equal(p, b) for p, b in pairs), f"{card.name}: its target is not copied at its period")


def exploration_fades_evenly(card: Card) -> None:
    """Random actions have the planned share: all at first, then fewer and fewer, then the least."""
    made, count = agent(card), 50_000
    seen = torch.eye(PLACES)[torch.ones(count, dtype=torch.long)]
    fading = made.exploration * STEPS
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        for part in (0.0, 0.5, 0.9, 1.0, 1.5):
            step = round(part * fading)
            share = max(made.least, 1 - (1 - made.least) * step / fading)
            other = (made.act(seen, step) != made.greedy(seen)).double().mean()
            expected = share * (1 - 1 / ACTIONS)
            off = abs(float(other) - expected) / (expected * (1 - expected) / count) ** 0.5
            must(off < 5, f"{card.name}: at step {step} {float(other):.3f} of its actions are not greedy")


def experience_goes_on_exactly(card: Card) -> None:
    """A fresh source with the state of a first one, taken in the midst of episodes, gives its batches."""
    made = agent(card)
    one, two = (made.source(corridor(), ROWS, 3, "cpu") for _ in range(2))
    with torch.random.fork_rng(devices=[]):
        for step in range(20):
            one.batch(step, 0, made)
        two.load_state_dict(one.state_dict())
        for step in range(20, 40):
            drawn = []
            for source in (one, two):
                torch.default_generator.manual_seed(step)
                drawn.append(source.batch(step, 0, made))
            same = all(torch.equal(a, b) for a, b in zip(*drawn, strict=True))
            must(same, f"{card.name}: its experience differs after its state is taken over")


def scores_are_returns_of_greedy_episodes(card: Card) -> None:
    """Each episode's return is what its rewards add up to, played alone and greedily."""
    for seed in range(4):
        made = agent(card, seed)
        seeds = torch.arange(8)
        got, expected = made.scores((seeds,))["return"], []
        for start in seeds.tolist():
            world, total, over = Corridor(), 0.0, False
            seen, _ = world.reset(seed=start)
            while not over:
                action = int(made.greedy(torch.from_numpy(seen)[None].float())[0])
                seen, reward, ended, cut, _ = world.step(action)
                total, over = total + reward, ended or cut
            expected.append(total)
        close(got, torch.tensor(expected), 1e-6, f"{card.name}: returns")


LAWS: tuple[Check, ...] = (
    optimal_values_have_no_loss,
    a_cut_is_no_end,
    loss_is_the_clipped_error,
    the_target_moves_at_its_period,
    exploration_fades_evenly,
    experience_goes_on_exactly,
    scores_are_returns_of_greedy_episodes,
)
