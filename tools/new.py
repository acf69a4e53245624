"""Write the stubs of a new method: its page, its export line and its test.

Run as `make new NAME=serf FAMILY=nn/activations`.
"""

import argparse
import keyword
import re
import sys
from difflib import get_close_matches
from pathlib import Path

from torchatlas.cards.reader import find

ROOT = Path(__file__).resolve().parents[1]
STUBS = Path(__file__).with_name("stubs")
KINDS = {  # the longest prefix of the family decides, as for cards
    "nn": "layer",
    "nn/initialization": "function",
    "losses": "loss",
    "losses/adversarial_pairs": "gan_loss",
    "metrics": "metric",
    "optim": "optimizer",
    "optim/schedules": "schedule",
    "networks": "network",
    "generative": "learner",
    "learning": "learner",
}


class Refused(Exception):
    """The stubs cannot be written; the message says why and what to do."""


def stub_of(family: str) -> str:
    """The stub that fits a family: "layer" for "nn/activations", "function" where nothing fits better."""
    prefixes = [prefix for prefix in KINDS if f"{family}/".startswith(f"{prefix}/")]
    return KINDS[max(prefixes, key=len)] if prefixes else "function"


def thing_of(name: str, family: str) -> str:
    """The name of the method's class, or of its function."""
    return name if stub_of(family) == "function" else "".join(part.capitalize() for part in name.split("_"))


def filled(stub: str, name: str, family: str) -> str:
    """A stub's text with the names of one method."""
    words = {
        "DOTS": "." * (family.count("/") + 2),
        "PACKAGE": f"torchatlas.{family.replace('/', '.')}",
        "THING": thing_of(name, family),
        "NAME": name,
    }
    text = (STUBS / f"{stub}.txt").read_text(encoding="utf-8")
    return re.sub("|".join(words), lambda match: words[match.group()], text)


FIRST = """from typing import TYPE_CHECKING

from {dots}cards.exports import exports

if TYPE_CHECKING:
    {line}
else:
    __getattr__, __dir__ = exports(__name__, __file__)
"""


def with_export(text: str, line: str, dots: str) -> str:
    """A family's `__init__.py` with one more export, in the order of the pages; dots lead to the package."""
    lines = text.splitlines()
    if "if TYPE_CHECKING:" not in lines:
        return text + "\n" * bool(text) + FIRST.format(dots=dots, line=line)
    line = f"    {line}"
    later = [at for at, old in enumerate(lines) if old.startswith("    from .") and old > line]
    lines.insert(later[0] if later else lines.index("else:"), line)
    return "\n".join(lines) + "\n"


def check(root: Path, name: str, family: str) -> None:
    """Refuse a name that cannot be a page's, a family that is not there, and what exists already."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise Refused(f"{name!r} is no name: write small letters, digits and _, such as NAME=serf")
    package = root / "src" / "torchatlas"
    if not family or not (package / family / "__init__.py").is_file():
        folders = {page.parent.relative_to(package).as_posix() for page in package.rglob("*.py")}
        near = get_close_matches(family, sorted(folders), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "give one, such as FAMILY=nn/activations"
        raise Refused(f"there is no family {family!r}; {hint} (a new family is a folder with an __init__.py)")
    for path in (package / family / f"{name}.py", root / "tests" / family / f"test_{name}.py"):
        if path.exists():
            raise Refused(f"{path.relative_to(root)} exists already")


def write(root: Path, name: str, family: str) -> list[Path]:
    """Write page, export line and test under `root`; gives the files in this order."""
    check(root, name, family)
    kind = stub_of(family)
    page = root / "src" / "torchatlas" / family / f"{name}.py"
    test = root / "tests" / family / f"test_{name}.py"
    exports = page.with_name("__init__.py")
    thing = thing_of(name, family)
    page.write_text(filled(kind, name, family), encoding="utf-8")
    line = f"from .{name} import {thing} as {thing}"
    dots = "." * (family.count("/") + 2)
    exports.write_text(with_export(exports.read_text(encoding="utf-8"), line, dots), encoding="utf-8")
    test.parent.mkdir(parents=True, exist_ok=True)
    test.write_text(filled("test_layer" if kind == "layer" else "test", name, family), encoding="utf-8")
    return [page, exports, test]


def main() -> int:
    """Write the stubs that the words ask for; 2 where they cannot be written."""
    parser = argparse.ArgumentParser(description="Write the stubs of a new method.")
    parser.add_argument("name", help="the method's name, as in `torchatlas show NAME`")
    parser.add_argument("family", help="the folder of its kin, such as nn/activations")
    words = parser.parse_args()
    family = words.family.strip("/")
    try:
        check(ROOT, words.name, family)
        try:
            card = find(words.name)
        except LookupError:
            files = write(ROOT, words.name, family)
        else:
            raise Refused(f"{words.name!r} is taken by {card.name!r} ({card.page}); choose another name")
    except Refused as reason:
        print(f"make new: {reason}", file=sys.stderr)
        return 2
    print("Fill in, in this order:")
    print("\n".join(f"  {path.relative_to(ROOT)}" for path in files))
    print(f"Then: make test TESTS={files[-1].relative_to(ROOT)} and make check")
    return 0


if __name__ == "__main__":
    sys.exit(main())
