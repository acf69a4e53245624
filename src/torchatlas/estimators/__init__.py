"""Floor 9: the scikit-learn face."""
