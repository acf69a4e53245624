"""Floor 2: losses, what training makes small."""

from .perceptron import PerceptronLoss as PerceptronLoss
