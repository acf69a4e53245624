"""Every method of the catalog keeps the laws of its kind."""

import pytest

from torchatlas.cards.card import Card
from torchatlas.cards.reader import catalog
from torchatlas.study.laws import Law, laws_for

# `make verify` alone checks these of every network, and compiling and exporting of all but some; of one that
# is another's variant it alone checks what takes seconds.
ALONE = ("full_size_runs", "runs_in_onnx_runtime")
LONG = ("compiles", "exports", "learns_eight_samples", "recomputing_changes_nothing")
TRACED = ("resnet20_cifar", "lstm", "gpt", "vit_tiny_patch16_224", "addernet")


def is_checked(card: Card, law: Law) -> bool:
    if card.kind != "network":
        return True
    left_out = (*ALONE, *(LONG if card.parent else () if card.name in TRACED else LONG[:2]))
    return law.name not in left_out


CASES = [
    pytest.param(law, id=f"{card.name}-{law.name}")
    for card in catalog().values()
    for law in laws_for(card)
    if is_checked(card, law)
]


@pytest.mark.parametrize("law", CASES)
def test_law(law: Law) -> None:
    law.check()
