"""`list` and `show`: the catalog, read without importing torch."""

import json
from typing import Annotated

import typer

from ..cards import reader, text


def list_methods(
    words: Annotated[
        str, typer.Argument(help="Only methods whose name, title or topics hold this text.")
    ] = "",
    family: Annotated[str, typer.Option(help="Only this folder of the atlas: nn, optim/schedules …")] = "",
    topic: Annotated[str, typer.Option(help="Only methods with this topic.")] = "",
    kind: Annotated[str, typer.Option(help="Only this kind: network, loss, optimizer …")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
) -> None:
    """List the methods of the atlas."""
    cards = text.select(reader.catalog().values(), family=family, topic=topic, kind=kind, text=words)
    if as_json:
        typer.echo(json.dumps(text.list_json(cards), indent=1))
        return
    if not cards:
        typer.echo("no method fits; torchatlas list shows them all", err=True)
        raise typer.Exit(1)
    typer.echo(text.list_text(cards))


def show(
    name: Annotated[str, typer.Argument(help="A method's name.")],
    as_json: Annotated[bool, typer.Option("--json", help="The card as an object.")] = False,
) -> None:
    """Show what a method is: formula, paper, options, certificate."""
    card = reader.find(name)
    typer.echo(json.dumps(text.list_json([card])[0], indent=1) if as_json else text.show_text(card))
