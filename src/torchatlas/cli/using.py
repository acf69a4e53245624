"""`evaluate`, `predict`, `sample`, `report`, `doctor`: what can be asked of a trained run, and of data."""

import json
from pathlib import Path
from typing import Any

import click

from . import options as o

new_data = click.option("--data", required=True, metavar="DATA", help="csv:PATH, folder:PATH … as for train.")


@click.command(short_help="Score a trained model on labelled data.")
@click.argument("run")
@new_data
@o.as_json
def evaluate(run: str, data: str, as_json: bool) -> None:
    """Score the model of the folder RUN on labelled data."""
    from ..study.training.run import load

    scores = load(run).evaluate(data)
    if as_json:
        click.echo(json.dumps({name: value.as_json() for name, value in scores.items()}))
        return
    for name, value in scores.items():
        click.echo(f"{name:20} {value:.6g}  ({value.low:.4g} to {value.high:.4g})")
    click.echo("in brackets: 95 % intervals over these samples")


@click.command(short_help="Predict new data.")
@click.argument("run")
@new_data
@click.option(
    "--out", default="predictions.csv", show_default=True, help="The CSV to write; - for standard output."
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=256, show_default=True, help="Rows at a time."
)
def predict(run: str, data: str, out: str, batch_size: int) -> None:
    """Predict new data with the model of the folder RUN: a CSV with class names and probabilities."""
    from ..engine.checkpoint import unwritable
    from ..engine.errors import AtlasError
    from ..study.training.run import load

    table = load(run).predict(data, batch_size)
    if out == "-":
        click.echo(table.to_csv(index=False), nl=False)
        return
    try:
        table.to_csv(out, index=False)
    except OSError as error:
        raise AtlasError(unwritable(Path(out), error)) from error
    click.echo(f"{len(table)} predictions: {out}")


@click.command(short_help="Make new data.")
@click.argument("run")
@click.option("--count", type=click.IntRange(min=1), default=16, show_default=True, help="How many.")
@click.option("--seed", default=0, show_default=True, help="Draws the noise.")
@click.option("--out", help="A .png (images), .csv (tables), .txt (text) or .npz; samples.png by default.")
@click.option("--prompt", default="", help="Language models: the text to go on from.")
@click.option("--length", default=500, show_default=True, help="Language models: how many characters.")
@click.option("--temperature", default=1.0, show_default=True, help="Language models: 0 is the likeliest.")
@click.option("--top-k", type=click.IntRange(min=1), help="Language models: of how many likeliest ones.")
def sample(run: str, count: int, seed: int, out: str | None, **how: Any) -> None:
    """Make new data with the generative model of the folder RUN; text is written as it comes."""
    from ..engine.errors import UsageError
    from ..study.training.run import load
    from ..study.training.samples import write_samples

    path = Path(out or "samples")
    if path.is_dir() and out:
        raise UsageError(f"{path} is a folder: name a file with --out, as in {path / 'samples.png'}")
    trained = load(run)
    if trained.spec.modality == "text":
        _write_text(trained, path if out and out != "-" else None, seed=seed, **how)
        return
    made = trained.sample(count, seed)
    if not path.suffix:
        path = path.with_name(path.name + (".csv" if hasattr(made, "columns") else ".png"))
    click.echo(f"{count} samples: {write_samples(made, path)}")


def _write_text(run: Any, path: Path | None, prompt: str, **how: Any) -> None:
    """A language model's text, to a file, or to the terminal character by character."""
    from ..engine.checkpoint import unwritable
    from ..engine.errors import AtlasError
    from ..study.training.texts import stream_text

    characters = stream_text(run, prompt, **how)
    if path is None:
        click.echo(prompt, nl=False)
        for character in characters:
            click.echo(character, nl=False)
        click.echo()
        return
    text = prompt + "".join(characters)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise AtlasError(unwritable(path, error)) from error
    click.echo(f"{len(text):,} characters: {path}")


@click.command(short_help="Write the HTML report of a run or comparison.")
@click.argument("run")
@o.out
def report(run: str, out: str | None) -> None:
    """Write the report of a run or a comparison, the folder RUN, as one HTML file."""
    from ..study.comparing.reports import report as write

    click.echo(f"report: {write(run, out)}")


@click.command(short_help="Look through the installation and the data.")
@click.option("--data", metavar="DATA", help="Data to look through, as for train.")
@o.target
@o.task
@o.settings
@o.as_json
def doctor(
    data: str | None, target: tuple[str, ...], task: str | None, settings: tuple[str, ...], as_json: bool
) -> None:
    """Say what is installed, which devices there are, and what is wrong with the data."""
    from ..cards.reader import near
    from ..engine.errors import UsageError
    from ..study.doctor import doctor as examine
    from ..study.training.resolve import DATA_OPTIONS

    said = o.gather(settings, target=target, task=task)
    for key in said:
        if key not in DATA_OPTIONS:
            known = ", ".join(DATA_OPTIONS)
            raise UsageError(f"data has no option {key!r}{near(key, DATA_OPTIONS)}; it takes {known}")
    found = examine(data, **said)
    click.echo(json.dumps(found.as_json(), indent=1) if as_json else found.text())
    if found.failed:
        raise click.exceptions.Exit(1)
