"""Pairs of losses for GANs: objects with `critic(real_logits, fake_logits)` and `generator(fake_logits)`."""

from .minimax import Minimax as Minimax, NonSaturating as NonSaturating
