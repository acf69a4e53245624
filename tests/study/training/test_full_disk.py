"""A disk that is full or may only be read, at any moment of a run: one line says so, and nothing is lost."""

import os
import shutil

import pytest

if os.name == "nt":
    pytest.skip("mounts are others here", allow_module_level=True)

from tools.soak import differences

from disks import fill, mounted, remount
from torchatlas.engine.errors import AtlasError
from torchatlas.study.training.train import resume, train

SETTINGS = {"data": "digits", "steps": 80, "save_every_steps": 40, "log_every": 1, "threads": 1, "hidden": 32}
# When the disk fills up (kind of event and step), and what cannot be written next: forty lines of the record
# are more than the page that it has by then.
MOMENTS = {
    "the record": ("train", 1, "record.jsonl"),
    "the first checkpoint": ("train", 40, "checkpoints/00000040"),
    "the last checkpoint": ("valid", 80, "checkpoints/00000080"),
    "the result": ("end", 80, "run"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "whole"
    train("mlp", out=folder, **SETTINGS)
    return folder


@pytest.fixture
def disk(tmp_path):
    with mounted(tmp_path / "disk", "4m") as place:
        yield place


@pytest.mark.parametrize("moment", MOMENTS)
def test_it_goes_on_to_the_same_bytes_once_there_is_room(whole, disk, moment):
    kind, step, place = MOMENTS[moment]

    def spoil(event):
        if (event.kind, event.step) == (kind, step):
            fill(disk)

    with pytest.raises(AtlasError) as caught:
        train("mlp", out=disk / "run", listeners=[spoil], **SETTINGS)
    said = str(caught.value)
    assert "\n" not in said and "the disk is full" in said and "Free some space" in said
    assert f"{place} could not be written" in said, said
    assert not list((disk / "run").rglob(".*.new")) and not list((disk / "run").rglob(".new-*"))
    (disk / "ballast").unlink()
    resume(disk / "run")
    assert differences(whole, disk / "run") == []


def test_where_a_run_may_only_be_read_it_says_so_and_nothing_is_lost(whole, disk):
    run = shutil.copytree(whole, disk / "run")
    remount(disk, "ro")
    with pytest.raises(AtlasError, match=r"no permission to write .*run.* or change its owner or mode"):
        resume(run)
    remount(disk, "rw")
    resume(run)
    assert differences(whole, run) == []
