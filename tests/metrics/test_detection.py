import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.metrics.detection import COCO, matched


def overlap(a, b):
    both = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    size = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return both / (sum(size) - both) if sum(size) - both else 0.0


def image(seed, found=12, truths=6, classes=3):
    numbers = torch.Generator().manual_seed(seed)
    corner = 12 * torch.rand(truths, 2, generator=numbers, dtype=torch.double)
    truth = torch.cat(
        [corner, corner + 4 + 4 * torch.rand(truths, 2, generator=numbers, dtype=torch.double)], 1
    )
    which = torch.randint(0, max(1, truths), (found,), generator=numbers)
    near = truth[which] if truths else torch.rand(found, 4, generator=numbers, dtype=torch.double)
    boxes = near + 0.7 * torch.randn(found, 4, generator=numbers, dtype=torch.double)
    labels = torch.randint(0, classes, (truths,), generator=numbers)
    guess = torch.randint(0, classes, (found,), generator=numbers)
    guess = torch.where(torch.rand(found, generator=numbers) < 0.8, labels[which], guess) if truths else guess
    return boxes, torch.rand(found, generator=numbers, dtype=torch.double), guess, truth, labels


def plain(images, classes, thresholds, points, most):
    """COCO's way of counting, one box, one class and one threshold at a time."""
    means = []
    for c in range(classes):
        truths = sum(int((labels == c).sum()) for *_, labels in images)
        if not truths:
            continue
        values = []
        for threshold in thresholds:
            rows = []
            for boxes, scores, guess, truth, labels in images:
                left = [t for t, y in zip(truth.tolist(), labels.tolist(), strict=True) if y == c]
                mine = [(s, b) for s, b, y in zip(scores.tolist(), boxes.tolist(), guess.tolist()) if y == c]
                for score, box in sorted(mine, key=lambda pair: -pair[0])[:most]:
                    best = max(left, key=lambda t: overlap(box, t), default=None)
                    hit = best is not None and overlap(box, best) >= threshold
                    if hit:
                        left.remove(best)
                    rows.append((score, hit))
            rows.sort(reverse=True)
            curve, true = [], 0
            for k, (_, hit) in enumerate(rows, 1):
                true += hit
                curve.append((true, true / k))
            if points is None:
                each = [max((p for t, p in curve if t >= n), default=0) for n in range(1, truths + 1)]
            else:
                each = [
                    max((p for t, p in curve if t * (points - 1) >= k * truths), default=0)
                    for k in range(points)
                ]
            values.append(sum(each) / len(each))
        means.append(sum(values) / len(values))
    return sum(means) / len(means)


@pytest.mark.parametrize("most", [100, 2])
@pytest.mark.parametrize(("thresholds", "points"), [(COCO, 101), ((0.5,), None), ((0.3, 0.75), 11)])
def test_it_is_coco_s_way_of_counting(thresholds, points, most):
    images = [
        image(seed, found, truths)
        for seed, (found, truths) in enumerate([(12, 6), (3, 5), (0, 2), (4, 0), (30, 9)])
    ]
    metric = create(
        "mean_average_precision", num_classes=4, thresholds=thresholds, points=points, max_detections=most
    )
    for found in images:
        metric.update(*found)
    expected = plain(images, 4, thresholds, points, most)
    assert 0.1 < expected < 0.9
    assert metric.compute().item() == pytest.approx(expected, abs=1e-12)
    assert metric.table().shape == (4, len(thresholds)) and metric.table()[3].isnan().all()


def test_perfect_is_one_and_missed_is_nought():
    metric = create("mean_average_precision", num_classes=3)
    boxes, scores, _, truth, labels = image(1, 6, 6)
    metric.update(truth, scores, labels, truth, labels)
    assert metric.compute() == 1
    metric.reset()
    metric.update(boxes[:0], scores[:0], labels[:0], truth, labels)
    assert metric.compute() == 0
    assert create("mean_average_precision", num_classes=3).compute().isnan()


def test_a_truth_is_met_once_and_by_the_best():
    truth, label = torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([0])
    metric = create("mean_average_precision", num_classes=1, thresholds=(0.5,), points=None)
    twice = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 4]])
    metric.update(twice, torch.tensor([0.5, 0.9]), torch.tensor([0, 0]), truth, label)
    assert metric.hits[:, 0].tolist() == [True, False] and metric.scores.tolist() == pytest.approx([0.9, 0.5])
    assert metric.compute() == 1  # the second one comes after all is found


def test_matching_takes_the_nearest_truth_that_is_left():
    overlaps = torch.tensor([[0.9, 0.6], [0.8, 0.7], [0.95, 0.0]])
    got = matched(overlaps, torch.tensor([0.5, 0.65, 0.75]))
    assert got[:, 0].tolist() == [True, True, False]  # the second falls back on the other truth
    assert got[:, 2].tolist() == [True, False, False]


def test_what_does_not_fit_is_refused():
    boxes, scores, guess, truth, labels = image(2)
    metric = create("mean_average_precision", num_classes=3)
    with pytest.raises(UsageError, match="n scores"):
        metric.update(boxes, scores[:3], guess, truth, labels)
    with pytest.raises(UsageError, match=r"classes are 0 \.\. 2"):
        metric.update(boxes, scores, guess + 1, truth, labels + 1)
    for words in ({"thresholds": ()}, {"max_detections": 0}):
        with pytest.raises(UsageError, match="thresholds and max_detections"):
            create("mean_average_precision", num_classes=3, **words)
