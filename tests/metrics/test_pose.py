import math

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.metrics import keypoint_similarity
from torchatlas.metrics.pose import COCO_SIGMAS

LIMBS = ((0, 1), (1, 2), (3, 4))


def drawn(seed, people=7, joints=5, width=2):
    numbers = torch.Generator().manual_seed(seed)
    target = 10 * torch.rand(people, joints, width, generator=numbers, dtype=torch.double)
    found = target + 1.5 * torch.randn(people, joints, width, generator=numbers, dtype=torch.double)
    return found, target, torch.randint(0, 3, (people, joints), generator=numbers)


def share(pairs):
    right = list(pairs)
    return sum(right) / len(right)


def test_pcp_is_the_definition():
    found, target, visible = drawn(0)
    for threshold in (0.2, 0.5):
        metric = create("pcp", limbs=LIMBS, threshold=threshold)
        metric.update(found[:3], target[:3], visible[:3])
        metric.update(found[3:], target[3:], visible[3:])
        expected = share(
            all(math.dist(p[k], t[k]) <= threshold * math.dist(t[a], t[b]) for k in (a, b))
            for p, t, v in zip(found.tolist(), target.tolist(), visible.tolist(), strict=True)
            for a, b in LIMBS
            if v[a] and v[b]
        )
        assert metric.compute().item() == pytest.approx(expected) and 0 < expected < 1


def test_pcp_counts_what_lies_exactly_on_the_boundary():
    target = torch.tensor([[[0.0, 0], [4, 0]]])
    for off, right in ((2.0, 1), (2.001, 0)):
        metric = create("pcp", limbs=((0, 1),))
        metric.update(target + torch.tensor([[[0.0, off], [0, 0]]]), target)
        assert metric.compute() == right


def test_pck_is_the_definition():
    found, target, visible = drawn(1)
    scale = torch.arange(1, 8).double() * 3
    metric = create("pck")
    metric.update(found, target, scale, visible)
    expected = share(
        math.dist(p, t) <= 0.2 * s
        for a, b, s, v in zip(found.tolist(), target.tolist(), scale.tolist(), visible.tolist(), strict=True)
        for p, t, seen in zip(a, b, v, strict=True)
        if seen
    )
    assert metric.compute().item() == pytest.approx(expected) and 0 < expected < 1


def test_pck_grows_with_its_threshold_and_heeds_no_scale():
    found, target, _ = drawn(2)
    scores = []
    for threshold in (0.05, 0.2, 0.5):
        one, other = create("pck", threshold=threshold), create("pck", threshold=threshold)
        one.update(found, target, torch.full((7,), 8.0))
        other.update(4 * found, 4 * target, torch.full((7,), 32.0))
        assert one.compute() == other.compute()
        scores.append(one.compute().item())
    assert scores[0] < scores[1] < scores[2]


def test_pckh_is_pck_by_the_head():
    found, target, visible = drawn(3)
    heads = torch.tensor([[1.0, 1, 4, 5]] * 7).double()  # a diagonal of 5
    metric, other = create("pckh"), create("pck", threshold=0.5)
    metric.update(found, target, heads, visible)
    other.update(found, target, torch.full((7,), 3.0), visible)
    assert metric.compute() == other.compute() and 0 < metric.compute() < 1
    strict, half = create("pckh", threshold=0.25), create("pck", threshold=0.25)
    strict.update(found, target, heads, visible)
    half.update(found, target, torch.full((7,), 3.0), visible)
    assert strict.compute() == half.compute() < metric.compute()
    right, wrong = create("pckh"), create("pckh")
    box = torch.tensor([[0.0, 0, 3, 4]])
    right.update(torch.tensor([[[1.5, 0.0]]]), torch.zeros(1, 1, 2), box)
    wrong.update(torch.tensor([[[1.51, 0.0]]]), torch.zeros(1, 1, 2), box)
    assert right.compute() == 1 and wrong.compute() == 0


def test_mpjpe_is_the_mean_distance():
    found, target, visible = drawn(4, width=3)
    metric = create("mpjpe")
    for a, b, v in zip(found.split(2), target.split(2), visible.split(2)):
        metric.update(a, b, v)
    seen = [
        math.dist(p, t)
        for a, b, v in zip(found.tolist(), target.tolist(), visible.tolist(), strict=True)
        for p, t, s in zip(a, b, v, strict=True)
        if s
    ]
    assert metric.compute().item() == pytest.approx(sum(seen) / len(seen))


def test_mpjpe_known_values_and_the_root():
    target = drawn(5, width=3)[1]
    off = target + torch.tensor([3.0, 4, 0])
    plain, rooted = create("mpjpe"), create("mpjpe", root=2)
    for metric in (plain, rooted):
        metric.update(off, target)
    assert plain.compute().item() == pytest.approx(5) and rooted.compute().item() == pytest.approx(
        0, abs=1e-12
    )
    moved = off.clone()
    moved[:, 0, 2] += 10
    rooted.reset()
    rooted.update(moved, target)
    assert rooted.compute().item() == pytest.approx(10 / 5)


def similarity(found, target, visible, area, sigmas):
    terms = [
        math.exp(-(math.dist(p, t) ** 2) / (2 * area * (2 * s) ** 2))
        for p, t, v, s in zip(found, target, visible, sigmas, strict=True)
        if v > 0
    ]
    return sum(terms) / len(terms) if terms else 0.0


def test_oks_is_the_definition():
    found, target, visible = drawn(6, joints=17)
    visible[2] = 0
    area = torch.arange(1, 8).double() * 40
    each = [
        similarity(*row, COCO_SIGMAS) for row in zip(*(x.tolist() for x in (found, target, visible, area)))
    ]
    got = keypoint_similarity(found, target, visible, area, COCO_SIGMAS)
    assert got.tolist() == pytest.approx(each) and got[2] == 0
    metric = create("oks")
    metric.update(found, target, visible, area)
    assert metric.compute().item() == pytest.approx(sum(each) / 6)


def test_oks_known_values():
    metric = create("oks", sigmas=(0.026,))
    metric.update(torch.tensor([[[3.0, 4]]]), torch.zeros(1, 1, 2), torch.ones(1, 1), torch.tensor([1e4]))
    assert metric.compute().item() == pytest.approx(0.629847, abs=5e-7)
    metric.reset()
    metric.update(torch.ones(1, 1, 2), torch.ones(1, 1, 2), torch.full((1, 1), 2), torch.tensor([0.0]))
    assert metric.compute() == 1
    assert len(COCO_SIGMAS) == 17 and COCO_SIGMAS[:3] == (0.026, 0.025, 0.025) and COCO_SIGMAS[-1] == 0.089


def test_ap_oks_matches_and_ranks_people():
    sigmas, images = (0.05, 0.1, 0.08), []
    for seed in range(4):
        _, truths, visible = drawn(seed + 10, 5, 3)
        found = truths[[0, 0, 1, 2, 3]] + 0.4 * drawn(seed + 20, 5, 3)[0] - 0.4 * drawn(seed + 20, 5, 3)[1]
        visible[4] = 0  # nobody to be found
        scores = torch.rand(5, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
        images.append((found, scores, truths, visible, torch.full((5,), 30.0).double()))
    metric = create("ap_oks", sigmas=sigmas, max_detections=4)
    for one in images:
        metric.update(*one)
    values = []
    truths = sum(int((v > 0).any(1).sum()) for *_, v, _ in images)
    for threshold in (k / 100 for k in range(50, 100, 5)):
        rows = []
        for found, scores, truth, visible, area in images:
            people = [
                row
                for row in zip(truth.tolist(), visible.tolist(), area.tolist(), strict=True)
                if any(row[1])
            ]
            left = list(range(len(people)))
            for score, pose in sorted(zip(scores.tolist(), found.tolist(), strict=True), reverse=True)[:4]:
                alike = {k: similarity(pose, *people[k], sigmas) for k in left}
                best = max(alike, key=alike.get, default=None)
                hit = best is not None and alike[best] >= threshold
                if hit:
                    left.remove(best)
                rows.append((score, hit))
        rows.sort(reverse=True)
        true, curve = 0, []
        for k, (_, hit) in enumerate(rows, 1):
            true += hit
            curve.append((true, true / k))
        values.append(
            sum(max((p for t, p in curve if t * 100 >= k * truths), default=0) for k in range(101)) / 101
        )
    expected = sum(values) / len(values)
    assert metric.compute().item() == pytest.approx(expected, abs=1e-12) and 0.05 < expected < 0.95


def test_ap_oks_of_a_scripted_list():
    sigma, area = 0.5, 100.0  # OKS of a joint that is d off: exp(-d² / 200)
    metric = create("ap_oks", sigmas=(sigma,), points=None)
    wanted = (0.97, 0.72, 0.52)  # each above 10, 5 and 1 of the ten thresholds
    far = [math.sqrt(-200 * math.log(value)) for value in wanted]
    truths = torch.tensor([[[0.0, 0]], [[1000, 0]], [[2000, 0]]])
    found = truths + torch.tensor([[[d, 0.0]] for d in far])
    metric.update(found, torch.tensor([0.9, 0.8, 0.7]), truths, torch.ones(3, 1), torch.full((3,), area))
    assert metric.compute().item() == pytest.approx((10 + 5 + 1) / 30)


@pytest.mark.parametrize("name", ["pcp", "pck", "mpjpe"])
def test_other_shapes_are_refused(name):
    metric = create(name, **({"limbs": LIMBS} if name == "pcp" else {}))
    extra = (torch.ones(2),) if name == "pck" else ()
    with pytest.raises(UsageError, match=f"{name} wants joints"):
        metric.update(torch.zeros(2, 5, 2), torch.zeros(2, 4, 2), *extra)


def test_what_is_missing_is_said():
    with pytest.raises(UsageError, match="limbs"):
        create("pcp", limbs=())
    with pytest.raises(UsageError, match="2 sigmas for 3 joints"):
        create("oks", sigmas=(0.1, 0.1)).update(
            torch.zeros(1, 3, 2), torch.zeros(1, 3, 2), torch.ones(1, 3), torch.ones(1)
        )
