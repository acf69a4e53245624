import re

import pytest

from torchatlas.cards.formulas import STYLES, readable
from torchatlas.cards.reader import ROOT, catalog
from torchatlas.cards.text import list_text, show_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"one map, $\hat y = xW + b$.", "one map, ŷ = xW + b."),
        (r"$E_q \log p(x|z) - \mathrm{KL}(q \| p)$", "E_q log p(x|z) - KL(q ‖ p)"),
        (r"$p = \sigma(w \cdot x)$ and $\sum_k \max(0, -y_k s_k)$", "p = σ(w · x) and Σ_k max(0, -y_k s_k)"),
        (r"$-E\,\zeta(-l_g)$ $\Gamma \frac{a}{b}$ $\sqrt{x^2}$", "-E ζ(-l_g) Γ (a)/(b) √(x^2)"),
        (r"$\lambda \sim \Lambda$, $\frac{1}{\sqrt{1 + a^{2}}}$", "λ ~ Λ, (1)/(√(1 + a^{2}))"),
        ("costs 3 dollars", "costs 3 dollars"),
    ],
)
def test_formulas_are_spelled_out(text, shown):
    assert readable(text) == shown


FUNCTIONS = {"log", "exp", "max", "min", "arg", "tanh", "cos", "sin", "tan", "arctan", "arcsin", "det", "ln"}


def test_every_command_in_a_formula_has_a_sign_or_is_a_function():
    pages = {card.page for card in catalog().values()}
    docs = " ".join(
        doc for page in pages for doc in re.findall(r'r"""(.*?)"""', (ROOT / page).read_text(), re.S)
    )
    formulas = " ".join(re.findall(r"\$([^$]+)\$", docs))
    used = set(re.findall(r"\\([a-zA-Z]+)", formulas))
    plain = {word for word in used if readable(rf"$\{word} x$").split()[0] == word}
    assert used and plain - set(STYLES.split("|")) <= FUNCTIONS | {"frac"}


def test_no_command_of_latex_reaches_the_terminal():
    cards = list(catalog().values())
    assert "\\" not in list_text(cards) and "$" not in list_text(cards)
    assert all("$" not in show_text(card) for card in cards)
