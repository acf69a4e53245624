"""All that is measured, part by part: what runs in which process, and where its numbers are kept."""

from dataclasses import dataclass
from pathlib import Path

from bench.peers.ways import NETS, PEERS, WAYS

KINDS = ("data", "train", "alone", "share", "checkpoint", "startup")
SAVERS = ("torch", "torch_synced", "lightning", "accelerate")
BOTH = ("exact", "auto")
CHOOSER = "by_hand_default"  # whose pair with auto is the one where auto chooses


@dataclass(frozen=True)
class Job:
    """A part: its kind, and the words that tell it from others of the kind."""

    kind: str
    words: tuple[str, ...] = ()

    def path(self, home: Path) -> Path:
        """Where its numbers are."""
        return home / "results" / f"{'-'.join((self.kind, *self.words))}.json"

    @property
    def net(self) -> str:
        """The network that it is about."""
        return self.words[0] if self.words and self.words[0] in NETS else ""

    @property
    def peer(self) -> str:
        """The library that it is about."""
        if self.kind == "checkpoint":
            return self.words[0]
        return self.words[1] if self.kind in ("train", "alone") else ""

    @property
    def backend(self) -> str:
        """Keras's backend in its process."""
        return WAYS[self.peer].backend if self.peer in WAYS else ""


def everything() -> list[Job]:
    """Each part, in the order of the tables."""
    jobs = [Job("data", (net,)) for net in NETS]
    for net in NETS:
        peers = [peer for peer in PEERS if net in WAYS[peer].nets]
        jobs += [Job("train", (net, peer, "exact")) for peer in peers]
        jobs += [Job("train", (net, CHOOSER, "auto"))]
        jobs += [Job("alone", (net, "ours", numerics)) for numerics in BOTH]
        jobs += [Job("alone", (net, peer, "")) for peer in peers if WAYS[peer].alone]
        jobs += [Job("share", (net, numerics)) for numerics in BOTH]
    jobs += [Job("checkpoint", (saver,)) for saver in SAVERS]
    return [*jobs, Job("startup")]


def chosen(only: tuple[str, ...], peers: tuple[str, ...], numerics: str = "") -> list[Job]:
    """The parts of some kinds or networks, and of some libraries; nothing named is everything.

    The data of a network that is measured is among them always. numerics: ours in these, and pairs alone.
    """
    kinds, nets = [w for w in only if w in KINDS], [w for w in only if w in NETS]
    found = [
        job
        for job in everything()
        if job.kind != "data"
        and (not kinds or job.kind in kinds)
        and (not nets or job.net in nets)
        and (not peers or job.peer in peers)
    ]
    if numerics:
        pairs = [job for job in found if job.kind == "train" and job.words[2] == "exact"]
        found = [Job("train", (*job.words[:2], numerics)) for job in pairs]
    needed = {job.net for job in found if job.net}
    return [*(job for job in everything() if job.kind == "data" and job.net in needed), *found]
