"""Scores of poses: how near the joints are, measured by the limb, the head, the torso or the person."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..cards.card import method
from ..engine.errors import UsageError
from ..nn.boxes.iou import wide
from .detection import COCO, AbstractDetection
from .metric import AbstractMean, AbstractMetric

# Nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles: COCO's order, left before right.
COCO_SIGMAS = (
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
    *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)


def distances(prediction: Tensor, target: Tensor, name: str = "a pose metric") -> Tensor:
    """How far each joint is off: (…, joints, 2 or 3) -> (…, joints). Raises UsageError for other shapes."""
    if prediction.shape != target.shape or target.ndim < 2 or target.shape[-1] not in (2, 3):
        raise UsageError(
            f"{name} wants joints (people, joints, 2) or (people, joints, 3), predicted and true; "
            f"got {tuple(prediction.shape)} and {tuple(target.shape)}"
        )
    return torch.linalg.vector_norm(wide(prediction) - wide(target), dim=-1)


def drawn(seed: int, people: int, joints: int, width: int = 2) -> tuple[Tensor, Tensor]:
    """Random poses near to random poses."""
    numbers = torch.Generator().manual_seed(seed)
    target = 10 * torch.rand(people, joints, width, generator=numbers)
    return target + torch.randn(people, joints, width, generator=numbers), target


class AbstractShare(AbstractMetric):
    """The share of joints or limbs that are right, of those that are seen."""

    right: Tensor
    seen: Tensor

    def __init__(self, threshold: float):
        super().__init__()
        self.threshold = threshold
        self.add_sum("right")
        self.add_sum("seen")

    @torch.no_grad()
    def count(self, off: Tensor, allowed: Tensor, visible: Tensor | None) -> None:
        """Joints are right that are off by at most what is allowed; those not visible do not count."""
        seen = torch.ones_like(off, dtype=torch.bool) if visible is None else visible > 0
        self.right += ((off <= allowed) & seen).sum()
        self.seen += seen.sum()

    def compute(self) -> Tensor:
        """The share that is right."""
        return self.right.double() / self.seen


@method(
    "pcp",
    year=2008,
    paper="Ferrari, Marín-Jiménez and Zisserman, Progressive search space reduction, CVPR",
    topics=("pose", "vision"),
    tiny={"limbs": ((0, 1), (1, 2))},
)
class PCP(AbstractShare):
    """PCP, the percentage of correct parts: limbs both of whose ends are within half the limb's length.

    `limbs` are pairs of joint numbers; a joint may be off by `threshold` times the true length of the limb.
    Limbs count whose two joints are visible. Gives a share, from 0 to 1.
    Shapes of update: joints (people, joints, 2), predicted and true, and `visible` (people, joints).
    """

    def __init__(self, limbs: Sequence[tuple[int, int]], threshold: float = 0.5):
        super().__init__(threshold)
        if not limbs:
            raise UsageError("pcp wants limbs: pairs of joint numbers")
        self.limbs = tuple(limbs)

    def update(self, prediction: Tensor, target: Tensor, visible: Tensor | None = None) -> None:
        """Add people."""
        start, end = ([limb[side] for limb in self.limbs] for side in (0, 1))
        off = distances(prediction, target, "pcp")
        length = distances(target[..., start, :], target[..., end, :])
        shown = None if visible is None else (visible[..., start] > 0) & (visible[..., end] > 0)
        self.count(torch.maximum(off[..., start], off[..., end]), self.threshold * length, shown)

    def example(self, seed: int) -> tuple[Tensor, Tensor]:
        """Three people."""
        return drawn(seed, 3, 1 + max(max(limb) for limb in self.limbs))


@method(
    "pck",
    year=2013,
    paper="Yang and Ramanan, Articulated human detection with flexible mixtures of parts, TPAMI 35",
    topics=("pose", "vision"),
)
class PCK(AbstractShare):
    """PCK, the percentage of correct keypoints: joints within a share of the person's size.

    A joint may be off by `threshold` (0.2) times the person's `scale`: the torso's diameter on FLIC, the
    larger side of the person's box on others. Gives a share, from 0 to 1.
    Shapes of update: joints (people, joints, 2), predicted and true, `scale` (people,), `visible` (people,
    joints).
    """

    def __init__(self, threshold: float = 0.2):
        super().__init__(threshold)

    def update(
        self, prediction: Tensor, target: Tensor, scale: Tensor, visible: Tensor | None = None
    ) -> None:
        """Add people."""
        allowed = self.threshold * wide(scale)[..., None]
        self.count(distances(prediction, target, "pck"), allowed, visible)

    def example(self, seed: int) -> tuple[Tensor, ...]:
        """Three people of five joints."""
        return *drawn(seed, 3, 5), torch.tensor([6.0, 7.0, 8.0])


@method(
    "pckh",
    year=2014,
    paper="Andriluka et al., 2D human pose estimation: new benchmark and state of the art analysis, CVPR",
    topics=("pose", "vision"),
)
class PCKh(AbstractShare):
    """PCKh: the percentage of correct keypoints, measured by the person's head.

    A joint may be off by `threshold` (0.5) times 0.6 of the diagonal of the head's box, as the benchmark's
    own script has it: PCK with another scale. Gives a share, from 0 to 1.
    Shapes of update: joints (people, joints, 2), predicted and true, `heads` (people, 4) as x1, y1, x2, y2,
    and `visible` (people, joints).
    """

    def __init__(self, threshold: float = 0.5):
        super().__init__(threshold)

    def update(
        self, prediction: Tensor, target: Tensor, heads: Tensor, visible: Tensor | None = None
    ) -> None:
        """Add people."""
        size = 0.6 * distances(heads[..., :2], heads[..., 2:])
        self.count(distances(prediction, target, "pckh"), self.threshold * size[..., None], visible)

    def example(self, seed: int) -> tuple[Tensor, ...]:
        """Three people of five joints."""
        heads = torch.tensor([[0.0, 0, 3, 4], [1, 1, 2, 5], [0, 0, 1, 2]])
        return *drawn(seed, 3, 5), heads


@method(
    "mpjpe",
    year=2014,
    paper="Ionescu et al., Human3.6M, TPAMI 36",
    topics=("pose", "vision"),
    aliases=("mean_per_joint_position_error",),
)
class MPJPE(AbstractMean):
    """MPJPE, the mean per joint position error: how far joints are off in space, on average.

    In the unit of the joints, usually millimetres. `root` is the number of the joint (the pelvis) on which
    both skeletons are put first, as is usual for poses without a place in the room; None compares places.
    Shapes of update: joints (people, joints, 3), predicted and true, and `visible` (people, joints).
    """

    def __init__(self, root: int | None = None):
        super().__init__()
        self.root = root

    @torch.no_grad()
    def update(self, prediction: Tensor, target: Tensor, visible: Tensor | None = None) -> None:
        """Add people."""
        if self.root is not None:
            prediction, target = (
                wide(x) - wide(x)[..., self.root : self.root + 1, :] for x in (prediction, target)
            )
        off = distances(prediction, target, "mpjpe")
        seen = torch.ones_like(off, dtype=torch.bool) if visible is None else visible > 0
        self.total += off.where(seen, 0).sum()
        self.seen += seen.sum()

    def example(self, seed: int) -> tuple[Tensor, Tensor]:
        """Three people of five joints."""
        return drawn(seed, 3, 5, 3)


def keypoint_similarity(
    prediction: Tensor, target: Tensor, visibility: Tensor, area: Tensor, sigmas: Sequence[float]
) -> Tensor:  # (…, joints, 2), the same, (…, joints), (…) -> (…)
    """The object keypoint similarity of poses and truths, perhaps broadcast; 0 where no joint is seen."""
    if target.shape[-2] != len(sigmas):
        raise UsageError(f"there are {len(sigmas)} sigmas for {target.shape[-2]} joints: give one for each")
    near = wide(prediction) - wide(target)
    square = near.square().sum(-1)
    spread = 8 * square.new_tensor(sigmas).square() * (wide(area)[..., None] + torch.finfo(square.dtype).eps)
    seen = visibility > 0
    return ((-square / spread).exp() * seen).sum(-1) / seen.sum(-1).clamp(min=1)


@method(
    "oks",
    year=2014,
    paper="arXiv:1405.0312",
    topics=("pose", "vision"),
    aliases=("pose_metrics",),
)
class OKS(AbstractMean):
    r"""OKS, the object keypoint similarity: 1 for joints in place, falling with their distance.

    Over the labelled joints (visibility 1, hidden, or 2, seen) of a person the mean of
    $\exp(-d^2 / (2 s^2 k^2))$, with $s^2$ the person's area and $k = 2\sigma$ of each kind of joint; `sigmas`
    are COCO's for 17 joints. Gives the mean over people who have a labelled joint.
    Shapes of update: joints (people, joints, 2), predicted and true, visibility (people, joints), and area
    (people,). Errors: `UsageError` unless there is a sigma for each joint.
    """

    def __init__(self, sigmas: Sequence[float] = COCO_SIGMAS):
        super().__init__()
        self.sigmas = tuple(sigmas)

    @torch.no_grad()
    def update(self, prediction: Tensor, target: Tensor, visibility: Tensor, area: Tensor) -> None:
        """Add people, each with the truth that is theirs."""
        self.total += keypoint_similarity(prediction, target, visibility, area, self.sigmas).sum()
        self.seen += (visibility > 0).any(-1).sum()

    def example(self, seed: int) -> tuple[Tensor, ...]:
        """Three people."""
        joints = len(self.sigmas)
        visibility = torch.arange(3 * joints).view(3, joints) % 3
        return *drawn(seed, 3, joints), visibility, torch.tensor([100.0, 200.0, 400.0])


@method(
    "ap_oks",
    year=2014,
    paper="arXiv:1405.0312",
    topics=("pose", "detection", "vision"),
)
class AveragePrecisionOKS(AbstractDetection):
    """Average precision over OKS: people found and matched by the likeness of their joints.

    As in `mean_average_precision`, with the object keypoint similarity in place of IoU and people as the only
    class; the defaults are COCO's: similarities 0.5, 0.55, …, 0.95, 101 recalls, the 20 best of an image.
    People without a labelled joint are left out.
    Shapes of update, an image each: joints (n, joints, 2) and scores (n,) of those found; of the truths
    joints (m, joints, 2), visibility (m, joints) and area (m,). Errors: `UsageError` for what does not fit.
    """

    def __init__(
        self,
        sigmas: Sequence[float] = COCO_SIGMAS,
        thresholds: tuple[float, ...] = COCO,
        points: int | None = 101,
        max_detections: int = 20,
    ):
        super().__init__(1, thresholds, points, max_detections)
        self.sigmas = tuple(sigmas)

    @torch.no_grad()
    def update(
        self, joints: Tensor, scores: Tensor, truths: Tensor, visibility: Tensor, area: Tensor
    ) -> None:
        """Add an image."""
        labelled = (visibility > 0).any(-1)
        truths, visibility, area = truths[labelled], visibility[labelled], area[labelled]
        alike = keypoint_similarity(joints[:, None], truths, visibility, area, self.sigmas)
        people = torch.zeros_like(scores, dtype=torch.long)
        self.gather(alike, scores, people, torch.zeros_like(area, dtype=torch.long))

    def example(self, seed: int) -> tuple[Tensor, ...]:
        """Three people, all found."""
        found, truths = drawn(seed, 3, len(self.sigmas))
        visibility = torch.ones(3, len(self.sigmas), dtype=torch.long)
        scores = torch.rand(3, generator=torch.Generator().manual_seed(seed))
        return found, scores, truths, visibility, torch.tensor([200.0, 400.0, 900.0])
