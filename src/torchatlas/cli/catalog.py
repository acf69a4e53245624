"""`list` and `show`: the catalog, read without importing torch."""

import json

import click

from ..cards import reader, text
from ..cards.certificate import certificate_json
from . import options as o


@click.command("list", short_help="List the methods of the atlas.")
@click.argument("words", default="", metavar="[TEXT]")
@click.option("--family", default="", help="Only this folder of the atlas: nn, optim/schedules …")
@click.option("--topic", default="", help="Only methods with this topic.")
@click.option("--kind", default="", help="Only this kind: network, loss, optimizer …")
@o.as_json
def list_methods(words: str, family: str, topic: str, kind: str, as_json: bool) -> None:
    """List the methods of the atlas; TEXT: those whose name, title or topics hold it."""
    cards = text.select(reader.catalog().values(), family=family, topic=topic, kind=kind, text=words)
    if as_json:
        click.echo(json.dumps(text.list_json(cards), indent=1))
    elif cards:
        click.echo(text.list_text(cards))
    else:
        click.echo("no method fits; torchatlas list shows them all", err=True)
        raise click.exceptions.Exit(1)


@click.command(short_help="Show what a method is.")
@click.argument("name")
@o.as_json
def show(name: str, as_json: bool) -> None:
    """Show what the method NAME is: formula, paper, options, certificate."""
    card = reader.find(name)
    if as_json:
        click.echo(json.dumps(text.list_json([card])[0] | {"certificate": certificate_json(card)}, indent=1))
    else:
        click.echo(text.show_text(card))
