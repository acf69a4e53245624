"""Regularisation by layers: noise while training, the identity afterwards."""
