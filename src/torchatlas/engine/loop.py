"""The loop: turns of players over a source, checkpoints, validation, NaN guard; it knows no method."""

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from . import guard
from .checkpoint import Store
from .errors import Interrupted, NotFinite
from .learner import Batch, Learner, Loss, Source, Turn
from .randomness import reseed
from .record import Event, Listener, Record
from .stopping import StopSignals

ENDLESS = 10**9  # steps of a run whose budget is time
TIME_IS_UP = "the time is up"
RUNAWAY = 1000.0  # how many times its first value a loss may reach before the user is told


@dataclass(frozen=True)
class Plan:
    """How a learner is trained: everything of a recipe that the loop itself obeys. Periods are in steps."""

    steps: int
    seed: int = 0
    micro: int = 1  # micro-batches that a batch is cut into; their gradients add up
    clip: float | None = None  # longest gradient allowed, per player
    ema: float | None = None  # decay of the moving average of weights that is validated and kept
    minutes: float | None = None  # stop after this much time, at a step that depends on the machine
    log_every: int = 50
    validate_every: int = 0  # 0: at the end of each epoch
    patience: int | None = None  # stop after so many validations in a row without improvement
    save_every: float | None = 60.0  # seconds between checkpoints; None: at the end alone
    save_every_steps: int | None = None


def calls_often(optimizer: Optimizer) -> bool:
    """Whether `step` may call its closure when weights have moved already (L-BFGS, SAM and their like)."""
    ours = type(optimizer).__module__.startswith("torch.optim.")
    return not ours or isinstance(optimizer, torch.optim.LBFGS)


class Loop:
    """Trains a learner. `run()` may be called on a fresh loop or on one that `resume()` has set back.

    optimizers: one per player. schedules: stepped after each step of its player's optimizer.
    validate: gives the scores of the learner it is handed (the moving average, where there is one).
    store, record, failures: where checkpoints, the record and evidence of failures go; None keeps nothing.
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
        wrap: Callable[[Turn], torch.nn.Module] | None = None,
    ):
        self.learner, self.source, self.optimizers, self.plan = learner, source, dict(optimizers), plan
        self.schedules, self.validate = dict(schedules or {}), validate
        self.store, self.record, self.failures = store, record, failures
        self.listeners: list[Listener] = [*([record] if record else []), *listeners]
        self.step, self.stopped, self.diverged = 0, "", ""
        self.best: dict[str, Any] = {}
        self.elapsed = 0.0
        self.first: dict[str, float] = {}  # each loss at its first step: what it is judged against
        self.owned = {player: learner.owned(player) for player in learner.players}
        self.buffers = list(learner.buffers())
        self.average = copy.deepcopy(learner).requires_grad_(False) if plan.ema is not None else None
        self.device = next((p.device for p in learner.parameters()), torch.device("cpu"))
        self._pending: dict[str, list[Tensor]] = {}
        self._player = ""
        self._moves = type(learner).updated is not Learner.updated
        self._turns: dict[str, Callable[[Batch], Loss]] = {}
        for player in learner.players:  # DDP wants each wrapped while only its player's parameters learn
            self._focus(player)
            self._turns[player] = wrap(Turn(learner, player)) if wrap else self._plain(player)

    # ---- state -------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that going on needs; no clock (unless the budget is one), no host, no random state."""
        state = {
            "step": self.step,
            "learner": self.learner.state_dict(),
            "optimizers": {player: o.state_dict() for player, o in self.optimizers.items()},
            "schedules": {player: s.state_dict() for player, s in self.schedules.items()},
            "average": self.average.state_dict() if self.average else None,
            "source": self.source.state_dict(),
            "best": self.best,
            "pending": {name: torch.stack(values) for name, values in self._pending.items()},
            "records": self.record.lines if self.record else 0,
            "stopped": self.stopped,
            "first": self.first,
            "diverged": self.diverged,
        }
        return state | ({"elapsed": self.elapsed} if self.plan.minutes else {})

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back a state that `state()` gave."""
        self.step, self.best, self.stopped = state["step"], state["best"], state["stopped"]
        self.elapsed = state.get("elapsed", 0.0)
        self.first, self.diverged = state["first"], state["diverged"]
        self.learner.load_state_dict(state["learner"])
        for player, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][player])
        for player, schedule in self.schedules.items():
            schedule.load_state_dict(state["schedules"][player])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.source.load_state_dict(state["source"])
        self._pending = {n: list(v.to(self.device).unbind()) for n, v in state["pending"].items()}

    def resume(self) -> bool:
        """Set back to the newest sound checkpoint; whether there was one."""
        found = self.store.newest(self._note) if self.store else None
        if found:
            self.load_state(found[1])
        if self.record:
            self.record.rewind(found[1]["records"] if found else 0)
        return found is not None

    def save(self) -> None:
        """Write a checkpoint of this step."""
        if self.store:
            self.store.save(self.step, self.state())
            self._tell("checkpoint", {"path": str(self.store.path(self.step))})

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
        self._tell("start", {"steps": self.plan.steps, "steps_per_epoch": self.source.steps_per_epoch})
        for learner in (self.learner, self.average):
            if learner is not None:
                learner.planned(self.plan.steps, self.source.steps_per_epoch)
        try:
            self._train()
        finally:
            if self.record:
                self.record.close()

    def _train(self) -> None:
        began = saved = time.monotonic()
        before = self.elapsed
        self.learner.train()
        with StopSignals() as signals:
            while not self.done:
                self._one_step()
                now = time.monotonic()
                self.elapsed = before + now - began
                if self.plan.minutes and self.elapsed >= 60 * self.plan.minutes:
                    self.stopped = TIME_IS_UP
                self._after_step()
                if signals.asked and not self.done:
                    self.save()
                    raise Interrupted(f"stopped by {signals.asked} after step {self.step}, at a checkpoint")
                if self._save_due(now - saved):
                    self.save()
                    saved = time.monotonic()
        self.save()
        if signals.asked:  # in the last step: nothing is left to train, yet what follows must not begin
            raise Interrupted(f"stopped by {signals.asked} after the last step, at a checkpoint")
        self._tell("end", {"stopped": self.stopped, "seconds": round(self.elapsed, 3)})

    def _save_due(self, seconds: float) -> bool:
        period = self.plan.save_every_steps
        if period:
            return self.step % period == 0
        return self.plan.save_every is not None and seconds >= self.plan.save_every

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
            self._update_average()
        self.step += 1

    def _plain(self, player: str) -> Callable[[Batch], Loss]:
        return lambda batch: self.learner.loss(player, batch)

    def _focus(self, player: str) -> None:
        """Only this player's parameters take a gradient, so that nothing leaks to the others."""
        if player != self._player:
            self.learner.requires_grad_(False)
            for parameter in self.owned[player]:
                parameter.requires_grad_()
            self._player = player

    def _closure(self, player: str, batch: Batch, k: int) -> Callable[[], Tensor]:
        """What an optimizer calls, once or (SAM, L-BFGS) often, meeting the same noise each time."""
        owned, turn, plan, first = self.owned[player], self._turns[player], self.plan, True
        safe = [b.clone() for b in self.buffers]
        weights = [p.detach().clone() for p in owned] if calls_often(self.optimizers[player]) else []

        def closure() -> Tensor:
            nonlocal first
            for parameter in owned:
                parameter.grad = None
            parts = [batch] if plan.micro == 1 else self._parts(batch)
            total: Tensor | None = None
            told: dict[str, Tensor] = {}
            for i, part in enumerate(parts):
                key = (plan.seed, self.step, k, i, "noise")
                reseed(self.device, *key)
                result = turn(part)
                loss, logs = result if isinstance(result, tuple) else (result, {})
                if len(parts) > 1:
                    share = self.learner.share(part) / self.learner.share(batch)
                    loss = loss * share
                    logs = {name: log * share for name, log in logs.items()}
                for name, log in logs.items():
                    told[name] = told[name] + log.detach() if name in told else log.detach()
                loss.backward()
                value = loss.detach()
                total = value if total is None else total + value
                if first and i == len(parts) - 1:
                    self._log(player, {"loss": total, **told})
            first = False
            gradients = [p.grad for p in owned if p.grad is not None]
            assert total is not None
            if not guard.all_finite(total, gradients):
                try:
                    self._stop_not_finite(player, batch, parts, k, safe)
                finally:
                    with torch.no_grad():
                        for parameter, kept in zip(owned, weights):
                            parameter.copy_(kept)
            if plan.clip:
                torch.nn.utils.clip_grads_with_norm_(owned, plan.clip, guard.total_norm(gradients))
            return total

        return closure

    def _parts(self, batch: Batch) -> list[Batch]:
        return list(zip(*(tensor.chunk(self.plan.micro) for tensor in batch), strict=True))

    def _stop_not_finite(
        self, player: str, batch: Batch, parts: list[Batch], k: int, safe: list[Tensor]
    ) -> None:
        """Leave the weights and buffers as they were before this turn, and say what happened."""
        self._restore(safe)
        keys = [(self.plan.seed, self.step, k, i, "noise") for i in range(len(parts))]
        bad = next((i for i, part in enumerate(parts) if self._fails(player, part, keys[i])), 0)
        self._restore(safe)
        if self.failures is not None:
            message = guard.leave_evidence(
                self.failures, self.learner, player, parts[bad], keys[bad], self.step
            )
        else:
            reseed(self.device, *keys[bad])
            module, what = guard.find_source(self.learner, player, parts[bad])
            where = f"First at fault: {module or 'unknown'} ({what})"
            message = f"step {self.step}: the loss or a gradient is not finite. {where}. {guard.CURE}"
        self._restore(safe)
        self.learner.zero_grad(set_to_none=True)
        raise NotFinite(message)

    def _restore(self, safe: list[Tensor]) -> None:
        for buffer, kept in zip(self.buffers, safe, strict=True):
            buffer.data.copy_(kept)

    def _fails(self, player: str, part: Batch, key: tuple[Any, ...]) -> bool:
        if self.plan.micro == 1:
            return True
        reseed(self.device, *key)
        return bool(guard.find_source(self.learner, player, part)[0])

    @torch.no_grad()
    def _update_average(self) -> None:
        assert self.average is not None and self.plan.ema is not None
        ours: list[Tensor] = list(self.average.parameters())
        theirs: list[Tensor] = list(self.learner.parameters())
        torch._foreach_lerp_(ours, theirs, 1 - self.plan.ema)
        for mine, new in zip(self.average.buffers(), self.learner.buffers(), strict=True):
            mine.copy_(new)

    # ---- between steps -----------------------------------------------------------------------------------

    def _after_step(self) -> None:
        plan, epoch_end = self.plan, self.step % self.source.steps_per_epoch == 0
        last = self.done
        if self.step % plan.log_every == 0 or epoch_end or last:
            self._flush()
        due = self.step % plan.validate_every == 0 if plan.validate_every else epoch_end
        if self.validate and (due or last):
            self._validate()

    def _log(self, player: str, values: Mapping[str, Tensor]) -> None:
        prefix = "" if len(self.owned) == 1 else f"{player}."
        if self.step == 0:
            self.first.setdefault(f"{prefix}loss", values["loss"].item())
        for name, value in values.items():
            self._pending.setdefault(prefix + name, []).append(value)

    def _flush(self) -> None:
        """One record line: the means since the last one, and the learning rates."""
        if not self._pending:
            return
        means = torch.stack([torch.stack(values).cpu().double().mean() for values in self._pending.values()])
        values: dict[str, Any] = dict(zip(self._pending, means.tolist(), strict=True))
        rates = {player: o.param_groups[0]["lr"] for player, o in self.optimizers.items()}
        for player, rate in rates.items():
            values["lr" if len(rates) == 1 else f"{player}.lr"] = float(rate)
        self._pending = {}
        self._tell("train", values)
        self._watch_growth(values)

    def _watch_growth(self, values: dict[str, Any]) -> None:
        """Say once that a loss runs away; it is finite, so the guard has nothing to stop."""
        for name, first in self.first.items():
            if abs(values.get(name, 0.0)) > RUNAWAY * max(abs(first), 1.0) and not self.diverged:
                self.diverged = (
                    f"the {name} is {values[name]:.3g} at step {self.step}, {first:.3g} at the first step: "
                    f"training diverges. {guard.CURE}"
                )
                self._note(self.diverged)

    def _validate(self) -> None:
        assert self.validate is not None
        kept = self.average or self.learner
        reseed(self.device, self.plan.seed, "valid")  # scores may draw: the same noise at each validation
        scores = self.validate(kept)
        self.learner.train()
        watched = scores.get(self.learner.monitor)
        if watched is None:
            self._tell("valid", scores)
            return
        sign = -1 if self.learner.maximise else 1
        better = not self.best or (math.isfinite(watched) and not sign * self.best["value"] <= sign * watched)
        if better:
            weights = {name: tensor.detach().clone() for name, tensor in kept.state_dict().items()}
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
            self.learner.load_state_dict(self.best["learner"])
        elif self.average:
            self.learner.load_state_dict(self.average.state_dict())

    def _tell(self, kind: str, values: dict[str, Any]) -> None:
        event = Event(kind, self.step, self.step / self.source.steps_per_epoch, values)
        for listener in self.listeners:
            listener(event)

    def _note(self, message: str) -> None:
        self._tell("note", {"message": message})
