"""Boxes (x1, y1, x2, y2): how much they overlap, and which of them to keep."""

from typing import TYPE_CHECKING

from ...cards.exports import exports
from .nms import nms as nms
from .soft_nms import soft_nms as soft_nms

if TYPE_CHECKING:
    from .criteria import adaptive_nms as adaptive_nms, diou_nms as diou_nms
    from .iou import (
        areas as areas,
        centre_distance as centre_distance,
        centre_gap as centre_gap,
        hull as hull,
        pairwise_iou as pairwise_iou,
        shared as shared,
    )
    from .merging import (
        iou_guided_nms as iou_guided_nms,
        softer_nms as softer_nms,
        weighted_nms as weighted_nms,
    )
    from .parallel import cluster_nms as cluster_nms, fast_nms as fast_nms, matrix_nms as matrix_nms
    from .ranking import Kept as Kept
else:
    __getattr__, __dir__ = exports(__name__, __file__)
