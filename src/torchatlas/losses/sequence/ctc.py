"""Connectionist temporal classification: labels in order, at times that nobody gave."""

from ...cards.card import borrowed

borrowed(
    "ctc_loss",
    "torch.nn:CTCLoss",
    "CTC: the surprise at a label sequence, over all its alignments with the frames",
    formula="-ln Σ_π Πₜ yₜ(πₜ) over the paths π that are z once repeats are merged, then blanks removed; "
    "z' = z with a blank around each label: αₜ(s) = yₜ(z'ₛ) (αₜ₋₁(s) + αₜ₋₁(s-1) + αₜ₋₁(s-2) where z'ₛ is "
    "neither blank nor z'ₛ₋₂). reduction='mean' divides each loss by its sequence's length first",
    year=2006,
    paper="Graves et al., ICML",
    aliases=("ctc",),
    topics=("sequence", "speech", "reading"),
)
