"""Data sets that the atlas knows by name."""

from ..spec import Dataset
from .cifar import cifar10
from .classic import breast_cancer, diabetes, digits, iris, wine
from .idx import fashion_mnist, mnist

NAMED = {
    "digits": digits,
    "iris": iris,
    "wine": wine,
    "breast_cancer": breast_cancer,
    "diabetes": diabetes,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
}


def open_named(name: str) -> Dataset:
    """The data set of that name, read from this machine or downloaded."""
    return NAMED[name]()
