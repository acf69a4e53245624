import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from torchatlas.cards import certificate
from torchatlas.cards.certificate import Certificate, Line
from torchatlas.cli import verifying
from torchatlas.cli.verifying import verify

BROKEN = """
from torch import nn


class Mixes(nn.Module):
    def __init__(self, in_features=12, num_classes=3):
        super().__init__()
        self.head = nn.Linear(in_features, num_classes)

    def forward_features(self, x):
        return x - x.mean(0)

    def forward(self, x):
        return self.head(self.forward_features(x))
"""
LAW = Line("law", "keeps_the_shape", "study/laws/activations.py", True, clock=0.1)


def type_words(*words: str) -> Result:
    return CliRunner().invoke(verify, list(words))


@pytest.fixture
def proven(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool | None]:
    """What each method's one law says, in place of a run."""
    verdicts: dict[str, bool | None] = {}

    def run(cards, jobs):
        for card in cards:
            line = Line("law", LAW.name, LAW.page, verdicts.get(card.name, True), message="off", clock=0.1)
            yield Certificate(card.name, (line,))

    monkeypatch.setattr(verifying, "_run", run)
    return verdicts


def test_a_method_is_proven(here: Path):
    outcome = type_words("lr_step")
    assert outcome.exit_code == 0 and outcome.output.startswith("lr_step  passes  2 laws, ")
    assert "The rate is finite and never negative" in outcome.output
    assert "tests/optim/schedules/test_decay.py" in outcome.output


def test_one_s_own_broken_network_fails_as_typed(here: Path):
    (here / "mine.py").write_text(BROKEN)
    code = "from torchatlas.cli.verifying import verify; verify()"
    command = [sys.executable, "-c", code, "mine:Mixes", "--json"]
    environment = os.environ | {"PYTHONPATH": str(Path(verifying.__file__).parents[2])}
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    (proof,) = json.loads(done.stdout)
    broken = {line["name"]: line["message"] for line in proof["lines"] if line["verdict"] == "fails"}
    assert proof["verdict"] == "fails" and "samples_stand_alone" in broken
    assert "shapes_fit" not in broken


def test_failures_are_told_beneath_their_method_and_counted(proven):
    proven.update(relu=False, elu=None)
    outcome = type_words("--all")
    lines = outcome.output.splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("relu "))
    assert outcome.exit_code == 1
    assert "fails" in lines[at] and "keeps_the_shape" in lines[at + 1] and "fails: off" in lines[at + 1]
    assert sum("keeps_the_shape" in line for line in lines) == 1
    assert "1 fail" in outcome.output and "without proof: elu" in outcome.output


def test_nothing_that_fails_is_status_zero(proven):
    proven.update(relu=None)
    assert type_words("relu", "elu").exit_code == 0


@pytest.mark.parametrize("words", [(), ("relu", "--all"), ("relu", "--jobs", "0"), ("--nothing",)])
def test_wrong_words(words):
    outcome = type_words(*words)
    assert outcome.exit_code == 2 and "Traceback" not in outcome.output


def test_json_has_every_field(proven):
    proven.update(elu=False)
    found = json.loads(type_words("relu", "elu", "relu", "--json").output)
    assert [(proof["name"], proof["verdict"]) for proof in found] == [("relu", "passes"), ("elu", "fails")]
    assert found[0].keys() == {"name", "verdict", "date", "versions", "stale", "clock", "lines"}
    (line,) = found[1]["lines"]
    assert line["kind"] == "law" and line["origin"] == "run" and line["message"] == "off"


def test_stored_runs_nothing(monkeypatch, proven):
    proven.update(relu=False)
    kept = Certificate(
        "relu", (replace(LAW, clock=None),), (), "changed", "", "2026-11-20", (("torch", "2.13.0"),)
    )
    monkeypatch.setattr(certificate, "stored", lambda card: kept if card.name == "relu" else None)
    outcome = type_words("relu", "elu", "--stored")
    assert outcome.exit_code == 0
    assert "stored 2026-11-20, stale" in outcome.output and "nothing here proves it" in outcome.output
    found = json.loads(type_words("relu", "--stored", "--json").output)
    assert found[0]["stale"] and found[0]["versions"] == {"torch": "2.13.0"}


def test_a_name_that_nobody_has():
    outcome = type_words("rellu")
    assert "did you mean relu" in str(outcome.exception)
