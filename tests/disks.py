"""Small disks of one's own (tmpfs), to fill up and to make read-only."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(place: Path, size: str) -> Iterator[Path]:
    """A new folder that is a disk of that size ("64k"); the test is skipped where nothing can be mounted."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def remount(disk: Path, options: str) -> None:
    """With other options: "ro", "size=20m"."""
    subprocess.run(["mount", "-o", f"remount,{options}", disk], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """The file that takes up all room but so many bytes."""
    room = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - leave)))
    return disk / "ballast"
