"""`attack`, `explain`, `prune`, `export`: what fools a trained run, what it looks at, can lose, hands on."""

import json
from pathlib import Path
from typing import Any

import click

from . import options as o

other_data = click.option(
    "--data", metavar="DATA", help="csv:PATH, folder:PATH … as for train; by default the run's own test part."
)


def _said(settings: tuple[str, ...]) -> dict[str, Any]:
    """What `--set` says; what has an option of its own is refused there."""
    from ..engine.errors import UsageError

    said = o.gather(settings)
    own = {option.name: option.opts[0] for option in click.get_current_context().command.params}
    for key in said:
        if key in own:
            raise UsageError(f"{key} has an option of its own: say {own[key]}, not --set {key}")
    return said


def _with(default: str) -> Any:
    words = f"The method; torchatlas show {default}."
    return click.option("--with", "method", default=default, show_default=True, metavar="NAME", help=words)


@click.command(short_help="Attack a trained image classifier.")
@click.argument("run")
@_with("pgd")
@other_data
@click.option("--seed", default=0, show_default=True, help="Draws random starts.")
@o.settings
@click.option("--out", help="The PNG of attacked images; attack-NAME.png in the run's folder by default.")
@o.as_json
def attack(
    run: str,
    method: str,
    data: str | None,
    seed: int,
    settings: tuple[str, ...],
    out: str | None,
    as_json: bool,
) -> None:
    """Attack the model of the folder RUN: its accuracy on images that were changed to fool it.

    --set epsilon=0.1, or several with --set "epsilon=(0.05, 0.1)": how far each pixel may move, of 0 to 1.
    """
    from ..study.inspecting.attack import attack as study

    found = study(run, data, method, seed=seed, **_said(settings))
    picture = found.write(Path(out) if out else Path(run) / f"attack-{method}.png")
    if as_json:
        click.echo(json.dumps({**found.as_json(), "picture": str(picture)}))
        return
    click.echo(found.text())
    click.echo(f"examples: {picture}")


@click.command(short_help="Show what a trained model's answers hang on.")
@click.argument("run")
@_with("saliency")
@other_data
@click.option("--rows", metavar="0,1,2", help="Places in the data; the first 8 images, or a whole table.")
@o.settings
@click.option("--out", help="The PNG of images; explain-NAME.png in the run's folder by default.")
@o.as_json
def explain(
    run: str,
    method: str,
    data: str | None,
    rows: str | None,
    settings: tuple[str, ...],
    out: str | None,
    as_json: bool,
) -> None:
    """Explain answers of the model of the folder RUN: maps over images, bars over a table's features."""
    from ..study.inspecting.explain import explain as study

    found = study(run, data, method, rows=_rows(rows), **_said(settings))
    told = found.as_json()
    if found.images is not None or out:
        told["picture"] = str(found.write(Path(out) if out else Path(run) / f"explain-{method}.png"))
    if as_json:
        click.echo(json.dumps(told))
    else:
        click.echo(f"maps: {told['picture']}" if "picture" in told else found.text())


def _rows(text: str | None) -> list[int] | None:
    from ..engine.errors import UsageError

    try:
        return None if text is None else [int(place) for place in text.split(",")]
    except ValueError as error:
        raise UsageError(f"--rows wants numbers, as in --rows 0,1,2; got {text!r}") from error


@click.command(short_help="Prune a trained model and train it on.")
@click.argument("run")
@_with("pruning_magnitude")
@click.option("--epochs", default=5.0, show_default=True, help="Of the training that follows; 0 for none.")
@o.settings
@click.option("--out", help="The new run's folder; RUN-pruned by default.")
@o.as_json
def prune(
    run: str, method: str, epochs: float, settings: tuple[str, ...], out: str | None, as_json: bool
) -> None:
    """Prune the model of the folder RUN, train it on with its recipe, and score it before and after.

    --set sparsity=0.95, --set scope=global: how many weights go; --set lr=0.001: a field of the recipe.
    """
    from ..study.inspecting.prune import prune as study
    from .training import listeners_for

    found = study(
        run,
        method,
        out=out,
        epochs=epochs,
        listeners=listeners_for(method, as_json, False, out),
        **_said(settings),
    )
    click.echo(json.dumps({"event": "result", **found.as_json()}) if as_json else found.text())


@click.command(short_help="Write a trained model as one file, for use elsewhere.")
@click.argument("run")
@click.option(
    "--to", metavar="FORMAT", help="torch (.pt2) or onnx; by default what --out ends in, else torch."
)
@click.option("--out", help="The file; model.pt2 or model.onnx in the run's folder by default.")
@o.as_json
def export(run: str, to: str | None, out: str | None, as_json: bool) -> None:
    """Write the model of the folder RUN as one file that runs without torchatlas.

    It takes raw pixels, a table's encoded features or numbers of characters, in batches of any size, and
    gives what predict gives. The file is tried before it is kept.
    """
    from ..study.inspecting.export import export as write

    found = write(run, to, out)
    click.echo(json.dumps(found.as_json()) if as_json else found.text())
