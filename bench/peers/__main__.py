"""`make bench-peers`: the parts one after another, each in its own process; the tables at the end.

`--only` names kinds of parts (train, alone, share, checkpoint, startup) or networks, `--peer` libraries; both
may be given again and again. `--numerics` measures pairs with ours in other numerics than exact. `--missing`
leaves out what was measured already with as many pairs, so that a measurement that was broken off goes on.
`--table` prints what there is. Numbers and logs lie in .peers/bench/results.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from bench.peers.plan import KINDS, SAVERS, Job, chosen
from bench.peers.table import tables
from bench.peers.ways import NETS, PEERS

HOME = Path(__file__).resolve().parents[2]


def main(words: list[str]) -> int:
    """Measure and print; the exit status says how many parts failed."""
    said = _parser().parse_args(words)
    home = said.home.resolve()
    (home / "results").mkdir(parents=True, exist_ok=True)
    failed = 0
    if not said.table:
        jobs = chosen(tuple(said.only), tuple(said.peer), said.numerics)
        if said.missing:
            jobs = [job for job in jobs if not _is_there(job, home, said.pairs)]
        for number, job in enumerate(jobs, 1):
            began = time.monotonic()
            sound = measure(job, said.pairs, home)
            failed += not sound
            words = [job.kind, *filter(None, job.words), *([] if sound else ["FAILED"])]
            seconds = time.monotonic() - began
            print(f"{number}/{len(jobs)} {' '.join(words)}: {seconds:.0f} s", file=sys.stderr, flush=True)
    print("\n".join(tables(home)))
    return min(failed, 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--only", action="append", default=[], choices=[*KINDS[1:], *NETS])
    parser.add_argument(
        "--peer", action="append", default=[], choices=[*dict.fromkeys([*PEERS, "ours", *SAVERS])]
    )
    parser.add_argument("--numerics", default="")
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--home", type=Path, default=HOME / ".peers" / "bench")
    return parser


def measure(job: Job, pairs: int, home: Path) -> bool:
    """Run a part; what it prints goes to a log beside its numbers. Whether it came to its end."""
    path = job.path(home)
    path.unlink(missing_ok=True)
    words = [sys.executable, "-m", "bench.peers.part", str(path), job.kind, str(pairs), *job.words]
    environment = {**os.environ, "KERAS_BACKEND": job.backend or "torch"}
    with open(path.with_suffix(".log"), "w") as log:
        done = subprocess.run(words, cwd=HOME, env=environment, stdout=log, stderr=log)
    return done.returncode == 0


def _is_there(job: Job, home: Path, pairs: int) -> bool:
    path = job.path(home)
    return path.exists() and json.loads(path.read_text())["pairs"] == pairs


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
