"""Playing: whole episodes by a policy, many side by side."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from .environments import Environment

LONGEST = 27_000  # steps of an episode: half an hour of an Atari game, for environments without a time limit


def returns(
    make: Callable[[], Environment],
    policy: Callable[[Tensor], Tensor],
    seeds: Iterable[int],
    like: Tensor | None = None,
) -> Tensor:
    """The sum of rewards of each episode, by its seed; one call of the policy per step of them all.

    `policy` gives actions (n,) for observations (n, ...) of the precision and device of `like`.
    """
    like = torch.zeros(()) if like is None else like
    seeds = list(seeds)
    environments = [make() for _ in seeds]
    seen = [environment.reset(seed=seed)[0] for environment, seed in zip(environments, seeds)]
    totals = [0.0] * len(seeds)
    living = list(range(len(seeds)))
    for _ in range(LONGEST):
        if not living:
            break
        observed = torch.from_numpy(np.stack([seen[k] for k in living])).to(like.device, like.dtype)
        still = []
        for k, action in zip(living, policy(observed).tolist(), strict=True):
            seen[k], reward, terminated, truncated, _ = environments[k].step(action)
            totals[k] += float(reward)
            if not (terminated or truncated):
                still.append(k)
        living = still
    for environment in environments:
        environment.close()
    return torch.tensor(totals, dtype=torch.double)
