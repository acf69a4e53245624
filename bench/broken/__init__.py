"""Formulas broken in one place, page by page; `python -m bench mutations` shows whether the proof notices."""

from bench.broken import (
    activations,
    attention,
    boxes_and_masks,
    classification,
    convolutions,
    embeddings_and_pairs,
    norms_and_pools,
    optimizers,
    plain_convolutional,
    regularization,
    spine,
)
from bench.broken.mutation import Mutation as Mutation

MUTATIONS: tuple[Mutation, ...] = (
    *activations.MUTATIONS,
    *attention.MUTATIONS,
    *boxes_and_masks.MUTATIONS,
    *classification.MUTATIONS,
    *convolutions.MUTATIONS,
    *embeddings_and_pairs.MUTATIONS,
    *norms_and_pools.MUTATIONS,
    *optimizers.MUTATIONS,
    *plain_convolutional.MUTATIONS,
    *regularization.MUTATIONS,
    *spine.MUTATIONS,
)
