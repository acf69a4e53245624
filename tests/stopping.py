"""A run that is stopped dead in its midst and gone on with, beside one that nobody touched."""

import filecmp
import json
from pathlib import Path

import pytest

from torchatlas.engine.record import read_record
from torchatlas.study.training.train import resume, train


class Dead(Exception):
    pass


def assert_stopped_is_whole(folder: Path, name: str, steps: int, at: int, **options) -> None:
    """The checkpoints byte for byte, and the record, of a run that dies at step `at` and goes on."""
    settings = {
        "data": "digits",
        "steps": steps,
        "save_every_steps": 1,
        "log_every": 3,
        "threads": 1,
        **options,
    }
    whole, broken = folder / "whole", folder / "broken"
    train(name, out=whole, **settings)

    def kill(event):
        if event.kind == "checkpoint" and event.step == at:
            raise Dead

    with pytest.raises(Dead):
        train(name, out=broken, listeners=[kill], **settings)
    resume(broken)
    files = sorted(str(p.relative_to(whole)) for p in (whole / "checkpoints").rglob("*") if p.is_file())
    assert len(files) >= 3
    assert filecmp.cmpfiles(whole, broken, files, shallow=False) == (files, [], [])
    records = [[{k: v for k, v in line.items() if k != "clock"} for line in read_record(run / "record.jsonl")]
               for run in (whole, broken)]  # fmt: skip
    assert records[0] == records[1]
    scores = [json.loads((run / "result.json").read_text())["scores"] for run in (whole, broken)]
    assert scores[0] == scores[1] and scores[0]
