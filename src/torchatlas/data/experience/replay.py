"""Replay: transitions lived through by a learner, kept in a ring and drawn from at random."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...engine.errors import AtlasError, UsageError
from ...engine.randomness import key_seed
from .environments import Environment

PER_EPOCH = 1000  # steps that are called an epoch: experience has no end of its own
FIELDS = ("before", "action", "reward", "after", "ended")


class Actor:
    """One environment that is lived through, an episode after another; it can be set back exactly.

    Episode k is a function of (key, k) and of the actions taken in it: these are its state.
    """

    def __init__(self, environment: Environment, *key: object):
        self.environment, self.key = environment, key
        self.start(0)

    def start(self, episode: int) -> None:
        """Begin an episode."""
        self.episode, self.actions = episode, []  # type: int, list[int]
        self.observation, _ = self.environment.reset(seed=key_seed(*self.key, episode) % 2**31)

    def step(self, action: int) -> tuple[Any, float, bool]:
        """Act: what is seen then, the reward, and whether it ended there; a time limit is no end."""
        after, reward, terminated, truncated, _ = self.environment.step(action)
        self.actions.append(action)
        after = np.array(after)  # its own, should the environment write into it later
        self.observation = after
        if terminated or truncated:
            self.start(self.episode + 1)
        return after, float(reward), bool(terminated)

    def load(self, episode: int, actions: Sequence[int]) -> None:
        """Live an episode through again, up to where it was."""
        self.start(episode)
        for action in actions:
            self.step(action)


class Replay:
    """Batches (before, action, reward, after, ended) drawn evenly from the last `capacity` transitions.

    Each step lets `learner.act(observations, step)` choose for all `actors` at once, and keeps what happened.
    The first batch is drawn when `warmup` transitions are there, which are acted as at step 0. `ended` is 1
    where the episode came to its end and 0 where it was cut by a time limit: what follows has a value then.
    Rewards are multiplied by `reward_scale`.
    State: the ring's content, and each actor's episode and the actions taken in it.
    """

    draws = True
    steps_per_epoch = PER_EPOCH

    def __init__(
        self,
        make: Callable[[], Environment],
        shape: Sequence[int],
        capacity: int,
        batch_size: int,
        seed: int,
        *,
        warmup: int = 0,
        actors: int = 1,
        reward_scale: float = 1.0,
        like: Tensor | None = None,
    ):
        if not 1 <= actors <= capacity or not 0 <= warmup <= capacity or batch_size < 1:
            raise UsageError(
                f"a memory of {capacity} transitions cannot hold {warmup} at the start from {actors} actors, "
                f"for batches of {batch_size}: give it room for both, and batches at least one row"
            )
        like = torch.zeros(()) if like is None else like  # says the device and precision
        self.capacity, self.batch_size, self.warmup, self.device = capacity, batch_size, warmup, like.device
        observations, numbers = like.new_zeros(capacity, *shape), like.new_zeros(capacity)
        self.ring = {
            "before": observations,
            "action": numbers.long(),
            "reward": numbers,
            "after": observations.clone(),
            "ended": numbers.clone(),
        }
        self.reward_scale = reward_scale
        self.count = 0  # transitions lived through, forgotten ones too
        self.actors = [Actor(make(), seed, "episode", k) for k in range(actors)]
        self.now = self._observed([actor.observation for actor in self.actors])

    @property
    def size(self) -> int:
        """The transitions that the ring holds."""
        return min(self.count, self.capacity)

    def batch(self, step: int, turn: int, learner: Any) -> tuple[Tensor, ...]:
        """Live on by one action of each actor (once a step), then draw with replacement."""
        while self.count < self.warmup:
            self.live(learner, 0)
        if turn == 0:
            self.live(learner, step)
        rows = torch.randint(self.size, (self.batch_size,)).to(self.device)
        return tuple(values.index_select(0, rows) for values in self.ring.values())

    def live(self, learner: Any, step: int) -> None:
        """One action of each actor; the oldest transitions give way."""
        action = learner.act(self.now, step)
        lived = [actor.step(a) for actor, a in zip(self.actors, action.tolist(), strict=True)]
        after, reward, ended = zip(*lived, strict=True)
        rows = torch.arange(self.count, self.count + len(lived), device=self.device) % self.capacity
        scaled = [self.reward_scale * value for value in reward]
        new = (self.now, action, scaled, self._observed(after), ended)
        for values, fresh in zip(self.ring.values(), new, strict=True):
            values[rows] = torch.as_tensor(fresh, dtype=values.dtype, device=self.device)
        self.count += len(lived)
        self.now = self._observed([actor.observation for actor in self.actors])

    def _observed(self, seen: Sequence[Any]) -> Tensor:
        like = self.ring["before"]
        return torch.from_numpy(np.stack(seen)).to(like.device, like.dtype)

    def state_dict(self) -> dict[str, Any]:
        """What going on exactly needs."""
        return {
            "count": self.count,
            "ring": {name: values[: self.size].clone() for name, values in self.ring.items()},
            "episodes": [actor.episode for actor in self.actors],
            "actions": [torch.tensor(actor.actions, dtype=torch.long) for actor in self.actors],
            "now": self.now.clone(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state back. Raises AtlasError where the environment does not repeat itself."""
        self.count = state["count"]
        for name, values in self.ring.items():
            values[: self.size] = state["ring"][name].to(values)
        for actor, episode, actions in zip(self.actors, state["episodes"], state["actions"], strict=True):
            actor.load(episode, actions.tolist())
        self.now = self._observed([actor.observation for actor in self.actors])
        if not torch.equal(self.now, state["now"].to(self.now)):
            raise AtlasError(
                "this run cannot go on exactly: with the same seed and the same actions its environment "
                "led elsewhere. Start anew, and let the environment draw from its own seeded generator alone"
            )
