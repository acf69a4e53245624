"""Every method of the catalog keeps the laws of its kind."""

import pytest

from torchatlas.cards.reader import catalog
from torchatlas.study.laws import Law, laws_for

CASES = [
    pytest.param(law, id=f"{card.name}-{law.name}") for card in catalog().values() for law in laws_for(card)
]


@pytest.mark.parametrize("law", CASES)
def test_law(law: Law) -> None:
    law.check()
