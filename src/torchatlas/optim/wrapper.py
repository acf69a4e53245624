"""Optimizers around another optimizer: what all of them share."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from ..cards.choice import choice
from ..cards.reader import create, find
from ..engine.errors import UsageError

Base = str | Callable[..., Optimizer]  # a name, a name with options, or what makes one of params and lr


class AbstractWrapper(Optimizer):
    """An optimizer around another one, its `base`, whose groups are its own: schedules reach both.

    base: a name, a name with options as `sgd(momentum=0.9)`, or a callable (params, lr=...).
    lr: of the base; where it is not said, the base's options, its card, or it itself give one.
    `state_dict` holds the state of both.
    """

    def __init__(self, params: ParamsT, base: Base, lr: float | None):
        self.base = _made(base, params, lr)
        super().__init__(self.base.param_groups, self.base.defaults)
        self.param_groups = self.base.param_groups

    @abstractmethod
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; the loss of the closure."""

    def needed(self, closure: Callable[[], Any] | None) -> Callable[[], Any]:
        """The closure; raises UsageError where there is none."""
        return needed(closure, type(self).__name__)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Further weights, for the base too."""
        if self.param_groups is self.base.param_groups:
            self.base.add_param_group(param_group)
        else:  # while this is made, of groups that the base has taken up already
            super().add_param_group(param_group)

    def state_dict(self) -> dict[str, Any]:
        """The state, the groups, and the base's state."""
        return {**super().state_dict(), "base": self.base.state_dict()["state"]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        super().load_state_dict(state_dict)
        self.base.load_state_dict({"state": state_dict["base"], "param_groups": state_dict["param_groups"]})
        self.param_groups = self.base.param_groups

    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if name[0] != "_" and name != "step"}
        return {**super().__getstate__(), **own}


def needed(closure: Callable[[], Any] | None, name: str) -> Callable[[], Any]:
    """The closure of an optimizer that cannot do without; raises UsageError where there is none."""
    if closure is None:
        raise UsageError(f"{name} must see the loss at other weights: give step a closure that computes it")
    return closure


def value_of(closure: Callable[[], Any]) -> Tensor:
    """The loss that a closure computes, without its graph.

    Gradients are enabled around it, as it may call backward; one under `torch.no_grad` saves that.
    """
    with torch.enable_grad():
        return torch.as_tensor(closure()).detach()


def _made(base: Base, params: ParamsT, lr: float | None) -> Optimizer:
    if not isinstance(base, str):
        made = base(params) if lr is None else base(params, lr=lr)
    else:
        try:
            name, options = choice(base)
        except ValueError as error:
            raise UsageError(str(error)) from error
        recommended = find(name).recipe
        rate = {"lr": recommended["lr"]} if "lr" in recommended else {}
        made = create(name, params, **{**rate, **options, **({} if lr is None else {"lr": lr})})
    if not isinstance(made, Optimizer):
        raise UsageError(f"base={base!r} makes no optimizer")
    return made
