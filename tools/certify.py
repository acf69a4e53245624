"""Renew the certificates that are stale, or say how many are.

Run as `make verify`; `make check` counts them.
"""

import argparse
import sys

from torchatlas.cards import certificate
from torchatlas.cards.reader import catalog


def count() -> str:
    """How many certificates are stale or missing, in a sentence; nothing heavy is imported for it."""
    cards = list(catalog().values())
    stale = [card.name for card in certificate.stale(cards)]
    names = (
        f": {', '.join(stale[:8])}{' …' if len(stale) > 8 else ''}; make verify renews them" if stale else ""
    )
    return f"certificates: {len(stale)} of {len(cards)} stale or missing{names}"


def renew(jobs: int | None) -> int:
    """Prove what is stale and store it; 1 where something fails."""
    from torchatlas.study.verify.verify import renew as prove

    failed = []
    for found in prove(jobs):
        print(f"{found.name}: {found.verdict}, {found.summary()}, {found.clock:.1f} s", flush=True)
        if found.passes is False:
            failed.append(found.name)
            print("\n".join(line for line in certificate.lines_text(found) if " fails: " in line))
    print(f"{count()}; {'failing: ' + ', '.join(failed) if failed else 'none fails'}")
    return int(bool(failed))


def main() -> int:
    """Renew, or count with `--count`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", action="store_true", help="renew nothing, say how many are stale")
    parser.add_argument("--jobs", type=int, help="processes at a time; one per core by default")
    words = parser.parse_args()
    if words.count:
        print(count())
        return 0
    return renew(words.jobs)


if __name__ == "__main__":
    sys.exit(main())
