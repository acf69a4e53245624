"""Text from a run's language model, character by character."""

import warnings
from collections.abc import Iterator

from ...data.text import TextEncoder
from ...engine.errors import UsageError
from ...engine.randomness import generator
from ...generative.autoregressive.language_model import LanguageModel
from .run import Run


def stream_text(
    run: Run,
    prompt: str = "",
    length: int = 500,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
) -> Iterator[str]:
    """`length` characters that go on from a prompt, one by one as they are drawn; the prompt is not repeated.

    An empty prompt is the beginning of a line. Characters of the prompt that the training text did not show
    are warned of; the model reads each as the unknown one. Raises UsageError where the run reads no text.
    """
    model, encoder = run.model, run.preparation.encoder
    if not isinstance(model, LanguageModel) or not isinstance(encoder, TextEncoder):
        raise UsageError(f"{run.recipe.method} on {run.recipe.data} writes no text; gpt and lstm on text do")
    if length < 0:
        raise UsageError(f"length={length} must be a number of characters")
    unknown = sorted(set(prompt) - set(encoder.vocabulary))
    if unknown:
        said = ", ".join(repr(one) for one in unknown)
        warnings.warn(f"the training text has no {said}: read as unknown characters", stacklevel=2)
    model.eval()
    noise = generator(seed, "text")
    ids = model.stream(encoder.ids(prompt), length, temperature, top_k, noise)
    return (encoder.vocabulary[one] for one in ids)
