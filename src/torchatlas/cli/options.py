"""The options that mean the same in every command."""

import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

data = click.option(
    "--data",
    default="digits",
    show_default=True,
    metavar="DATA",
    help="digits, iris, mnist … or folder:PATH, csv:PATH, parquet:PATH, npz:PATH.",
)
target = click.option("--target", multiple=True, help="The column to learn; several: say it again.")
task = click.option(
    "--task", help="classification, regression or multilabel; by default seen from the target."
)
group = click.option("--group", help="Column whose groups stay together in a split.")
time = click.option("--time", help="Column to split by time: the latest rows are the test part.")
epochs = click.option("--epochs", type=float, help="Passes over the training data.")
steps = click.option("--steps", type=int, help="Steps, in place of epochs.")
minutes = click.option("--minutes", type=float, help="Minutes per run, in place of epochs.")
start = click.option(
    "--from",
    "start",
    metavar="RUN|WEIGHTS",
    help="Start from the weights of an earlier run (its folder), of FILE.safetensors, timm:NAME or "
    "torchvision:NAME. In --set and in Python: start.",
)
freeze = click.option(
    "--freeze",
    metavar="PARTS",
    help="Parts of the network that stay as they are: stem,stage1 or stem-stage2, or body: all but the head.",
)
device = click.option("--device", help="cpu, cuda, cuda:0, mps or auto.")
settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any option of the run or the method; repeatable.",
)
out = click.option("--out", help="Where the results go.")
as_json = click.option("--json", "as_json", is_flag=True, help="JSON in place of text.")


def process() -> int:
    """The number of this process among those that `torchrun` started; the first one (0) alone tells."""
    return int(os.environ.get("RANK", "0"))


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, in the order given."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


described = together(data, target, task, group, time)  # the data, and what must be said of it
budget = together(epochs, steps, minutes)
transfer = together(start, freeze)  # what is taken over, and what of it is kept


def gather(pairs: Iterable[str], **given: Any) -> dict[str, Any]:
    """`--set` pairs and named options as one dict; what was not said is left out."""
    from ..study.training.words import parse_settings

    said = {key: value for key, value in given.items() if value not in (None, ())}
    if "target" in said:
        said["target"] = said["target"][0] if len(said["target"]) == 1 else list(said["target"])
    return {**parse_settings(pairs), **said}
