"""One measurement in a process of its own: `python -m bench.peers.part FILE KIND WORDS…` writes its JSON."""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "torchatlas", "lightning", "transformers", "skorch", "keras", "jax", "scikit-learn")


def measured(kind: str, words: list[str], count: int, home: Path) -> dict[str, Any]:
    """What a part says; only what it needs is imported."""
    if kind == "startup":
        from bench.peers import startup

        return startup.measure(count)
    if kind == "checkpoint":
        from bench.peers import checkpoints

        return checkpoints.measure(words[0], count, home)
    from bench.peers import training

    if kind == "data":
        return training.data_alone(words[0], home)
    if kind == "alone":
        return training.alone(words[0], words[1], words[2], home)
    if kind == "share":
        return training.shares(words[0], words[1], count, home)
    return training.side_by_side(words[0], words[1], words[2], count, home)


def main(words: list[str]) -> int:
    """FILE KIND COUNT WORDS…; the file is there once all is measured."""
    path, kind, count = Path(words[0]), words[1], int(words[2])
    home = path.parent.parent
    found = measured(kind, words[3:], count, home)
    versions = {name: version(name) for name in LIBRARIES if _installed(name)}
    found |= {
        "kind": kind,
        "words": words[3:],
        "pairs": count,
        "versions": versions,
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(found, indent=1))
    fresh.replace(path)
    return 0


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
