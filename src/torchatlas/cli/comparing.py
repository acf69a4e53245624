"""`compare`: methods under one budget, over seeds, to a verdict and a report."""

import json
from typing import Any

import click

from . import options as o


@click.command(short_help="Compare methods on data: which is best?")
@click.argument("names", nargs=-1, required=True)
@o.described
@click.option("--vary", multiple=True, metavar="KEY=A,B", help="The same method with each value; repeatable.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How many; each redraws the split.",
)
@o.budget
@o.transfer
@click.option("--metric", help="What decides; the task's usual one by default.")
@o.device
@o.settings
@click.option("--jobs", type=click.IntRange(min=1), help="Runs at a time; as many as help by default.")
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="A Dask scheduler, as tcp://host:8786: its workers do the runs, each with all of its threads. "
    "They must see --out, and the files of --data, under the same paths.",
)
@click.option("--apart", is_flag=True, help="Train no seeds together: each run is train's, bit for bit.")
@o.out
@click.option("--fresh", is_flag=True, help="Begin anew, in place of going on with what is there.")
@o.as_json
def compare(
    names: tuple[str, ...],
    data: str,
    vary: tuple[str, ...],
    seeds: int,
    settings: tuple[str, ...],
    jobs: int | None,
    cluster: str | None,
    apart: bool,
    out: str | None,
    fresh: bool,
    as_json: bool,
    **words: Any,
) -> None:
    """Compare NAMES (methods, or module:Thing of your own): which is best, by how much, at what cost."""
    from ..study.comparing import compare as study
    from ..study.training.words import parse_varied

    said = o.gather(settings, **words)
    show = "json" if as_json else "auto"
    how: dict[str, Any] = {
        "vary": parse_varied(vary),
        "seeds": seeds,
        "jobs": jobs,
        "cluster": cluster,
        "together": not apart,
        "out": out,
        "fresh": fresh,
    }
    result = study.compare(names, data, show=show, **how, **said)
    if as_json:
        verdict = {"event": "verdict", "sentence": result.sentence, "report": str(result.report)}
        click.echo(json.dumps(verdict))
        return
    click.echo(f"{result.text()}\n\n{result.sentence}\n\nreport: {result.report}")
