"""The numbers as tables in Markdown, for BENCHMARKS.md."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.peers.plan import BOTH, SAVERS, Job
from bench.peers.ways import NETS, PEERS, WAYS

Found = dict[str, Any]
WRITERS = {
    "torch": "`torch.save`, not synced",
    "torch_synced": "`torch.save`, synced",
    "lightning": "Lightning (Fabric), not synced",
    "accelerate": "Accelerate's `save_state`, not synced",
}


NOTES = """\
Timed is the training loop alone: every step, with what each library does around it, at equal network, rows,
batch, optimizer and number of steps, without validation. Making the network, the trainer and the data is not
timed, nor what JAX compiles. Ours has record, progress and NaN guard on, and leaves a synced checkpoint at
the end where the library beside it leaves one by itself (Lightning, Hugging Face). `auto` chose as for a run
a thousand times as long, outside of the times. All progress goes to a file. Libraries are as they come unless
said otherwise: PyTorch's default optimizer kernel, progress and logs on; Lightning and Hugging Face with a
DataLoader over tensors in the same process, skorch, Keras and scikit-learn over arrays. Hugging Face without
its clipping and decay of the rate; skorch without its validation split; scikit-learn without its weight
decay. Keras and scikit-learn start from weights of their own; Keras's LSTM has one bias where PyTorch's has
two. Accuracy is that after one longer training in a process of its own, the order of rows being each
library's; ours shows the range over three seeds too, as single ones differ by chance. Ratios are medians with
quartiles; bold where the other one is ahead. timm is started where it imports: it needs a torchvision built
for this torch."""


def _about(home: Path) -> str:
    """The machine's threads and the versions, as the newest part tells them."""
    paths = sorted((home / "results").glob("train-*.json"), key=lambda path: path.stat().st_mtime)
    found: Found = json.loads(paths[-1].read_text()) if paths else {}
    versions = ", ".join(f"{name} {number}" for name, number in found.get("versions", {}).items())
    return f"Threads: {found.get('threads', '?')}. Versions: {versions}."


def tables(home: Path) -> list[str]:
    """Every table that there are numbers for, line by line."""

    def of(kind: str, *words: str) -> Found:
        path = Job(kind, words).path(home)
        return json.loads(path.read_text()) if path.exists() else {}

    lines = [_about(home), "", NOTES, ""]
    for net in NETS:
        there = (home / "results").glob(f"train-{net}-*.json")
        lines += _training(net, of, [*BOTH, *sorted({path.stem.split("-")[3] for path in there} - {*BOTH})])
    lines += _memory(of) + _shares(of) + _checkpoints(of) + _startup(of("startup"))
    return lines


def _training(net: str, of: Any, every: Sequence[str]) -> list[str]:
    """Ratios, seconds and accuracy of one network; who is ahead of ours is bold."""
    rows = []
    ours = {numerics: of("alone", net, "ours", numerics) for numerics in every}
    for numerics in every:
        for peer in PEERS:
            found = of("train", net, peer, numerics)
            if not found:
                continue
            alone = of("alone", net, _library(peer), "")
            rows.append(
                (
                    WAYS[peer].label,
                    _numerics(numerics, found),
                    _ratio(found["ratios"]),
                    f"{found['ours']:.3f}",
                    f"{found['theirs']:.3f}",
                    _accuracy(ours[numerics]),
                    _accuracy(alone),
                )
            )
    heads = ("beside", "ours", "theirs / ours", "ours, s", "theirs, s", "accuracy, ours", "theirs")
    seen = of("data", net)
    pairs = {of("train", net, peer, "exact").get("pairs") for peer in PEERS} - {None}
    after = f"accuracy after {seen['rows']:,} rows" if seen else ""
    source = f"{net}: {seen.get('source', '')}, {'/'.join(map(str, sorted(pairs)))} pairs, {after}"
    return _table(source, heads, rows)


def _numerics(said: str, found: Found) -> str:
    """What a run was told, and what auto came to."""
    if said != "auto":
        return said
    took = f" ({found['choosing']:.0f} s to choose)" if "choosing" in found else ""
    return f"auto: {found['numerics']}{took}"


def _library(peer: str) -> str:
    """The way of the same library that was measured alone."""
    return next(name for name in WAYS if WAYS[name].where == WAYS[peer].where)


def _memory(of: Any) -> list[str]:
    ways = [name for name in WAYS if WAYS[name].alone]
    rows = []
    for name in ways:
        cells = [of("alone", net, name, "exact" if name == "ours" else "") for net in NETS]
        if any(cells):
            rows.append((WAYS[name].label, *(_peaks(found) for found in cells)))
    return _table("Peak memory of a process, MiB (before the training began)", ("", *NETS), rows)


def _peaks(found: Found) -> str:
    return f"{found['peak']:,.0f} ({found['before']:,.0f})" if found else ""


def _shares(of: Any) -> list[str]:
    rows = []
    for net in NETS:
        for numerics in BOTH:
            if found := of("share", net, numerics):
                speeds = (f"{found[name] / 1e9:,.1f}" for name in ("reached", "float32", "bfloat16"))
                told = _numerics(numerics, found)
                rows.append((net, told, f"{found['flops'] / 1e6:,.0f}", *speeds, _spread(found["shares"])))
    heads = (
        "net",
        "numerics",
        "MFLOP a step",
        "GFLOP/s",
        "float32 product",
        "bfloat16 product",
        "share of float32",
    )
    return _table("Share of the machine's matrix product", heads, rows)


def _checkpoints(of: Any) -> list[str]:
    rows, title = [], "Checkpoints"
    for saver in SAVERS:
        found = of("checkpoint", saver)
        if found:
            title = f"Checkpoints: {found['parameters']:,} numbers with Adam's state, {found['mib']:,.0f} MiB"
            write, read = found["write"], found["read"]
            seconds = (f"{side[who]:.3f}" for side in (write, read) for who in ("ours", "theirs"))
            ours = f"{write['ours'] / 60:.2%}"
            rows.append((WRITERS[saver], _ratio(write["ratios"]), _ratio(read["ratios"]), *seconds, ours))
    heads = (
        "beside",
        "write: theirs / ours",
        "read: theirs / ours",
        *("ours writes, s", "theirs", "ours reads, s", "theirs", "ours, one a minute"),
    )
    return _table(title, heads, rows)


def _startup(found: Found) -> list[str]:
    if not found:
        return []
    rows = [
        (name, f"{middle:.3f} ({low:.3f} to {high:.3f})")
        for name, (low, high, middle) in found["seconds"].items()
    ]
    rows += [(name, f"does not import: {why}") for name, why in found["failed"].items()]
    return _table(f"Starting: whole processes, {found['pairs']} rounds", ("command", "seconds"), rows)


def _ratio(ratios: Sequence[float]) -> str:
    """Theirs over ours; bold where the other one is ahead: below 1 to the upper quartile."""
    ahead = (quantiles(ratios, n=4)[2] if len(ratios) > 1 else ratios[0]) < 1
    return f"**{_spread(ratios)}**" if ahead else _spread(ratios)


def _spread(ratios: Sequence[float]) -> str:
    """Median and quartiles."""
    low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
    return f"{median(ratios):.2f} ({low:.2f} to {high:.2f})"


def _accuracy(found: Found) -> str:
    """That of the seed that all were trained with, and the least and most over all seeds that were tried."""
    seen = found.get("accuracies", [])
    if not seen:
        return ""
    spread = f" ({min(seen):.3f} to {max(seen):.3f})" if len(seen) > 1 else ""
    return f"{seen[0]:.3f}{spread}"


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return []
    return [f"### {title}", "", f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *lines, ""]
