"""CycleGAN: translation between two sets of data of which no pairs are known."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from ...cards.card import method
from ...data.spec import Part
from ...data.streams import Streams
from ...engine.errors import UsageError
from ...engine.learner import TRIAL, Batch, Learner
from .pool import SamplePool
from .translators import judge, translator

if TYPE_CHECKING:
    from ...data.prepared import Prepared
    from ...data.spec import Spec

SHOWN = 64  # rows kept to be translated by `sample`


@method(
    "cyclegan",
    year=2017,
    paper="arXiv:1703.10593",
    topics=("gan", "translation"),
    recipe={
        "optimizer": "adam",
        "lr": 2e-4,
        "optimizer.betas": (0.5, 0.999),
        "batch_size": 16,
        "epochs": 200,
    },
    tiny={"width": 4, "blocks": 1},
)
class CycleGAN(Learner):
    r"""CycleGAN: generators $G: A \to B$, $F: B \to A$ that undo each other, and a critic for each side.

    The generators minimise $(D_B(G(a)) - 1)^2 + (D_A(F(b)) - 1)^2 + \lambda\,(|F(G(a)) - a| + |G(F(b)) - b|)$
    $+\ \lambda\,\mu\,(|G(b) - b| + |F(a) - a|)$ with $\lambda$ `cycle` and $\mu$ `identity`; all terms are
    means over values. Each critic minimises $((D(x) - 1)^2 + D(\tilde x)^2) / 2$, where half the $\tilde x$
    come from a pool of 50 earlier translations. Each step, the generators move first.

    A batch is (a, b): rows of the two classes of the target that `domains` names, not in pairs. The score is
    the cycle's error per sample, which cannot tell a good translation from none: the last weights are kept.
    `sample` translates rows of A from the validation part. Batches are never cut: the pools take them whole.
    """

    players: ClassVar = {"generators": ("to_b", "to_a"), "critics": ("critic_a", "critic_b")}
    scaling: ClassVar[str] = "symmetric"
    monitor: ClassVar[str] = ""
    cuttable: ClassVar[bool] = False
    shown: Tensor

    def __init__(
        self,
        generators: tuple[nn.Module, nn.Module],
        critics: tuple[nn.Module, nn.Module],
        shape: tuple[int, ...],
        domains: tuple[int, int] = (0, 1),
        cycle: float = 10.0,
        identity: float = 0.5,
        pool: int = 50,
    ):
        super().__init__()
        self.to_b, self.to_a = generators
        self.critic_a, self.critic_b = critics
        self.pool_a, self.pool_b = SamplePool(shape, pool), SamplePool(shape, pool)
        self.domains, self.cycle, self.identity = domains, cycle, identity
        self.register_buffer("shown", torch.zeros(SHOWN, *shape))

    def indivisible(self) -> str:
        """Samples go through the pools one by one."""
        return "its pools of earlier samples take a batch once a step"

    @classmethod
    def for_data(
        cls,
        spec: "Spec",
        domains: Sequence[int | str] = (0, 1),
        cycle: float = 10.0,
        identity: float = 0.5,
        pool: int = 50,
        width: int = 16,
        blocks: int = 2,
    ) -> Self:
        """Small networks: convolutions of `width` maps with `blocks` residual blocks, perceptrons for tables.

        `domains` are two classes, by number or name.
        """
        if spec.task != "classification":
            raise UsageError(
                f"cyclegan takes its two sets from a target's classes; this one's task is {spec.task}"
            )
        chosen = tuple(_number(domain, spec.classes, spec.outputs) for domain in domains)
        if len(set(chosen)) != 2:
            raise UsageError(f"cyclegan's domains are two different classes, not {domains}")
        to_b, to_a = (translator(spec.shape, width, blocks) for _ in range(2))
        critic_a, critic_b = (judge(spec.shape, width) for _ in range(2))
        pair = (chosen[0], chosen[1])
        return cls((to_b, to_a), (critic_a, critic_b), spec.shape, pair, cycle, identity, pool)

    def source(self, data: "Prepared", batch_size: int, seed: int, device: Any) -> Streams:
        """Rows of the two classes side by side; some held-out rows of the first are kept for `sample`."""
        sets = self._domains_of(data.train)
        for domain, rows in zip(self.domains, sets, strict=True):
            if not len(rows):
                raise UsageError(f"the training part has no row of class {data.spec.classes[domain]}")
        held_out = self._domains_of(data.valid)[0] if data.valid is not None else sets[0]
        rows = held_out if len(held_out) else sets[0]
        self.shown.copy_(rows[torch.arange(SHOWN) % len(rows)])
        parts = [Part(rows, None, np.arange(len(rows))) for rows in sets]
        return Streams(parts, [min(batch_size, *map(len, sets))] * 2, seed, device)

    def trials(self, part: "Part", seed: int) -> Iterator[Batch]:
        """The part's rows of either class; either side of a batch may be empty."""
        a, b = self._domains_of(part)
        for start in range(0, max(len(a), len(b)), TRIAL):
            yield a[start : start + TRIAL], b[start : start + TRIAL]

    def loss(self, player: str, batch: Batch) -> Tensor | tuple[Tensor, dict[str, Tensor]]:
        """The generators' four terms with three of them to record, or the critics' two."""
        a, b = batch[0], batch[1]
        if player == "critics":
            with torch.no_grad():
                fake_a, fake_b = self.pool_a.swapped(self.to_a(b)), self.pool_b.swapped(self.to_b(a))
            return _critic_loss(self.critic_a, a, fake_a) + _critic_loss(self.critic_b, b, fake_b)
        fake_b, same_b = self.to_b(torch.cat([a, b])).split([len(a), len(b)])
        fake_a, same_a = self.to_a(torch.cat([b, a])).split([len(b), len(a)])
        fooled = (self.critic_b(fake_b) - 1).square().mean() + (self.critic_a(fake_a) - 1).square().mean()
        cycle = _distance(self.to_a(fake_b), a).mean() + _distance(self.to_b(fake_a), b).mean()
        identity = _distance(same_b, b).mean() + _distance(same_a, a).mean()
        told = {"adversarial": fooled, "cycle": cycle, "identity": identity}
        return fooled + self.cycle * (cycle + self.identity * identity), told

    def updated(self, player: str, step: int) -> None:
        """The pools take up the batch that the critics saw."""
        if player == "critics":
            self.pool_a.commit()
            self.pool_b.commit()

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample, first of A, then of B: the mean absolute error of there and back."""
        ways = ((batch[0], self.to_b, self.to_a), (batch[1], self.to_a, self.to_b))
        return {"cycle_error": torch.cat([_distance(back(to(x)), x) for x, to, back in ways if len(x)])}

    def sample(self, count: int) -> Tensor:
        """Translations to B of rows of A, in a random order; they repeat where they are too few."""
        order = torch.randperm(SHOWN, device=self.shown.device).repeat(-(-count // SHOWN))
        return self.to_b(self.shown[order[:count]])

    def _domains_of(self, part: "Part") -> tuple[Tensor, Tensor]:
        assert part.y is not None
        return part.x[part.y == self.domains[0]], part.x[part.y == self.domains[1]]


def _critic_loss(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return ((critic(real) - 1).square().mean() + critic(fake).square().mean()) / 2


def _distance(x: Tensor, y: Tensor) -> Tensor:  # (b, ...), (b, ...) -> (b,)
    return (x - y).abs().flatten(1).mean(1)


def _number(domain: int | str, classes: Sequence[str], count: int) -> int:
    if isinstance(domain, str) and domain in classes:
        return list(classes).index(domain)
    if isinstance(domain, int) and 0 <= domain < count:
        return domain
    raise UsageError(
        f"there is no class {domain!r}; the classes are {', '.join(classes[:20]) or f'0..{count - 1}'}"
    )
