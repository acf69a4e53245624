"""What is trained otherwise part by part: parts that are frozen, and rates that fall with the depth."""

from collections.abc import Sequence

from torch import nn

from ...engine.errors import UsageError
from ...engine.learner import Learner
from ...networks.image import AbstractStagedNetwork

BODY, HEAD = "body", "head"  # the word for all but the head


def freeze(learner: Learner, text: str) -> None:
    """Keep parts of a learner's network as they are: "stem,stage1", "stem-stage2", or "body".

    Raises UsageError for a part that there is not, and where nothing is left to train.
    """
    network = _with_parts(learner, f"freeze={text}")
    order = list(network.parts())
    names = [name for word in text.split(",") for name in _spread(word.strip(), order, text)]
    network.freeze(*names)
    if not all(learner.owned(player) for player in learner.players):
        raise UsageError(f"freeze={text} leaves nothing to train: leave out the {HEAD}")


def _spread(word: str, order: Sequence[str], text: str) -> Sequence[str]:
    first, dash, last = (order[0], "-", order[-2]) if word == BODY else word.partition("-")
    ends = [first, last] if dash else [first]
    wrong = next((name for name in ends if name not in order), None)
    if wrong is None and ends != sorted(ends, key=order.index):
        wrong = word  # from the head to the stem
    if wrong is not None:
        raise UsageError(
            f"freeze={text}: there is no part {wrong!r}; take {', '.join(order)}, "
            f"a range such as {order[0]}-{order[1]}, or {BODY}, which is all but the {HEAD}"
        )
    return order[order.index(ends[0]) : order.index(ends[-1]) + 1]


def rate_groups(learner: Learner, player: str, decay: float | None) -> list[tuple[float, list[nn.Parameter]]]:
    """A player's parameters by what their rate is multiplied with: the decay to the power of the depth.

    The head has depth 0, and each part with weights before it one more. Without a decay all are one group.
    """
    owned = learner.owned(player)
    if decay is None:
        return [(1.0, owned)]
    parts = _with_parts(learner, f"layer_decay={decay}").parts().values()
    weighty = [part for part in parts if next(part.parameters(), None) is not None]
    depths = {p: depth for depth, part in enumerate(reversed(weighty)) for p in part.parameters()}
    groups: dict[int, list[nn.Parameter]] = {}
    for p in owned:
        groups.setdefault(depths.get(p, 0), []).append(p)
    return [(decay**depth, groups[depth]) for depth in sorted(groups)]


def _with_parts(learner: Learner, said: str) -> AbstractStagedNetwork:
    network = getattr(learner, "network", None)
    if isinstance(network, AbstractStagedNetwork):
        return network
    raise UsageError(
        f"{said} is for networks of named parts, such as resnet18 (stem, stage1 …, neck, head), and "
        f"{type(learner if network is None else network).__name__} has none: leave it out"
    )
