"""Environments: Gymnasium's, as data whose rows are episodes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from ...engine.errors import AtlasError, DataError, UsageError
from ...engine.randomness import key_seed
from ..spec import Dataset

VALID, TEST = 10, 100  # episodes that a policy is validated and tested on, the same for every seed


class Environment(Protocol):
    """Gymnasium's interface."""

    observation_space: Any
    action_space: Any

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]: ...

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]: ...

    def close(self) -> None: ...


def make(name: str) -> Environment:
    """The environment of a name, as in "CartPole-v1".

    Raises AtlasError where gymnasium is not installed, UsageError for a name that it does not know.
    """
    try:
        import gymnasium
    except ImportError as error:
        raise AtlasError('environments come from gymnasium: pip install "torchatlas[rl]"') from error
    try:
        return gymnasium.make(name)
    except (gymnasium.error.Error, ModuleNotFoundError, ImportError) as error:
        raise UsageError(f"gymnasium cannot make {name!r}: {error}") from error


def open_environment(name: str) -> Dataset:
    """An environment as data: a row is an episode, by its seed; the last hundred are the test part."""
    environment = make(name)
    ObservationEncoder.of(name, environment)  # tells what cannot be learned from
    environment.close()
    seeds = [key_seed(name, "episode", k) % 2**31 for k in range(VALID + TEST)]
    return Dataset(
        f"gym:{name}", "environment", np.array(seeds), None, "control", test=range(VALID, VALID + TEST)
    )


@dataclass(frozen=True)
class ObservationEncoder:
    """Observations as tensors of `shape`; `actions` of them can be chosen at each step."""

    environment: str
    shape: tuple[int, ...]
    actions: int

    @classmethod
    def of(cls, name: str, environment: Environment) -> Self:
        """What an environment shows and takes. Raises DataError where it is not numbers and choices."""
        from gymnasium.spaces import Box, Discrete

        seen, taken = environment.observation_space, environment.action_space
        if not isinstance(seen, Box) or not isinstance(taken, Discrete):
            raise DataError(
                f"{name} shows {seen} and takes {taken}; agents here need a Box and Discrete actions"
            )
        return cls(name, tuple(seen.shape), int(taken.n))

    def encode(self, inputs: Any, dtype: torch.dtype = torch.float32) -> Tensor:
        """Observations (n, *shape) -> a tensor."""
        values = torch.as_tensor(np.asarray(inputs), dtype=dtype)
        if values.shape[1:] != self.shape:
            raise DataError(f"observations of {self.environment} are (n, {', '.join(map(str, self.shape))})")
        return values

    def restore(self, x: Tensor) -> np.ndarray[Any, Any]:
        """A tensor -> observations."""
        return np.asarray(x.detach().cpu())

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Back from `to_json`."""
        return cls(state["environment"], tuple(state["shape"]), state["actions"])


def names_of(actions: int) -> Sequence[str]:
    """How actions are called."""
    return tuple(str(k) for k in range(actions))
