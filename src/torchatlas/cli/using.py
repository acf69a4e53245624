"""`evaluate`, `predict`, `sample`, `report`, `doctor`: what can be asked of a trained run, and of data."""

import json
from pathlib import Path
from typing import Annotated

import typer

from . import options as o

RunFolder = Annotated[str, typer.Argument(help="The folder of a run.")]


def evaluate(run: RunFolder, data: o.Data, as_json: o.Json = False) -> None:
    """Score a trained model on labelled data."""
    from ..study.run import load

    scores = load(run).evaluate(data)
    lines = "\n".join(f"{name:20} {value:.6g}" for name, value in scores.items())
    typer.echo(json.dumps(scores) if as_json else lines)


def predict(
    run: RunFolder,
    data: o.Data,
    out: Annotated[str, typer.Option(help="The CSV to write; - for standard output.")] = "predictions.csv",
) -> None:
    """Predict for new data, into a CSV with class names and probabilities."""
    from ..engine.checkpoint import unwritable
    from ..engine.errors import AtlasError
    from ..study.run import load

    table = load(run).predict(data)
    if out == "-":
        typer.echo(table.to_csv(index=False), nl=False)
        return
    try:
        table.to_csv(out, index=False)
    except OSError as error:
        raise AtlasError(unwritable(Path(out), error)) from error
    typer.echo(f"{len(table)} predictions: {out}")


def sample(
    run: RunFolder,
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 16,
    seed: Annotated[int, typer.Option(help="Draws the noise.")] = 0,
    out: Annotated[
        str, typer.Option(help="A .png (images), .csv (tables) or .npz to write.")
    ] = "samples.png",
) -> None:
    """Make new data with a trained generative model."""
    from ..study.run import load
    from ..study.samples import write_samples

    typer.echo(f"{count} samples: {write_samples(load(run).sample(count, seed), Path(out))}")


def report(run: RunFolder, out: o.Out = None) -> None:
    """Write the report of a run or of a comparison as one HTML file."""
    from ..study.reporting import report as write

    typer.echo(f"report: {write(run, out)}")


def doctor(
    data: Annotated[str | None, typer.Option(help="Data to look through, as for train.")] = None,
    target: o.Target = None,
    task: o.Task = None,
    as_json: o.Json = False,
) -> None:
    """Say what is installed, which devices there are, and what is wrong with the data."""
    from ..study.doctor import doctor as examine

    found = examine(data, **o.gather((), target=target, task=task))
    typer.echo(json.dumps(found.as_json(), indent=1) if as_json else found.text())
    if found.failed:
        raise typer.Exit(1)
