"""Suppression and metrics, timed in pairs: `python -m bench boxes [PAIRS]`.

Every way of suppression on 10,000 boxes around a few hundred objects, beside our own greedy one; greedy
itself beside the loop that takes one kept box at a time. Confusion matrices of ten million pixels beside
numpy's bincount, and torchmetrics where it is installed.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from bench.pairs import Ratio, pairs
from torchatlas import create
from torchatlas.nn import boxes as nb
from torchatlas.nn.boxes import pairwise_iou

BOXES, OBJECTS, PIXELS, CLASSES = 10_000, 300, 10_000_000, 19


def detections(count: int = BOXES, objects: int = OBJECTS) -> tuple[Tensor, Tensor]:
    """Boxes around so many objects of an image of 1000 x 1000, and their scores."""
    numbers = torch.Generator().manual_seed(0)
    whose = torch.randint(objects, (count,), generator=numbers)
    centre = 1000 * torch.rand(objects, 2, generator=numbers)[whose]
    size = (15 + 40 * torch.rand(objects, 2, generator=numbers))[whose]
    centre = centre + 0.1 * size * torch.randn(count, 2, generator=numbers)
    size = size * (0.1 * torch.randn(count, 2, generator=numbers)).exp()
    return torch.cat([centre - size, centre + size], 1), torch.rand(count, generator=numbers)


def one_by_one(boxes: Tensor, scores: Tensor, threshold: float = 0.5) -> Tensor:
    """Greedy suppression by one kept box at a time."""
    left, kept = scores.argsort(descending=True, stable=True), []
    while len(left):
        best, left = left[:1], left[1:]
        kept.append(best)
        left = left[pairwise_iou(boxes[best], boxes[left])[0] <= threshold]
    return torch.cat(kept)


def ways(boxes: Tensor, scores: Tensor) -> dict[str, Callable[[], object]]:
    """Every way of suppression."""
    numbers = torch.Generator().manual_seed(1)
    beside = torch.rand(len(boxes), generator=numbers)
    return {
        "adaptive_nms": partial(nb.adaptive_nms, boxes, scores, beside),
        "diou_nms": partial(nb.diou_nms, boxes, scores),
        "soft_nms": partial(nb.soft_nms, boxes, scores),
        "iou_guided_nms": partial(nb.iou_guided_nms, boxes, scores, beside),
        "weighted_nms": partial(nb.weighted_nms, boxes, scores),
        "softer_nms": partial(nb.softer_nms, boxes, scores, torch.ones_like(boxes)),
        "fast_nms": partial(nb.fast_nms, boxes, scores),
        "cluster_nms": partial(nb.cluster_nms, boxes, scores),
        "matrix_nms": partial(nb.matrix_nms, boxes, scores),
    }


def by_numpy(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The confusion matrix as it is usually written."""
    counted = (truth >= 0) & (truth < CLASSES)
    cells = CLASSES * truth[counted] + found[counted]
    return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def measure(count: int) -> list[Ratio]:
    """Each in so many pairs."""
    boxes, scores = detections()
    greedy = partial(nb.nms, boxes, scores)
    assert torch.equal(greedy(), one_by_one(boxes, scores))
    print(f"{len(greedy()):,} of {BOXES:,} boxes are kept", flush=True)
    found = [pairs("nms / one kept box at a time", greedy, partial(one_by_one, boxes, scores), count)]
    found += [pairs(f"{name} / nms", way, greedy, count) for name, way in ways(boxes, scores).items()]
    numbers = torch.Generator().manual_seed(2)
    guess, truth = (torch.randint(CLASSES, (PIXELS,), generator=numbers) for _ in range(2))
    matrix = create("confusion_matrix", num_classes=CLASSES)
    numpy = partial(by_numpy, guess.numpy(), truth.numpy())
    matrix.update(guess, truth)
    assert np.array_equal(matrix.compute().numpy(), numpy())
    found.append(
        pairs("confusion_matrix / numpy's bincount", partial(matrix.update, guess, truth), numpy, count)
    )
    small, labels = guess.to(torch.uint8), truth.to(torch.uint8)
    found.append(
        pairs("the same of bytes / numpy's bincount", partial(matrix.update, small, labels), numpy, count)
    )
    iou = create("mean_iou", num_classes=CLASSES)
    if find_spec("torchmetrics"):
        peer = import_module("torchmetrics.classification").MulticlassJaccardIndex(CLASSES)
        update = partial(peer.update, guess, truth)
        found.append(pairs("mean_iou / torchmetrics", partial(iou.update, guess, truth), update, count))
    return found


def main(words: list[str]) -> int:
    """Print a line for each; in so many pairs (7)."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for ratio in measure(int(words[0]) if words else 7):
        print(ratio, flush=True)
    return 0
