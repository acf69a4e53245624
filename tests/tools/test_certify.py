import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_counting_is_one_sentence_and_never_fails():
    command = [sys.executable, "tools/certify.py", "--count"]
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"certificates: \d+ of \d+ stale or missing(: .+)?\n", done.stdout)
