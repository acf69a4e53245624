"""`compare`: methods under one budget, over seeds, to a verdict and a report."""

import json
from typing import Annotated, Any

import typer

from . import options as o


def compare(
    names: Annotated[list[str], typer.Argument(help="Methods, or module:Thing of your own.")],
    data: o.Data = "digits",
    vary: Annotated[
        list[str] | None, typer.Option(help="KEY=a,b,c: the same method with each value.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds; each redraws the split.")] = 5,
    target: o.Target = None,
    task: o.Task = None,
    group: o.Group = None,
    time: o.Time = None,
    epochs: o.Epochs = None,
    steps: o.Steps = None,
    minutes: o.Minutes = None,
    metric: Annotated[str | None, typer.Option(help="What decides; the task's usual one by default.")] = None,
    device: o.Device = None,
    settings: o.Set = None,
    jobs: Annotated[int | None, typer.Option(help="Runs at a time; as many as help by default.")] = None,
    out: o.Out = None,
    fresh: Annotated[bool, typer.Option(help="Begin anew, in place of going on with what is there.")] = False,
    as_json: o.Json = False,
) -> None:
    """Compare methods on data: which is best, by how much, at what cost."""
    from ..study import compare as study
    from ..study.words import parse_varied

    words = {"target": target, "task": task, "group": group, "time": time, "metric": metric}
    said = o.gather(settings, epochs=epochs, steps=steps, minutes=minutes, device=device, **words)
    show = "json" if as_json else "auto"
    how: dict[str, Any] = {
        "vary": parse_varied(vary or ()),
        "seeds": seeds,
        "jobs": jobs,
        "out": out,
        "fresh": fresh,
    }
    result = study.compare(names, data, show=show, **how, **said)
    if as_json:
        verdict = {"event": "verdict", "sentence": result.sentence, "report": str(result.report)}
        typer.echo(json.dumps(verdict))
        return
    typer.echo(f"{result.text()}\n\n{result.sentence}\n\nreport: {result.report}")
