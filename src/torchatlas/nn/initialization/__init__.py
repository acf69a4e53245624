"""Initialisation: what weights are before the first step."""

from .fixed import constant_ as constant_, identity_ as identity_, zero_hadamard_ as zero_hadamard_
from .mimetic import mimetic_ as mimetic_
from .sparse import sparse_ as sparse_
