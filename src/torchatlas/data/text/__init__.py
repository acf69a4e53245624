"""Text: files as streams of characters, and the vocabulary that a language model reads them by."""

from .encoder import TextEncoder as TextEncoder
from .reading import codes_of as codes_of, open_text as open_text, text_of as text_of
