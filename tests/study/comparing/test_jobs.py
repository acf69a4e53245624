from pathlib import Path

from torchatlas.study.comparing.jobs import Done, reasons


def test_why_runs_failed_is_told_once_for_each_reason():
    here = Path()
    failed = [
        Done("a", 0, here, "it is red.\nand a trace"),
        Done("b", 0, here, "it is red"),
        Done("a", 1, here, "another, later"),
        Done("c", 0, here, "it is blue"),
        Done("d", 0, here),
    ]
    assert reasons(failed) == "a, b: it is red; c: it is blue"
