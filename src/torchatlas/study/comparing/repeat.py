"""How to repeat a comparison: the command that asks the same, where words can say it."""

import shlex
from collections.abc import Mapping
from typing import Any

from ...engine.errors import AtlasError
from ..training.words import parse_settings, parse_value, parse_varied
from .entries import make_entries

FLAGS = ("target", "task", "group", "time")  # of the data's options; the others go with --set


def nameable(method: str) -> bool:
    """Whether a method is found again by its name: not what a script, a notebook or a function defined."""
    return not ("<" in method or method.startswith(("__main__:", ":")))


def command_of(question: Mapping[str, Any]) -> tuple[str, str]:
    """The command that asks the same question, or "" and why there is none."""
    methods = question["methods"].values()
    names = list(dict.fromkeys(m["method"] for m in methods))
    if own := [name.rpartition(":")[2].rpartition(".")[2] for name in names if not nameable(name)]:
        return "", f"{', '.join(own)} lived in a script, a notebook or a function, where no command finds it"
    if question.get("data_given") == "object":
        return "", "the data was an object in Python, not a file or the name of a set"
    if question["seeds"] != list(range(len(question["seeds"]))):
        return "", f"a command takes the seeds from 0 on, and these were {question['seeds']}"
    said = [(m["method"], _settings(m)) for m in methods]
    pairs, varied = _pairs([settings for _, settings in said])
    if not _same(names, pairs, varied, said):
        return "", "its settings cannot be written as words"
    words = ["torchatlas", "compare", *names, "--data", question["data"]]
    words += ["--seeds", str(len(question["seeds"]))]
    for flag, texts in (("--set", pairs), ("--vary", varied)):
        words += [word for text in texts for word in (flag, text)]
    for key, value in question["data_options"].items():
        if key in FLAGS:
            words += [word for item in _listed(value) for word in (f"--{key}", str(item))]
        else:
            words += ["--set", f"{key}={_text(value)}"]
    return shlex.join(words), ""


def _settings(method: Mapping[str, Any]) -> dict[str, Any]:
    """A method's settings as its recipe wrote them down: a class is there by its name."""
    options = method.get("recipe", {}).get("options", {})
    return {key: options.get(key, value) for key, value in method["settings"].items()}


def _pairs(settings: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """What goes with `--set`, and what with `--vary`."""
    same: list[str] = []
    varied: list[str] = []
    for key in dict.fromkeys(key for each in settings for key in each):
        texts = list(dict.fromkeys(_text(each[key]) for each in settings if key in each))
        (varied if len(texts) > 1 else same).append(f"{key}={','.join(texts)}")
    return same, varied


def _same(names: list[str], pairs: list[str], varied: list[str], said: list[Any]) -> bool:
    """Whether the words, read back, ask for the very same methods and settings."""
    try:
        entries = make_entries(names, parse_varied(varied), parse_settings(pairs))
    except (AtlasError, LookupError):
        return False
    plain = [(e.method, {key: _plain(value) for key, value in e.settings.items()}) for e in entries]
    return plain == [(name, {key: _plain(value) for key, value in each.items()}) for name, each in said]


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text if parse_value(text) == value else repr(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
