import pytest
import torch

from torchatlas.data import Augmented, Part, Resident, Spec
from torchatlas.engine.errors import UsageError
from torchatlas.losses.penalties import L2Regularization, Penalties, RDrop
from torchatlas.study.training.regularizing import augmented, penalty_of
from torchatlas.study.training.words import split_sum

IMAGES = Spec("image", (1, 6, 6), "classification", 3)


def source():
    return Resident(Part(torch.zeros(8, 1, 6, 6), torch.arange(8) % 3, torch.arange(8).numpy()), 4, 0)


def test_sums_are_split_outside_brackets():
    assert split_sum("a + b(c=1, d=(2+3,))+e") == ["a", "b(c=1, d=(2+3,))", "e"]
    assert split_sum("mixup(alpha=0.2)") == ["mixup(alpha=0.2)"]


def test_a_penalty_or_several():
    assert penalty_of(None) is None
    one = penalty_of("l2_regularization(strength=0.5)")
    assert isinstance(one, L2Regularization) and one.strength == 0.5
    both = penalty_of("l2_regularization+r_drop(alpha=2)")
    assert isinstance(both, Penalties) and isinstance(both[1], RDrop) and both[1].alpha == 2


def test_augmentations_around_a_source():
    plain = source()
    assert augmented(None, plain, IMAGES, 0) is plain
    made = augmented("random_flip(probability=1)+random_crop(padding=1)+mixup", plain, IMAGES, 3)
    assert isinstance(made, Augmented) and made.seed == 3 and len(made.augment) == 3
    x, y = made.batch(0)
    assert x.shape == (4, 1, 6, 6) and y.shape == (4, 3)
    table = Spec("table", (4,), "regression", 1)
    assert isinstance(augmented("gaussian_noise+mixup", plain, table, 0), Augmented)


@pytest.mark.parametrize(
    ("text", "spec", "words"),
    [
        ("relu", IMAGES, "not an augmentation"),
        ("random_flip", Spec("table", (4,), "classification", 3), "for images"),
        ("gaussian_noise", Spec("text", (4,), "language", 3), "text"),
        ("mixup", Spec("image", (1, 4, 4), "none", 0), "targets"),
    ],
)
def test_what_does_not_fit_is_told(text, spec, words):
    with pytest.raises(UsageError, match=words):
        augmented(text, source(), spec, 0)
    with pytest.raises(UsageError, match="not a penalty"):
        penalty_of("cross_entropy")
