"""Formulas as a terminal can show them: the LaTeX between dollar signs as plain Unicode."""

import re
import unicodedata

WORDS = {
    **{
        "cdot": "·",
        "times": "×",
        "odot": "⊙",
        "pm": "±",
        "sum": "Σ",
        "prod": "Π",
        "sqrt": "√",
        "int": "∫",
        "quad": "  ",
    },
    **{
        "leq": "≤",
        "geq": "≥",
        "approx": "≈",
        "in": "∈",
        "to": "→",
        "partial": "∂",
        "nabla": "∇",
        "infty": "∞",
        "sim": "~",
        "ln": "ln",
        "ne": "≠",
        "neq": "≠",
        "ell": "ℓ",
        "star": "*",
        "le": "≤",
        "ge": "≥",
        "leftarrow": "←",
        "ni": "∋",
        "mid": "|",
        "cap": "∩",
        "cup": "∪",
        "setminus": "∖",
        "cdots": "⋯",
        "lceil": "⌈",
        "rceil": "⌉",
        "lfloor": "⌊",
        "rfloor": "⌋",
        "langle": "⟨",
        "rangle": "⟩",
        "lVert": "‖",
        "rVert": "‖",
        "lambda": "λ",  # Unicode's names spell it without the b
        "Lambda": "Λ",
        "varepsilon": "ε",
        "varphi": "φ",
    },
}
ACCENTS = {"hat": "\u0302", "tilde": "\u0303", "bar": "\u0304", "overline": "\u0304"}
STYLES = "mathrm|mathbf|mathcal|mathbb|text|operatorname"


def readable(text: str) -> str:
    r"""The text with its formulas spelled out: `$\hat y = \sigma(x_1)$` becomes `ŷ = σ(x_1)`."""
    return re.sub(r"\$([^$]+)\$", lambda found: _spelled(found[1]), text)


def _spelled(formula: str) -> str:
    formula = re.sub(rf"\\(?:{STYLES})\{{([^{{}}]*)\}}", r"\1", formula)
    for _ in range(3):  # fractions and roots within each other, from the inside out
        formula = re.sub(
            r"\\frac\{((?:[^{}]|\{[^{}]*\})*)\}\{((?:[^{}]|\{[^{}]*\})*)\}", r"(\1)/(\2)", formula
        )
        formula = re.sub(r"\\sqrt\{((?:[^{}]|\{[^{}]*\})*)\}", r"√(\1)", formula)
    accents = "|".join(ACCENTS)
    formula = re.sub(rf"\\({accents})\s*\{{?(\w)\}}?", lambda f: _joined(f[2], ACCENTS[f[1]]), formula)
    formula = formula.replace(r"\|", "‖").replace(r"\,", " ").replace(r"\{", "{").replace(r"\}", "}")
    return re.sub(r"\\([A-Za-z]+)", lambda found: _word(found[1]), formula)


def _joined(letter: str, accent: str) -> str:
    return unicodedata.normalize("NFC", letter + accent)


def _word(name: str) -> str:
    """A command as its sign: a known one, a Greek letter, else its own name (log, max)."""
    if name in WORDS:
        return WORDS[name]
    size = "CAPITAL" if name[0].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {name.upper()}")
    except KeyError:
        return name
