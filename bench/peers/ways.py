"""Who is measured: a name for each way to train, where its page is, and what it differs in; nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

NETS = ("mlp", "lenet", "resnet20", "gpt", "lstm")


@dataclass(frozen=True)
class Way:
    """A library and how it is used. `checkpoints`: whether a run leaves one, so that ours must too."""

    label: str
    where: str  # "page:Class"
    options: Mapping[str, Any] = field(default_factory=dict)
    backend: str = ""  # of Keras
    checkpoints: bool = False
    nets: tuple[str, ...] = NETS
    alone: bool = True  # whether its accuracy and memory are measured; other ways of one library share them

    def make(self, *parts: Any, **more: Any) -> Any:
        """Its side of a measurement; this imports the library."""
        page, _, name = self.where.partition(":")
        return getattr(import_module(f"bench.peers.{page}"), name)(*parts, **self.options, **more)


SMALL = ("mlp", "lenet")  # where what surrounds a step weighs most
WAYS = {
    "ours": Way("torchatlas", "ours:Ours"),
    "by_hand": Way("by hand, fused optimizer", "by_hand:ByHand", {"fused": True}),
    "by_hand_default": Way("by hand, PyTorch's default optimizer", "by_hand:ByHand", alone=False),
    "lightning": Way("Lightning", "lightning_trainer:Lightning", checkpoints=True),
    "lightning_bare": Way(
        "Lightning, barebones, fused", "lightning_trainer:Lightning", {"bare": True}, nets=SMALL, alone=False
    ),
    "transformers": Way("Hugging Face Trainer", "transformers_trainer:Transformers", checkpoints=True),
    "transformers_bare": Way(
        "Hugging Face Trainer, all off, fused",
        "transformers_trainer:Transformers",
        {"bare": True},
        nets=SMALL,
        alone=False,
    ),
    "skorch": Way("skorch", "skorch_net:Skorch"),
    "keras_torch": Way("Keras 3 on PyTorch", "keras_model:Keras", backend="torch"),
    "keras_jax": Way("Keras 3 on JAX", "keras_model:Keras", backend="jax"),
    "sklearn": Way("scikit-learn MLPClassifier", "sklearn_mlp:Sklearn", nets=("mlp",)),
}
PEERS = tuple(name for name in WAYS if name != "ours")
