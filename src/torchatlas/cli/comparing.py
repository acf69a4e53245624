"""`compare`: methods under one budget, over seeds, to a verdict and a report."""

from typing import Annotated

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
    from ..study.words import parse_settings, parse_value, split_values

    words = {"target": target, "task": task, "group": group, "time": time, "metric": metric}
    said = o.gather(settings, epochs=epochs, steps=steps, minutes=minutes, device=device, **words)
    varied = {
        key: [parse_value(value) for value in split_values(text)]
        for key, text in ((k, v) for pair in vary or () for k, v in [_pair(pair)])
    }
    parse_settings(vary or ())
    result = study.compare(
        names,
        data,
        vary=varied,
        seeds=seeds,
        jobs=jobs,
        out=out,
        fresh=fresh,
        show="json" if as_json else "auto",
        **said,
    )
    if as_json:
        import json

        typer.echo(
            json.dumps({"event": "verdict", "sentence": result.sentence, "report": str(result.report)})
        )
        return
    typer.echo(result.text())
    typer.echo(f"\n{result.sentence}\n\nreport: {result.report}")


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key.strip(), value
