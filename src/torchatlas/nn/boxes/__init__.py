"""Boxes (x1, y1, x2, y2): how much they overlap, and which of them to keep."""

from .iou import areas as areas, pairwise_iou as pairwise_iou
from .nms import nms as nms
