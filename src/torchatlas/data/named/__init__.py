"""Data sets that the atlas knows by name."""

from ..spec import Dataset
from .cifar import cifar10
from .classic import breast_cancer, diabetes, digits, iris, wine
from .idx import fashion_mnist, mnist
from .omniglot import omniglot
from .planar import circles, eight_gaussians, spirals, two_moons
from .texts import tinyshakespeare

NAMED = {
    "digits": digits,
    "iris": iris,
    "wine": wine,
    "breast_cancer": breast_cancer,
    "diabetes": diabetes,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "two_moons": two_moons,
    "circles": circles,
    "eight_gaussians": eight_gaussians,
    "spirals": spirals,
    "omniglot": omniglot,
    "tinyshakespeare": tinyshakespeare,
}


def open_named(name: str) -> Dataset:
    """The data set of that name, read from this machine or downloaded."""
    return NAMED[name]()
