import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from torchatlas.data.spec import Part, Spec
from torchatlas.engine.errors import UsageError
from torchatlas.study.training.classical import fit_estimator

X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))


def part(y, weight=None):
    return Part(X, y, np.arange(60), weight)


def test_samples_of_weight_zero_are_not_learned():
    spec = Spec("table", (4,), "classification", 2, ("a", "b"))
    y, weight = (torch.arange(60) % 3 > 0).long(), (torch.arange(60) % 3 == 0).float()
    found = fit_estimator(DecisionTreeClassifier(), spec, part(y, weight)).predict(X)
    assert (found.argmax(1) == 0).all()  # class b has no weight at all
    with pytest.raises(UsageError, match="no sample weights"):
        fit_estimator(KNeighborsClassifier(), spec, part(y, weight))


@pytest.mark.parametrize("estimator", [DecisionTreeClassifier(), SVC()])
def test_several_labels(estimator):
    spec = Spec("table", (4,), "multilabel", 2, ("a", "b"))
    y = torch.stack([(X[:, 0] > 0).float(), (X[:, 1] > 0).float()], 1)
    found = fit_estimator(estimator, spec, part(y)).predict(X)
    assert found.shape == (60, 2) and ((found > 0.5) == (y > 0.5)).float().mean() > 0.8


def test_a_label_that_is_always_there_is_predicted():
    spec = Spec("table", (4,), "multilabel", 2, ("a", "b"))
    y = torch.stack([torch.ones(60), (X[:, 1] > 0).float()], 1)
    assert (fit_estimator(DecisionTreeClassifier(), spec, part(y)).predict(X)[:, 0] == 1).all()


def test_classes_that_training_missed_have_no_probability():
    spec = Spec("table", (4,), "classification", 3, ("a", "b", "c"))
    found = fit_estimator(DecisionTreeClassifier(), spec, part((torch.arange(60) % 2) * 2)).predict(X)
    assert found.shape == (60, 3) and (found[:, 1] == 0).all()
