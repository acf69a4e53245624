"""Every method of the catalog keeps the laws of its kind."""

import pytest

from torchatlas.cards.reader import catalog
from torchatlas.study.laws import Law, laws_for

# Of a network that is another's variant `make verify` alone checks these, for they take seconds each.
ALONE = ("full_size_runs", "runs_in_onnx_runtime")  # checked by it alone for every network
LONG = ("compiles", "exports", "learns_eight_samples", "recomputing_changes_nothing")
CASES = [
    pytest.param(law, id=f"{card.name}-{law.name}")
    for card in catalog().values()
    for law in laws_for(card)
    if law.name not in ALONE and not (card.kind == "network" and card.parent and law.name in LONG)
]


@pytest.mark.parametrize("law", CASES)
def test_law(law: Law) -> None:
    law.check()
