import numpy as np
import pytest
import torch
from PIL import Image

from torchatlas.engine.errors import UsageError
from torchatlas.study.inspecting.attack import Pixels, attack
from torchatlas.study.inspecting.subject import prepared_again, rows_of, scores_of


def test_the_rows_are_those_that_the_run_was_tested_on(digits):
    part = rows_of(digits)
    assert np.array_equal(part.rows, digits.test["rows"])
    assert np.array_equal(part.y.numpy(), digits.test["y"])
    assert len(prepared_again(digits).train) == digits.result["parts"]["train"]


def test_accuracy_falls_with_epsilon_and_further_than_by_noise(digits):
    found = attack(digits, epsilon=(0.2, 0.0, 0.05), steps=5)
    assert [level.epsilon for level in found.levels] == [0.0, 0.05, 0.2]
    assert found.clean == pytest.approx(digits.scores["accuracy"])
    zero, some, much = found.levels
    assert zero.attacked == zero.noise == found.clean
    assert found.clean > some.attacked > much.attacked and much.attacked < much.noise - 0.2
    assert some.attacked.low < some.attacked < some.attacked.high
    again = attack(digits.folder, epsilon=0.2, steps=5)
    assert again.levels[0].attacked == much.attacked


def test_epsilon_is_measured_in_pixels_not_in_what_the_model_sees(digits):
    """The change that FGSM makes, worked out by hand from the run's scaling."""
    part, encoder = rows_of(digits), digits.preparation.encoder
    x = part.x[:50].clone().requires_grad_()
    torch.nn.functional.cross_entropy(digits.model.network(x), part.y[:50], reduction="sum").backward()
    pixels = x.detach() * encoder.scale[0] + encoder.mean[0]
    moved = (pixels + 0.1 * x.grad.sign()).clamp(0, 1)
    seen = digits.model.network((moved - encoder.mean[0]) / encoder.scale[0]).argmax(1)
    from torchatlas.inspection.attacks import fgsm

    model = Pixels(scores_of(digits), encoder)
    ours = fgsm(model, model.of(part.x[:50]), part.y[:50], epsilon=0.1)
    assert float((ours - moved).abs().max()) < 1e-6
    assert (model(ours).argmax(1) == seen).float().mean() > 0.97


def test_the_picture_shows_what_fooled_the_model(digits, tmp_path):
    found = attack(digits, method="fgsm", epsilon=0.2)
    with Image.open(found.write(tmp_path / "fooled.png")) as image:
        assert image.width > 3 * 112 and image.height > 8 * 112
    assert all("attacked: " in words and len(pictures) == 3 for pictures, words in found.pictures)
    with pytest.raises(UsageError, match=r"\.png"):
        found.write(tmp_path / "fooled.jpg")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"method": "mlp"}, "not attack; take fgsm, pgd"),
        ({"stepz": 3}, "no option 'stepz'"),
        ({"epsilon": "much"}, "number"),
        ({"epsilon": (0.1, -1)}, "at least 0"),
        ({"low": 0.5}, "not to be set"),
    ],
)
def test_wrong_words(digits, words, told):
    with pytest.raises(UsageError, match=told):
        attack(digits, **words)


def test_a_table_is_not_attacked(prices):
    with pytest.raises(UsageError, match="classifiers of images"):
        attack(prices)
