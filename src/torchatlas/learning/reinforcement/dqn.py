"""Deep Q-learning: the value of each action, learned from replayed transitions and a target that waits."""

import copy
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...data.experience.environments import Environment, make
from ...data.experience.playing import returns
from ...data.experience.replay import Replay
from ...engine.errors import UsageError
from ...engine.learner import Batch, Learner
from ...networks.dense.mlp import MLP

if TYPE_CHECKING:
    from ...data.prepared import Prepared
    from ...data.spec import Spec

WARMUP = 0.05  # share of the memory that is filled at random before the first update, as in the paper
LONGEST = 200_000  # steps over which exploration fades at most: a budget of time has no last step


@method(
    "dqn",
    year=2015,
    paper="Mnih et al., Human-level control through deep reinforcement learning, Nature 518; arXiv:1312.5602",
    topics=("control",),
    recipe={"optimizer": "adam", "lr": 0.0005, "batch_size": 128, "epochs": 25, "clip": 10.0},
    tiny={"hidden": (16,), "memory": 200, "period": 4},
)
class DQN(Learner):
    r"""Deep Q-network: $y = r + \gamma (1 - d) \max_{a'} Q_{\text{target}}(s', a')$, and a Huber loss.

    $d$ is 1 where the episode ended, never at a time limit. The target network is copied every `period`
    updates. The loss is quadratic up to an error of 1 and linear beyond: its gradient is the error clipped to
    [-1, 1]. Each of `actors` environments acts once per update: greedily, or at random with a probability
    that falls evenly from 1 to `epsilon` over the first `exploration` of training. Batches are drawn evenly
    from the last `memory` transitions. Rewards are multiplied by `reward_scale` (the paper clips them), so
    that errors are mostly below 1: where values are near 100, the linear loss lets many small errors outvote
    the few at the ends of episodes, and values can grow without bound.
    Shapes: observations (batch, ...) -> values (batch, actions).
    Errors: `UsageError` for data that is no environment.
    """

    needs_target: ClassVar[bool] = False
    monitor: ClassVar[str] = "return"
    maximise: ClassVar[bool] = True

    def __init__(
        self,
        network: nn.Module,
        environment: Callable[[], Environment],
        *,
        discount: float,
        period: int,
        memory: int,
        exploration: float,
        epsilon: float,
        actors: int,
        reward_scale: float,
    ):
        super().__init__()
        if period < 1 or not 0 <= discount <= 1 or not 0 <= epsilon <= 1 or not 0 < exploration <= 1:
            raise UsageError(
                f"period={period} must be at least 1, discount={discount}, epsilon={epsilon} and "
                f"exploration={exploration} within 0..1"
            )
        self.network, self.target, self.environment = network, _without_gradient(network), environment
        self.discount, self.period, self.memory, self.actors = discount, period, memory, actors
        self.exploration, self.least = exploration, epsilon
        self.reward_scale = reward_scale
        self.fading = 1.0  # steps until exploration is least

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        hidden: int | Sequence[int] = (120, 84),
        discount: float = 0.99,
        period: int = 100,
        memory: int = 50_000,
        exploration: float = 0.3,
        epsilon: float = 0.05,
        actors: int = 8,
        reward_scale: float = 0.02,
        environment: Callable[[], Environment] | None = None,
    ) -> Self:
        """The agent of an environment: a perceptron of observations; `environment` makes one of your own."""
        if spec.task != "control":
            raise UsageError(
                f"an agent acts in an environment, and this data is for {spec.task}: say gym:CartPole-v1"
            )
        network = MLP(math.prod(spec.shape), spec.outputs, hidden)
        return cls(
            network,
            environment or partial(make, spec.environment),
            discount=discount,
            period=period,
            memory=memory,
            exploration=exploration,
            epsilon=epsilon,
            actors=actors,
            reward_scale=reward_scale,
        )

    def planned(self, steps: int, steps_per_epoch: int) -> None:
        """Exploration fades over a share of training."""
        self.fading = max(1.0, self.exploration * min(steps, LONGEST))

    def source(self, data: "Prepared", batch_size: int, seed: int, device: Any) -> Replay:
        """The environment and the memory of what happened there."""
        return Replay(
            self.environment,
            data.spec.shape,
            self.memory,
            batch_size,
            seed,
            warmup=max(1, math.ceil(WARMUP * self.memory)),
            actors=self.actors,
            reward_scale=self.reward_scale,
            like=self._like(),
        )

    def _like(self) -> Tensor:
        return next(self.network.parameters()).detach()

    def epsilon(self, step: int) -> float:
        """The probability of a random action at a step."""
        return max(self.least, 1 - (1 - self.least) * step / self.fading)

    @torch.no_grad()
    def greedy(self, observations: Tensor) -> Tensor:  # (n, ...) -> (n,)
        """The actions of most value."""
        return self.network(observations).argmax(1)

    @torch.no_grad()
    def act(self, observations: Tensor, step: int) -> Tensor:  # (n, ...) -> (n,)
        """The actions taken in training: now and then a random one."""
        values = self.network(observations)
        chance = torch.rand(len(values), device=values.device)
        random = torch.randint(values.shape[1], (len(values),), device=values.device)
        return torch.where(chance < self.epsilon(step), random, values.argmax(1))

    @torch.no_grad()
    def goals(self, reward: Tensor, after: Tensor, ended: Tensor) -> Tensor:
        """What the value of the action taken should be."""
        return reward + self.discount * (1 - ended) * self.target(after).amax(1)

    def loss(self, player: str, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The Huber loss of the actions taken; the mean of their values is recorded too."""
        before, action, reward, after, ended = batch
        value = self.network(before).gather(1, action[:, None])[:, 0]
        loss = F.huber_loss(value, self.goals(reward, after, ended))
        return loss, {"value": value.mean()}

    def updated(self, player: str, step: int) -> None:
        """Every `period` updates the target is the network."""
        if (step + 1) % self.period == 0:
            self.target.load_state_dict(self.network.state_dict())

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """The return of each greedy episode, by its seed."""
        return {"return": returns(self.environment, self.greedy, batch[0].tolist(), self._like())}


def _without_gradient(network: nn.Module) -> nn.Module:
    """A copy whose parameters are buffers: no optimizer owns them."""
    twin = copy.deepcopy(network)
    for module in twin.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach().clone())
    return twin
