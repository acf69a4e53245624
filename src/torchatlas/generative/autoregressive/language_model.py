"""Language models: the next character, given those before it."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...engine.errors import UsageError
from ...engine.learner import Batch, Learner, batches

if TYPE_CHECKING:
    from ...data.spec import Part, Spec

TRIAL = 1 << 15  # characters scored at a time


class LanguageModel(Learner):
    r"""Language model: a network that reads text and tells each next character.

    The loss is $-\frac1n \sum_t \log p(x_t | x_{<t})$ over the n characters of a batch.
    The network maps ids (batch, length <= context) to logits (batch, length, classes), of which those at t
    depend on ids up to t alone. Where it has `read(ids, state) -> (logits, state)`, generation goes on from
    its state and remembers the whole text; else each character is drawn given the last `context` ones.
    `start` is the character that stands before text that has no beginning.
    Batch: (ids, the next ids), both (batch, length). Scores per window: bits per character (nats / ln 2),
    loss, accuracy.
    """

    monitor: ClassVar[str] = "bits_per_character"

    def __init__(self, network: nn.Module, context: int, start: int = 0):
        super().__init__()
        self.network, self.context, self.start = network, context, start

    @classmethod
    def for_data(cls, spec: "Spec", network: nn.Module | None = None) -> Self:
        """The learner of a network for text of this spec, which begins after a line's end where it has any.

        Raises UsageError for data that is no text.
        """
        if spec.task != "language":
            raise UsageError(
                f"a language model reads text, and this data is a {spec.modality}: say text:PATH"
            )
        if network is None:
            raise UsageError("a language model needs a network that reads text, such as gpt or lstm")
        return cls(network, spec.shape[0], spec.classes.index("\n") if "\n" in spec.classes else 0)

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The mean cross entropy over all characters, in nats."""
        return F.cross_entropy(self.network(batch[0]).flatten(0, 1), batch[1].flatten())

    def trials(self, part: "Part", seed: int) -> Iterator[Batch]:
        """Windows in order, as many at a time as hold some ten thousand characters."""
        return batches(part.tensors(), max(1, TRIAL // self.context))

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per window: bits per character, the loss in nats, and the share of characters that is right."""
        logits = self.network(batch[0])
        loss = F.cross_entropy(logits.mT, batch[1], reduction="none").mean(1)
        right = (logits.argmax(2) == batch[1]).to(loss.dtype).mean(1)
        return {"bits_per_character": loss / math.log(2), "loss": loss, "accuracy": right}

    def sample(self, count: int) -> Tensor:
        """New windows (count, context) of ids, drawn from the model as it is."""
        prompt = torch.full((count, 1), self.start, device=next(self.parameters()).device)
        return torch.stack(list(self._continued(prompt, self.context)), 1)

    def stream(
        self,
        prompt: Tensor | Sequence[int],
        length: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Iterator[int]:
        """`length` ids that go on from a prompt of ids (t,), one by one; an empty prompt is a beginning.

        Logits are divided by `temperature` (0 takes the likeliest) and all but the `top_k` largest left out.
        Noise is drawn on the CPU, from `generator` or the default one. The model must be in evaluation mode.
        Raises UsageError for a temperature below 0 or a top_k below 1.
        """
        if not 0 <= temperature < math.inf:
            raise UsageError(f"temperature={temperature} must be a number from 0 (the likeliest) upwards")
        if top_k is not None and top_k < 1:
            raise UsageError(f"top_k={top_k} must be at least 1, or left out for all characters")
        ids = torch.as_tensor(prompt, dtype=torch.long).reshape(1, -1)
        if not ids.numel():
            ids = torch.full((1, 1), self.start)
        ids = ids.to(next(self.parameters()).device)
        chosen = self._continued(ids, length, temperature, top_k, generator, torch.device("cpu"))
        return (int(one) for one in chosen)

    @torch.no_grad()
    def _continued(
        self,
        ids: Tensor,
        length: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | None = None,
    ) -> Iterator[Tensor]:  # (b, t) -> (b,), `length` times
        read: Any = getattr(self.network, "read", None)
        state, new = None, ids
        for _ in range(length):
            if read:
                logits, state = read(new, state)
            else:
                logits = self.network(ids[:, -self.context :])
            chosen = pick(logits[:, -1].to(device or ids.device), temperature, top_k, generator)
            new = chosen.to(ids.device)[:, None]
            if not read:
                ids = torch.cat([ids, new], 1)
            yield chosen


def pick(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, noise: torch.Generator | None = None
) -> Tensor:  # (b, k) -> (b,)
    """Draw classes from softmax(logits / temperature) among the `top_k` likeliest; 0 takes the likeliest."""
    if temperature == 0:
        return logits.argmax(1)
    if top_k is not None and top_k < logits.shape[1]:
        values, places = logits.topk(top_k)
        return places.gather(1, pick(values, temperature, noise=noise)[:, None])[:, 0]
    shifted = (logits - logits.amax(1, keepdim=True)) / temperature
    return torch.multinomial(shifted.softmax(1), 1, generator=noise)[:, 0]
