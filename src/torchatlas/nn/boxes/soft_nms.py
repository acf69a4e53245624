"""Soft-NMS: what overlaps a better box loses score, not its life."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .ranking import Kept, Ranked

FORMS = ("gaussian", "linear")
STEPS = 32  # steps between two looks at which boxes are left


def decay(iou: Tensor, form: str, sigma: float, threshold: float) -> Tensor:
    """What a box's score is multiplied by, from how far it overlaps a better one."""
    if form == "gaussian":
        return (-iou.square() / sigma).exp()
    return (1 - iou).where(iou >= threshold, 1)


@method(
    "soft_nms",
    year=2017,
    paper="arXiv:1704.04503",
    topics=("detection", "vision"),
)
def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    threshold: float = 0.3,
    classes: Tensor | None = None,
    form: str = "gaussian",
    sigma: float = 0.5,
    floor: float = 0.001,
) -> Kept:
    r"""Soft-NMS: the best box is kept, those that overlap it lose score, and so on with the scores left.

    A score is multiplied by $e^{-\mathrm{IoU}^2 / \sigma}$ (`form="gaussian"`; any overlap counts), or by
    1 - IoU where the IoU is at least `threshold` (`form="linear"`). Boxes whose score falls below `floor` are
    dropped. classes: only boxes of the same class matter to each other.
    Gives `places`, `boxes` and the new `scores` of what is left, best first.
    Raises UsageError for shapes that do not fit, another form, or a sigma that is not positive.
    """
    if form not in FORMS or not sigma > 0:
        raise UsageError(f"soft_nms has the forms {' and '.join(FORMS)} and sigma > 0; got {form!r}, {sigma}")
    ranked = Ranked.of("soft_nms", boxes, scores, classes)
    left, chosen, final = torch.arange(len(ranked), device=boxes.device), [], []
    part, now = ranked, ranked.scores.clone()
    while len(left):
        for _ in range(min(STEPS, len(left))):
            best = now.argmax()[None]
            chosen.append(left[best])
            final.append(now[best])
            factor = decay(part.overlaps(best)[0], form, sigma, threshold)
            now = now * factor.clamp(min=torch.finfo(now.dtype).tiny)  # 0 times -inf would be no number
            now[best] = -torch.inf
        alive = (now >= floor) & (now > -torch.inf)
        left, part, now = left[alive], part.only(alive), now[alive]
    ranks = torch.cat([left, *chosen])
    scores_now = torch.cat([now, *final])
    stays = (scores_now >= floor) & (scores_now > -torch.inf)
    ranks, scores_now = ranks[stays], scores_now[stays]
    return ranked.kept(ranks, ranked.at(ranks), scores_now, (boxes, scores))
