import pytest
import torch
from torch import nn

from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.study.training.build import build, make_optimizers, make_schedules, stretched
from torchatlas.study.training.resolve import card_of, resolve
from torchatlas.study.training.train import resume, train

CLASSES = Spec("table", (4,), "classification", 3, ("a", "b", "c"))
VALUES = Spec("table", (4,), "regression", 1, ("price",))
LABELS = Spec("table", (4,), "multilabel", 2, ("u", "v"))


class Broken(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.width = {}["width"]


@pytest.mark.parametrize(
    ("loss", "spec", "message"),
    [
        ("cross_entropy", VALUES, "no loss for regression .*take mse_loss or l1_loss or smooth_l1"),
        ("mse", CLASSES, "mse is no loss for classification .*take cross_entropy or label_smoothing"),
        ("l1_loss", LABELS, "leave it out for PyTorch's BCEWithLogitsLoss"),
        ("kl_divergence", CLASSES, r"kl_divergence is no loss for classification \(it is for distillation\)"),
    ],
)
def test_a_loss_for_another_task(loss, spec, message):
    with pytest.raises(UsageError, match=message):
        build(resolve("mlp", "rows", {"loss": loss}), spec)
    with pytest.raises(UsageError, match="is no loss for"):
        build(resolve(loss, "rows", {}), spec)


def test_a_loss_of_ones_own_is_for_any_task():
    learner = build(resolve("mlp", "rows", {"loss": "torch.nn:HuberLoss(delta=2.0)"}), VALUES)
    assert isinstance(learner.criterion, nn.HuberLoss)


def test_any_error_of_a_constructor_is_told_with_its_line():
    words = r"Broken cannot be built for this data: KeyError: 'width' \(test_build.py, line 19\)"
    with pytest.raises(UsageError, match=words) as caught:
        build(resolve(Broken, "rows", {}), CLASSES, Broken)
    assert isinstance(caught.value.__cause__, KeyError)


def rates(schedule, steps=600, lr=0.01):
    recipe = resolve("mlp", "rows", {"schedule": schedule, "lr": lr})
    optimizers = make_optimizers(recipe, build(recipe, CLASSES), card_of("mlp"))
    made = make_schedules(recipe, optimizers, steps, card_of("mlp"))["all"]
    found = []
    for _ in range(steps):
        found.append(optimizers["all"].param_groups[0]["lr"])
        optimizers["all"].step()
        made.step()
    return torch.tensor(found)


def test_a_cyclic_schedule_by_name_swings_three_times_below_the_rate():
    found = rates("lr_cyclic")
    assert found.min() == pytest.approx(0.001) and found.max() == pytest.approx(0.01)
    peaks = ((found[1:-1] > found[:-2]) & (found[1:-1] > found[2:])).nonzero().flatten() + 1
    assert peaks.tolist() == [100, 300, 500]
    said = rates("lr_cyclic(base_lr=0.002, max_lr=0.05, step_size_up=50)")
    assert said.max() == pytest.approx(0.05) and said.argmax() == 50 and said.min() == pytest.approx(0.002)
    assert stretched("lr_cyclic") and not stretched("lr_cyclic(step_size_up=50)")


def test_a_cyclic_run_goes_on_where_it_stopped(tmp_path):
    words = {"schedule": "lr_cyclic(step_size_up=3)", "threads": 1, "log_every": 1}
    train("mlp", "iris", steps=4, out=tmp_path / "short", **words)
    short = resume(tmp_path / "short", steps=9)
    whole = train("mlp", "iris", steps=9, out=tmp_path / "whole", **words)
    ours, theirs = ([line["lr"] for line in run.history if "lr" in line] for run in (short, whole))
    assert ours == theirs and len(ours) == 9
