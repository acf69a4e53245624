"""Linear layers: affine maps of features."""
