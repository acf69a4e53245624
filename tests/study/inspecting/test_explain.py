import numpy as np
import pytest
from PIL import Image

from torchatlas.engine.errors import UsageError
from torchatlas.study.inspecting.explain import explain
from torchatlas.study.inspecting.subject import rows_of


def test_maps_of_images(digits, tmp_path):
    found = explain(digits, rows=[0, 5, 2])
    assert found.maps.shape == (3, 8, 8) and found.images.shape == (3, 8, 8, 1)
    classes = rows_of(digits).y[[0, 5, 2]]
    assert found.truths == [digits.spec.classes[k] for k in classes]
    best = digits.test["prediction"][[0, 5, 2]].argmax(1)
    assert found.answers == [digits.spec.classes[k] for k in best]
    x = rows_of(digits).x[[5]].requires_grad_()
    digits.model.network(x)[0, int(best[1])].backward()
    np.testing.assert_allclose(found.maps[1], x.grad.abs().amax(1)[0], rtol=1e-4, atol=1e-6)
    with Image.open(found.write(tmp_path / "maps.png")) as image:
        assert image.width > 2 * 112 and image.height > 3 * 112


def test_a_tables_features_in_the_order_of_their_weight(prices):
    found = explain(prices.folder)
    assert [name for name, _ in found.features()] == ["size", "age"]
    weight = prices.model.network.head.weight.detach()
    assert found.features()[0][1] == pytest.approx(abs(float(weight[0, 1])), rel=1e-5)
    lines = found.text().splitlines()
    assert lines[1].startswith("size") and lines[1].count("█") == 40 and lines[2].count("█") < 10
    with pytest.raises(UsageError, match="no picture"):
        found.write(prices.folder / "x.png")


@pytest.mark.parametrize(
    ("words", "told"),
    [({"rows": [0, 999]}, "no row 999"), ({"method": "pgd"}, "take .*saliency"), ({"y": 3}, "not to be set")],
)
def test_wrong_words(digits, words, told):
    with pytest.raises(UsageError, match=told):
        explain(digits, **words)
