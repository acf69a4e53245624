"""The loop: turns of players over a source, checkpoints, validation, NaN guard; it knows no method."""

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from . import guard
from .average import Average
from .checkpoint import Store, foreign, to_device
from .clock import Clock
from .distribution import ALONE, Group, load_learner, load_optimizer, whole
from .errors import AtlasError, Interrupted, NotFinite
from .gradient import Gradient, calls_often
from .learner import Batch, Learner, Source
from .meters import Meters
from .numerics import EXACT, Numerics
from .randomness import reseed
from .record import Event, Listener, Record
from .stopping import StopSignals

ENDLESS = 10**9  # steps of a run whose budget is time
TIME_IS_UP = "the time is up"
CUT = "not enough memory for a whole batch; from here on each is computed in {} parts, whose gradients add up"


@dataclass(frozen=True)
class Plan:
    """How a learner is trained: everything of a recipe that the loop itself obeys. Periods are in steps."""

    steps: int
    seed: int = 0
    shards: int = 1  # that each batch is cut into, with statistics and noise of their own
    micro: int = 1  # micro-batches that each shard is cut into; their gradients add up
    clip: float | None = None  # longest gradient allowed, per player
    ema: float | None = None  # decay of the moving average of weights that is validated and kept
    minutes: float | None = None  # stop after this much time, at a step that depends on the machine
    log_every: int = 50
    validate_every: int = 0  # 0: at the end of each epoch
    patience: int | None = None  # stop after so many validations in a row without improvement
    save_every: float | None = 60.0  # seconds between checkpoints; None: at the end alone
    save_every_steps: int | None = None


class _Again(Exception):
    """The loop was set back: go on from there."""


class Loop:
    """Trains a learner. `run()` may be called on a fresh loop or on one that `resume()` has set back.

    optimizers: one per player. schedules: stepped after each step of its player's optimizer.
    validate: gives the scores of the learner, which then has the moving average's weights, if one is kept.
    store, record, failures: where checkpoints, the record and evidence of failures go; None keeps nothing.
    group: the processes that train together; the first one alone writes and tells.
    """

    def __init__(
        self,
        learner: Learner,
        source: Source,
        optimizers: Mapping[str, Optimizer],
        plan: Plan,
        *,
        schedules: Mapping[str, LRScheduler] | None = None,
        validate: Callable[[Learner], dict[str, float]] | None = None,
        listeners: Sequence[Listener] = (),
        store: Store | None = None,
        record: Record | None = None,
        failures: Path | None = None,
        group: Group = ALONE,
        numerics: Numerics = EXACT,
    ):
        self.learner, self.source, self.optimizers, self.plan = learner, source, dict(optimizers), plan
        self.schedules, self.validate, self.group = dict(schedules or {}), validate, group
        self.store, self.record, self.failures = store, record, failures
        self.listeners: list[Listener] = [*([record] if record else []), *listeners]
        if not group.first:
            self.store, self.record, self.failures, self.listeners = None, None, None, []
        self.step, self.stopped = 0, ""
        self.best: dict[str, Any] = {}
        self.meters, self.clock = Meters(), Clock(plan.minutes, plan.save_every)
        self.owned = {player: learner.owned(player) for player in learner.players}
        self.buffers = list(learner.buffers())
        self.average = Average(learner, plan.ema) if plan.ema is not None else None
        self.device = next((p.device for p in learner.parameters()), torch.device("cpu"))
        self.gradient = Gradient(
            learner, shards=plan.shards, micro=plan.micro, group=group, numerics=numerics
        )
        # Reading a number waits for an accelerator: there it is read now and then, and steps are taken back.
        self.looks_later = self.device.type != "cpu" and group.size == 1
        self._doubt = torch.zeros((), device=self.device)  # above 0 once something was not finite
        self._safe_state: dict[str, Any] = {}
        self._player = ""
        self._moves = type(learner).updated is not Learner.updated
        if group.size > 1 and hasattr(source, "divide"):
            source.divide(plan.shards, self.gradient.mine)

    # ---- state -------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that going on needs; no clock (unless the budget is one), no host, no random state."""
        state = {
            "step": self.step,
            "micro": self.gradient.micro,
            "learner": whole(self.learner.state_dict()),
            "optimizers": {player: whole(o.state_dict()) for player, o in self.optimizers.items()},
            "schedules": {player: s.state_dict() for player, s in self.schedules.items()},
            "average": self.average.state_dict() if self.average else None,
            "source": self.source.state_dict(),
            "best": self.best,
            "records": self.record.lines if self.record else 0,
            "stopped": self.stopped,
            **self.meters.state(),
        }
        return state | ({"elapsed": self.clock.elapsed} if self.plan.minutes else {})

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back a state that `state()` gave."""
        self.step, self.best, self.stopped = state["step"], state["best"], state["stopped"]
        self.clock.elapsed = state.get("elapsed", 0.0)
        self.meters.load(state, self.device)
        self.gradient.micro = state.get("micro", self.plan.micro)
        load_learner(self.learner, state["learner"])
        for player, optimizer in self.optimizers.items():
            load_optimizer(optimizer, state["optimizers"][player])
        for player, schedule in self.schedules.items():
            schedule.load_state_dict(state["schedules"][player])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.source.load_state_dict(state["source"])

    def resume(self) -> bool:
        """Set back to the newest sound checkpoint; whether there was one."""
        found = self.group.by_first(lambda: self.store.newest(self._note) if self.store else None)
        if found:
            try:
                self.load_state(found[1])
            except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
                raise AtlasError(foreign(self.store.path(found[0]) if self.store else "", error)) from error
        if self.record:
            self.record.rewind(found[1]["records"] if found else 0)
        return found is not None

    def save(self) -> None:
        """Write a checkpoint of this step."""
        self._look()
        if self.store or self.gradient.sharded:  # a sharded state is gathered by all
            state = self.state()
            if self.record:
                self.record.sync()  # a checkpoint never counts lines that the disk may lose
            if self.store:
                self.store.save(self.step, state)
                self._tell("checkpoint", {"path": str(self.store.path(self.step))})
        self._commit()

    def _commit(self) -> None:
        """Remember this state as sound, where what is not finite is found later."""
        if self.looks_later:
            self._safe_state = copy.deepcopy(to_device(self.state(), "cpu"))

    def _look(self) -> None:
        """Go back to the last sound state where something was not finite since, and look at every step."""
        if self.looks_later and self._doubt.item():
            self.looks_later = False
            self.load_state(self._safe_state)
            if self.record:
                self.record.rewind(self._safe_state["records"])
            raise _Again

    # ---- running -----------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.step >= self.plan.steps or bool(self.stopped)

    def run(self) -> None:
        """Train to the end of the plan; a checkpoint is left there, and wherever it is asked to stop.

        Raises NotFinite before the weights take up a loss or gradient that is not finite, and Interrupted
        after Ctrl-C or SIGTERM.
        """
        try:
            self._begin()
            with StopSignals() as signals:
                while not self.done:
                    self.gradient.asks = self._asks(signals)
                    with suppress(_Again):
                        self._one_step()
                        self._between_steps(signals)
            self._end(signals)
        finally:
            if self.record:
                self.record.close()

    def _begin(self) -> None:
        self._tell("start", {"steps": self.plan.steps, "steps_per_epoch": self.source.steps_per_epoch})
        if self.group.size > 1:
            self._note(f"{self.group.size} processes train together, on {self.plan.shards} shards")
        self.learner.planned(self.plan.steps, self.source.steps_per_epoch)
        self.learner.train()
        self.clock.start()
        self._commit()

    def _end(self, signals: StopSignals) -> None:
        self.save()
        if signals.asked:  # in the last step: nothing is left to train, yet what follows must not begin
            raise Interrupted(f"stopped by {signals.asked} after the last step, at a checkpoint")
        self._tell("end", {"stopped": self.stopped, "seconds": round(self.clock.elapsed, 3)})

    def _asks(self, signals: StopSignals) -> list[float]:
        """What this process asks of all: stop by a signal, as time is up, save. The first has the clock."""
        first, stepwise = self.group.first, bool(self.plan.save_every_steps)
        late, due = first and self.clock.is_up, first and not stepwise and self.clock.save_is_due
        return [float(bool(signals.asked)), float(late), float(due)]

    def _between_steps(self, signals: StopSignals) -> None:
        """What is due after a step. Alone, the clock is asked now; many processes asked before the step."""
        alone = self.group.size == 1
        self.clock.stepped()
        if self._asks(signals)[1] if alone else self.gradient.asks[1]:
            self.stopped = TIME_IS_UP
        self._after_step()
        stop, _, save = self._asks(signals) if alone else self.gradient.asks
        if stop and not self.done:
            self.save()
            name = signals.asked or "a signal to another process"
            raise Interrupted(f"stopped by {name} after step {self.step}, at a checkpoint")
        period = self.plan.save_every_steps
        if self.step % period == 0 if period else save:
            began = time.monotonic()
            self.save()
            self.clock.wrote(began)

    def _one_step(self) -> None:
        learner, plan, step = self.learner, self.plan, self.step
        for k, player in enumerate(learner.turns(step)):
            self._focus(player)
            if self.source.draws:
                reseed(self.device, plan.seed, step, k, "data")
            batch = self.source.batch(step, k, learner)
            self.optimizers[player].step(self._closure(player, batch, k))  # type: ignore[arg-type]
            if self._moves:
                with torch.no_grad():
                    learner.updated(player, step)
            if player in self.schedules and not isinstance(self.schedules[player], ReduceLROnPlateau):
                self.schedules[player].step()
        if self.average:
            self.average.update()
        self.step += 1

    def _focus(self, player: str) -> None:
        """Only this player's parameters take a gradient, so that nothing leaks to the others."""
        if player != self._player and not self.gradient.sharded:  # FSDP settles once what takes a gradient
            self.learner.requires_grad_(False)
            for parameter in self.owned[player]:
                parameter.requires_grad_()
            self._player = player

    def _closure(self, player: str, batch: Batch, k: int) -> Callable[[], Tensor]:
        """What an optimizer calls, once or (SAM, L-BFGS) often, meeting the same noise each time."""
        owned, plan, first = self.owned[player], self.plan, True
        safe = [b.clone() for b in self.buffers]
        weights = [p.detach().clone() for p in owned] if calls_often(self.optimizers[player]) else []

        def closure() -> Tensor:
            nonlocal first
            micro = self.gradient.micro
            found = self.gradient(player, owned, batch, (plan.seed, self.step, k), safe)
            if self.gradient.micro > micro:
                self._note(f"step {self.step}: {CUT.format(self.gradient.micro)}")
            gradients = [p.grad for p in owned if p.grad is not None]
            if self.looks_later:
                self._doubt += 1 - guard.finite(found.loss, gradients).float()
            elif not self._all_finite(found.loss, gradients):
                try:
                    self._stop_not_finite(player, batch, k, safe)
                finally:
                    with torch.no_grad():
                        for parameter, kept in zip(owned, weights):
                            parameter.copy_(kept)
            if first:
                self._log(player, {"loss": found.loss, **found.logs})
                self.gradient.asks = found.asks
                first = False
            if plan.clip:
                torch.nn.utils.clip_grads_with_norm_(owned, plan.clip, guard.total_norm(gradients))
            return found.loss

        return closure

    def _all_finite(self, loss: Tensor, gradients: list[Tensor]) -> bool:
        """Whether all is; processes that hold parts of the gradients ask each other."""
        if not self.gradient.sharded:
            return guard.all_finite(loss, gradients)
        mine: list[Tensor] = [gradient.to_local() for gradient in gradients]  # type: ignore[attr-defined]
        return not self.gradient.anywhere(not guard.all_finite(loss, mine))

    def _stop_not_finite(self, player: str, batch: Batch, k: int, safe: list[Tensor]) -> None:
        """Leave the weights and buffers as they were before this turn, and say what happened."""
        self.learner.zero_grad(set_to_none=True)
        key = (self.plan.seed, self.step, k)
        try:
            message = guard.investigate(self.gradient, player, batch, key, safe, self.failures)
        finally:
            for buffer, kept in zip(self.buffers, safe, strict=True):
                buffer.data.copy_(kept)
            self.learner.zero_grad(set_to_none=True)
        raise NotFinite(message)

    # ---- between steps -----------------------------------------------------------------------------------

    def _after_step(self) -> None:
        plan, epoch_end = self.plan, self.step % self.source.steps_per_epoch == 0
        due = self.step % plan.validate_every == 0 if plan.validate_every else epoch_end
        logs = self.step % plan.log_every == 0 or epoch_end or self.done
        if logs or due:
            self._look()
        if logs:
            self._flush()
        if self.validate and (due or self.done):
            self._validate()

    def _log(self, player: str, values: Mapping[str, Tensor]) -> None:
        prefix = "" if len(self.owned) == 1 else f"{player}."
        if self.step == 0:
            self.meters.first.setdefault(f"{prefix}loss", values["loss"].item())
        for name, value in values.items():
            self.meters.note(prefix + name, value)

    def _flush(self) -> None:
        """One record line: the means since the last one, and the learning rates."""
        values = self.meters.means()
        if not values:
            return
        rates = {player: o.param_groups[0]["lr"] for player, o in self.optimizers.items()}
        for player, rate in rates.items():
            values["lr" if len(rates) == 1 else f"{player}.lr"] = float(rate)
        self._tell("train", values)
        if warning := self.meters.runs_away(values, self.step):
            self._note(warning)

    def _validate(self) -> None:
        assert self.validate is not None
        reseed(self.device, self.plan.seed, "valid")  # scores may draw: the same noise at each validation
        with self.average.within() if self.average else nullcontext():
            scores = self.validate(self.learner)
        self.learner.train()
        watched = scores.get(self.learner.monitor)
        if watched is None:
            self._tell("valid", scores)
            return
        sign = -1 if self.learner.maximise else 1
        better = not self.best or (math.isfinite(watched) and not sign * self.best["value"] <= sign * watched)
        if better:
            state = self.average.state_dict() if self.average else whole(self.learner.state_dict())
            weights = {name: tensor.detach().clone() for name, tensor in state.items()}
            self.best = {"step": self.step, "value": watched, "bad": 0, "learner": weights}
        else:
            self.best["bad"] += 1
        self._tell("valid", {**scores, **({"best": True} if better else {})})
        for schedule in self.schedules.values():
            if isinstance(schedule, ReduceLROnPlateau):
                schedule.step(sign * watched)
        if self.plan.patience is not None and self.best["bad"] >= self.plan.patience:
            self.stopped = f"no improvement in {self.plan.patience} validations"

    def restore_best(self) -> None:
        """Give the learner the best weights seen (the moving average's where there is one), else the last."""
        if self.best:
            load_learner(self.learner, self.best["learner"])
        elif self.average:
            load_learner(self.learner, self.average.state_dict())

    def _tell(self, kind: str, values: dict[str, Any]) -> None:
        event = Event(kind, self.step, self.step / self.source.steps_per_epoch, values)
        for listener in self.listeners:
            listener(event)

    def _note(self, message: str) -> None:
        self._tell("note", {"message": message})
