"""The small sets that come with scikit-learn."""

from typing import Any

import numpy as np

from ..spec import Dataset


def digits() -> Dataset:
    """Handwritten digits, 1,797 images of 8x8 in 17 shades of grey."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    images = bunch.images.astype(np.uint8)[..., None]
    classes = tuple(str(i) for i in range(10))
    return Dataset("digits", "image", images, bunch.target, "classification", classes=classes, maximum=16.0)


def iris() -> Dataset:
    """Iris flowers, 150 rows, 3 kinds."""
    from sklearn.datasets import load_iris

    return _table("iris", load_iris(as_frame=True))


def wine() -> Dataset:
    """Wines by chemical analysis, 178 rows, 3 growers."""
    from sklearn.datasets import load_wine

    return _table("wine", load_wine(as_frame=True))


def breast_cancer() -> Dataset:
    """Breast tumours by their cells, 569 rows, malignant or benign."""
    from sklearn.datasets import load_breast_cancer

    return _table("breast_cancer", load_breast_cancer(as_frame=True))


def diabetes() -> Dataset:
    """Progress of diabetes after a year, 442 rows, a number."""
    from sklearn.datasets import load_diabetes

    bunch: Any = load_diabetes(as_frame=True, scaled=False)
    return Dataset("diabetes", "table", bunch.data, bunch.target.rename("progression"), "regression")


def _table(name: str, bunch: Any) -> Dataset:
    classes = tuple(str(c) for c in bunch.target_names)
    return Dataset(name, "table", bunch.data, bunch.target, "classification", classes=classes)
