"""Text: files as streams of characters, and the vocabulary that a language model reads them by."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .encoder import TextEncoder as TextEncoder
    from .reading import codes_of as codes_of, open_text as open_text, text_of as text_of
else:
    __getattr__, __dir__ = exports(__name__, __file__)
