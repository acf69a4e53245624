"""Many runs of one small net at once: their weights are slices of common tensors, and one step moves all.

Small tensors cost what calling an operation costs, so ten nets in one operation take little longer than one.
The gradient of all is one graph of operations, which `torch.func.vmap` makes of the learner's loss and
`make_fx` writes down. Each loop keeps its source, schedule, validation, record, best weights and checkpoints:
it sees its weights and its optimizer's state as views of the common tensors.

Sums are taken in another order than in a run alone, so the two are equal up to rounding, not bit for bit.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call, grad, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from .errors import Interrupted
from .gradient import Turn
from .learner import Batch, told_apart
from .loop import Loop
from .stackable import Apart, batch_of, gradient_alone, refusal, seconds_of, unlike
from .stopping import StopSignals

COUNTS = ("step", "mu_product")  # what of an optimizer's state is one number for all weights
SAME = 1e-4  # how far a gradient may be from that of the run alone, relative to its length
WIN = 1.1  # how many times as fast all together must be
RARE = 200  # so many steps win by a graph what writing it down takes
PAIRS = 7  # how often both ways are timed, in alternation
IDLE = [getattr(torch.ops.aten, name).default for name in ("view", "_unsafe_view", "expand")]

Found = tuple[list[Tensor], dict[str, Tensor]]  # gradients (k, …), and the loss and logs (k,)


class Stack:
    """Loops of one recipe that differ in their seeds, trained together.

    `run` trains each to the end of its plan; `failed` says what went wrong with which. A loop whose loss or
    gradient is not finite goes on alone before the weights move, and says so as it would have alone.
    """

    def __init__(self, loops: Sequence[Loop]):
        self.loops, self.active = list(loops), list(loops)
        self.slots: list[Loop] = []  # whose slices the common tensors have; those that left are idle
        self.alone: list[Loop] = []  # left the stack, and are not at their end
        self.failed: dict[Loop, Exception] = {}
        lead = loops[0]
        (self.player,) = lead.optimizers
        self.turn = Turn(lead.learner, self.player)
        self.graphs: dict[Any, Callable[..., list[Tensor]]] = {}  # by the form of a batch
        self.uses: Counter[Any] = Counter()
        for loop in loops:
            loop.looks_later = False  # one look a step is enough for all
        if why := next(filter(None, map(refusal, loops)), "") or unlike(loops):
            raise Apart(why)
        self._gather()

    # ---- common tensors ----------------------------------------------------------------------------------

    def _gather(self) -> None:
        """Lay what is trained into common tensors; each loop keeps views of its slices."""
        self.slots = list(self.active)
        own = [loop.owned[self.player] for loop in self.slots]
        self.weights = [nn.Parameter(torch.stack([p.detach() for p in each])) for each in zip(*own)]
        kind: Any = type(self._optimizer(self.slots[0]))
        self.optimizer = kind([{"params": self.weights, **self._options()}])
        for i, weight in enumerate(self.weights):
            states = [self._optimizer(loop).state[mine[i]] for loop, mine in zip(self.slots, own)]
            for mine, part in zip(own, weight.data):
                mine[i].data, mine[i].grad = part, None
            for name, value in states[0].items():
                if not isinstance(value, Tensor):
                    continue
                whole = value.clone() if name in COUNTS else torch.stack([state[name] for state in states])
                self.optimizer.state[weight][name] = whole
                for state, part in zip(states, [whole] * len(states) if name in COUNTS else whole):
                    state[name] = part
        moved = {id(p): i for i, p in enumerate(own[0])}
        named = [
            {**dict(x.learner.named_parameters()), **dict(x.learner.named_buffers())} for x in self.slots
        ]
        self.names = {moved[id(p)]: name for name, p in named[0].items() if id(p) in moved}
        self.rest = {
            name: torch.stack([each[name].detach() for each in named])
            for name, p in named[0].items()
            if id(p) not in moved
        }

    def _release(self, loop: Loop) -> None:
        """Give a loop memory of its own again."""
        optimizer = self._optimizer(loop)
        for p in loop.owned[self.player]:
            p.data, p.grad = p.data.clone(), None
            kept = optimizer.state[p]
            kept.update({name: v.clone() for name, v in kept.items() if isinstance(v, Tensor)})

    def _optimizer(self, loop: Loop) -> torch.optim.Optimizer:
        return loop.optimizers[self.player]

    def _options(self) -> dict[str, Any]:
        """The learning rate and its like, as the loops' schedules have set them by now."""
        group = self._optimizer(self.active[0]).param_groups[0]
        return {name: value for name, value in group.items() if name != "params"}

    # ---- gradients ---------------------------------------------------------------------------------------

    def _found(self, batches: Sequence[Batch], rare: int | None = None) -> Found | None:
        """The gradients of all slots; None where their batches have not the same shapes.

        Shapes that come more than `rare` (RARE) times have a graph of their own.
        """
        forms = {(len(batches), *(tensor.shape for tensor in batch)) for batch in batches}
        if len(forms) > 1:
            return None
        (form,) = forms
        given = [*self.weights, *self.rest.values(), *(torch.stack(parts) for parts in zip(*batches))]
        self.uses[form] += 1
        if self.uses[form] > (RARE if rare is None else rare) and form not in self.graphs:
            self.graphs[form] = _lean(make_fx(lambda *tensors: self._all(*tensors))(*given))
        with torch.no_grad():
            gradients = self.graphs.get(form, self._all)(*given)
        values = gradients[len(self.weights) :]
        return gradients[: len(self.weights)], dict(zip(self.logged, values, strict=True))

    def _all(self, *given: Tensor) -> list[Tensor]:
        """The gradients of all slots, then their losses and logs; random operations raise."""
        both = vmap(grad(self._loss, has_aux=True))
        count, fixed = len(self.weights), len(self.weights) + len(self.rest)
        rest = dict(zip(self.rest, given[count:fixed], strict=True))
        gradients, values = both(list(given[:count]), rest, tuple(given[fixed:]))
        self.logged = list(values)
        return [*gradients, *values.values()]

    def _loss(
        self, weights: list[Tensor], rest: dict[str, Tensor], batch: Batch
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of one slot as a function of its tensors, and what is recorded of it."""
        state = {self.names[i]: weight for i, weight in enumerate(weights)} | rest
        under = {f"learner.{name}": tensor for name, tensor in state.items()}
        result = functional_call(self.turn, under, (batch,))
        loss, logs = told_apart(result)
        return loss, {name: value.detach() for name, value in {"loss": loss, **logs}.items()}

    def measured(self) -> float:
        """How many times as fast the gradients are together; the loops are afterwards what they were.

        Raises Apart where that is not much, or where the gradients are not those of the runs alone.
        """
        try:
            for step in (1, 0):  # the graph is written down with one batch, and must hold for another
                self._check([batch_of(loop, step) for loop in self.slots])
            lead, apart, together = self.slots[0], [], []
            for _ in range(PAIRS):  # the quickest of each: whatever else the machine does only adds
                apart.append(seconds_of(lead, lambda: [gradient_alone(x, batch_of(x)) for x in self.slots]))
                together.append(seconds_of(lead, lambda: self._found([batch_of(x) for x in self.slots])))
            times = min(apart) / min(together)
            if times < WIN:
                raise Apart(f"together they are {times:.2f} times as fast")
            return times
        except Exception as error:
            for loop in self.slots:
                self._release(loop)
            if isinstance(error, Apart):
                raise
            first = str(error).strip().partition("\n")[0]  # whatever a net does that vmap does not know
            raise Apart(f"its loss cannot be computed for many nets at once ({first})") from error

    def _check(self, batches: Sequence[Batch]) -> None:
        found = self._found(batches, rare=0)
        if found is None:
            raise Apart("their batches have other sizes")
        for k, (loop, batch) in enumerate(zip(self.slots, batches)):
            mine = gradient_alone(loop, batch)
            error = sum(float((a - b[k]).square().sum()) for a, b in zip(mine, found[0]))
            if not error <= SAME**2 * sum(float(a.square().sum()) for a in mine):
                raise Apart("their gradients are not those of the runs alone")

    # ---- training ----------------------------------------------------------------------------------------

    def run(self) -> None:
        """Train every loop to the end of its plan, as `Loop.run` would.

        What goes wrong with one (`failed`) does not touch the others; a signal ends all at a checkpoint.
        """
        try:
            for loop in self.loops:
                loop._begin()
            with StopSignals() as signals:
                self._one_by_one(signals)  # the first step makes the optimizers' state
                while self.active:
                    self._step(signals)
                for loop in self.alone if signals.asked else ():
                    self._guarded(loop, loop.save)
                    self.failed.setdefault(loop, Interrupted(f"stopped by {signals.asked}, at a checkpoint"))
            for loop in self.alone:
                if loop not in self.failed:
                    self._guarded(loop, loop.run)
        finally:
            for loop in self.loops:
                if loop.record:
                    loop.record.close()

    def _guarded(self, loop: Loop, work: Callable[[], object]) -> None:
        """Do something for one loop; what goes wrong is its own failure."""
        try:
            work()
        except Exception as error:
            self.failed[loop] = error

    def _one_by_one(self, signals: StopSignals) -> None:
        """A step of each loop by itself."""
        for loop in list(self.active):
            self._release(loop)
            self._guarded(loop, loop._one_step)
        self._after(signals)
        if self.active:
            self._gather()

    def _step(self, signals: StopSignals) -> None:
        """A step of all; of what a loop does in a step, only gradient and optimizer are common."""
        found, lead = None, self.active[0]
        batches = {loop: batch_of(loop) for loop in self.active}
        try:
            found = self._found([batches.get(loop, batches[lead]) for loop in self.slots])
        except Exception:  # memory has run out, say: alone, each loop tells what it is
            for loop in list(self.active):
                self._leave(loop, done=False)
            return
        if found is None:
            self._one_by_one(signals)
            return
        gradients, values = found
        self._drop_not_finite(gradients, values["loss"])
        if not self.active:
            return
        self._clip(gradients)
        for weight, gradient in zip(self.weights, gradients):
            weight.grad = gradient.contiguous()  # fused kernels walk over both side by side
        self.optimizer.param_groups[0].update(self._options())
        self.optimizer.step()
        each = {name: value.unbind() for name, value in values.items()}
        for loop, *parts in zip(self.slots, *each.values()):
            if loop in self.active:
                loop._log(self.player, dict(zip(each, parts)))
                for schedule in loop.schedules.values():
                    schedule.step()
                if loop.average:
                    loop.average.update()
                loop.step += 1
        self._after(signals)

    def _after(self, signals: StopSignals) -> None:
        """What is due between steps, and the end of the loops that have come to it."""
        for loop in list(self.active):
            if loop not in self.failed:
                self._guarded(loop, partial(loop._between_steps, signals))
            if loop in self.failed or loop.done:
                self._leave(loop)
                if loop not in self.failed:
                    self._guarded(loop, partial(loop._end, signals))
        if len(self.active) == 1:
            self._leave(self.active[0], done=False)
        elif self.active and 2 * len(self.active) <= len(self.slots):  # else the idle slots go along
            self._gather()

    def _leave(self, loop: Loop, done: bool = True) -> None:
        self._release(loop)
        self.active.remove(loop)
        if not done:
            self.alone.append(loop)

    def _drop_not_finite(self, gradients: list[Tensor], losses: Tensor) -> None:
        """Loops whose loss or gradient is not finite leave before their weights move."""
        sums = torch.stack(
            [losses, *(gradient.reshape(len(gradient), -1).sum(1) for gradient in gradients)]
        ).sum(0)
        finite = sums.isfinite()
        if not finite.all():
            for loop, sound in zip(self.slots, finite.tolist()):
                if not sound and loop in self.active:
                    self._leave(loop, done=False)

    def _clip(self, gradients: list[Tensor]) -> None:
        longest = self.active[0].plan.clip
        if longest:
            flat = [gradient.reshape(len(gradient), -1).double() for gradient in gradients]
            square = torch.stack([each.square().sum(1) for each in flat]).sum(0)
            share = (longest / (square.sqrt() + 1e-6)).clamp(max=1.0)
            for gradient in gradients:
                gradient *= share.to(gradient.dtype).view(-1, *[1] * (gradient.ndim - 1))


def _lean(module: fx.GraphModule) -> Callable[..., list[Tensor]]:
    """A graph that takes and gives flat lists, without the operations that change nothing."""
    for node in list(module.graph.nodes):
        if node.target in IDLE and node.meta["val"].shape == node.args[0].meta["val"].shape:
            node.replace_all_uses_with(node.args[0])
    module.graph.set_codegen(fx.graph.CodeGen())
    module.graph.eliminate_dead_code()
    module.recompile()
    return module.forward
