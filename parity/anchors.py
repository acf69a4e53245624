"""What other libraries' networks answer, with weights that are a function of their names, for `make test`.

`.parity/bin/python parity/anchors.py [NAME …]` writes tests/networks/anchors/NAME.json anew.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from networks_peers import ANCHORS, Peer, made

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "networks" / "anchors"
sys.path.append(str(ROOT / "tests"))  # run as a script, it has no path to what the tests share


def anchor(peer: Peer) -> dict[str, Any]:
    """Names and shapes of the weights that the peer wants, and what it answers."""
    from networks.filling import answers, filled

    network = made(peer).double()
    state = network.state_dict()
    drawn = {
        name: tensor for name, tensor in state.items() if tensor.is_floating_point()
    }  # tables of places stay
    shapes = {name: list(tensor.shape) for name, tensor in drawn.items()}
    network.load_state_dict(state | filled(shapes))
    found: dict[str, Any] = {
        "ours": peer.ours,
        "options": dict(peer.options),
        "library": peer.library,
        "name": peer.name,
        "version": version(peer.library),
        "size": list(peer.size),
        "answers": {mode: logits.tolist() for mode, logits in answers(network, peer.size).items()},
        "shapes": shapes,
    }
    return json.loads(json.dumps(found))  # as it is read


def path(peer: Peer) -> Path:
    """Where the anchor of a network lies."""
    return FOLDER / f"{peer.library}_{peer.ours}.json"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in ANCHORS:
        if each.ours in sys.argv[1:] or not sys.argv[1:]:
            path(each).write_text(json.dumps(anchor(each), separators=(",", ":")) + "\n", encoding="utf-8")
            print(path(each).relative_to(ROOT))
