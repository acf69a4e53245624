"""Declares what torchvision's Python part wants to find: to be imported before it.

Its compiled operators are missing beside the suite's build of torch, and nothing here calls them.
"""

import torch

OPERATORS = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
