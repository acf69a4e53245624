"""The options that mean the same in every command."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

Data = Annotated[str, typer.Option(help="digits, mnist … or folder:PATH, csv:PATH, parquet:PATH, npz:PATH.")]
Target = Annotated[list[str] | None, typer.Option(help="The column to learn (several: say it again).")]
Task = Annotated[
    str | None, typer.Option(help="classification, regression or multilabel; seen from the target.")
]
Group = Annotated[str | None, typer.Option(help="Column whose groups stay together in a split.")]
Time = Annotated[str | None, typer.Option(help="Column to split by time: the latest rows are the test part.")]
Epochs = Annotated[float | None, typer.Option(help="Passes over the training data.")]
Steps = Annotated[int | None, typer.Option(help="Steps, in place of epochs.")]
Minutes = Annotated[float | None, typer.Option(help="Minutes per run, in place of epochs.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, mps or auto.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE: any option; say it again for more.")]
Out = Annotated[str | None, typer.Option(help="Where the results go.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def gather(pairs: Iterable[str] | None, **given: Any) -> dict[str, Any]:
    """`--set` pairs and named options as one dict; what was not said is left out."""
    from ..study.words import parse_settings

    said = {key: value for key, value in given.items() if value is not None and value != []}
    if isinstance(target := said.get("target"), list):
        said["target"] = target[0] if len(target) == 1 else target
    return {**parse_settings(pairs or ()), **said}
