import subprocess
import sys
import warnings

import pytest

import torchatlas

COMMANDS = ("list", "show", "train", "compare", "evaluate", "predict", "sample", "report", "doctor")


def test_help_names_every_command(atlas):
    outcome = atlas("--help")
    assert outcome.status == 0 and not outcome.err
    assert all(f" {command} " in outcome.said for command in COMMANDS)
    assert atlas("-h").out == outcome.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps(atlas, command):
    outcome = atlas(command, "--help")
    assert outcome.status == 0 and f"torchatlas {command}" in outcome.said


def test_version(atlas):
    assert atlas("--version").out == f"torchatlas {torchatlas.__version__}\n"


def test_what_asks_for_no_training_imports_no_torch():
    code = """
import sys
from torchatlas.cli.main import main
for words in (["list"], ["list", "--json"], ["show", "mlp"], ["--help"], ["train", "--help"], ["--version"]):
    sys.argv[1:] = words
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, words
    heavy = {"torch", "numpy", "pandas", "sklearn", "matplotlib"} & set(sys.modules)
    assert not heavy, (words, heavy)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("words", [["trian"], ["list", "--famly", "nn"], ["--verson"], ["show"], ["compare"]])
def test_wrong_words_of_the_command_line_end_with_2(atlas, words):
    outcome = atlas(*words)
    assert outcome.status == 2 and outcome.err.startswith("Usage: ") and "help' for help" in outcome.said


def test_a_reader_that_goes_away_is_no_failure(typed):
    process = typed("list", "--json")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 0 and process.stderr.read() == ""


def test_an_interruption_anywhere_ends_with_130(atlas, monkeypatch):
    def stop(*given, **said):
        raise KeyboardInterrupt

    monkeypatch.setattr("torchatlas.study.doctor.doctor", stop)
    outcome = atlas("doctor")
    assert outcome.status == 130 and "interrupted" in outcome.err


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("words", [["doctor"], ["doctor", "--json"]])
def test_a_warning_is_a_note_of_one_line(atlas, monkeypatch, words):
    from torchatlas.study import doctor

    def warned(*given, **said):
        warnings.warn("a checkpoint was damaged;\n  the one before it is used", stacklevel=2)
        return before(*given, **said)

    before = doctor.doctor
    monkeypatch.setattr(doctor, "doctor", warned)
    outcome = atlas(*words)
    assert outcome.status == 0
    assert outcome.err == "note: a checkpoint was damaged; the one before it is used\n"
    assert "note:" not in outcome.out


def test_want_of_memory_is_told(atlas, monkeypatch):
    def large(*given, **said):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes\nmore")

    monkeypatch.setattr("torchatlas.study.doctor.doctor", large)
    outcome = atlas("doctor")
    assert outcome.status == 1 and "not enough memory" in outcome.err and "more" not in outcome.err
