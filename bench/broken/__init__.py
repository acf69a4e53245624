"""Formulas broken in one place, page by page; `python -m bench mutations` shows whether the proof notices."""

from bench.broken import (
    activations,
    attention,
    boxes_and_masks,
    capsules_and_tokens,
    classification,
    convolutions,
    dense_and_wide,
    embeddings_and_pairs,
    explanations,
    inception,
    inverted_residuals,
    norms_and_pools,
    optimizers,
    plain_convolutional,
    regularization,
    sparse_networks,
    spine,
    squeeze_and_shuffle,
)
from bench.broken.mutation import Mutation as Mutation

MUTATIONS: tuple[Mutation, ...] = (
    *activations.MUTATIONS,
    *attention.MUTATIONS,
    *boxes_and_masks.MUTATIONS,
    *capsules_and_tokens.MUTATIONS,
    *classification.MUTATIONS,
    *convolutions.MUTATIONS,
    *dense_and_wide.MUTATIONS,
    *embeddings_and_pairs.MUTATIONS,
    *explanations.MUTATIONS,
    *inception.MUTATIONS,
    *inverted_residuals.MUTATIONS,
    *norms_and_pools.MUTATIONS,
    *optimizers.MUTATIONS,
    *plain_convolutional.MUTATIONS,
    *regularization.MUTATIONS,
    *sparse_networks.MUTATIONS,
    *spine.MUTATIONS,
    *squeeze_and_shuffle.MUTATIONS,
)
