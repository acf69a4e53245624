"""Activations: what makes a stack of linear maps more than one linear map."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .acon import ACON as ACON, MetaACON as MetaACON, SwishBeta as SwishBeta
    from .apl import APL as APL
    from .dynamic_relu import DynamicReLU as DynamicReLU
    from .dynamic_shift_max import DynamicShiftMax as DynamicShiftMax
    from .elish import ELiSH as ELiSH, HardELiSH as HardELiSH
    from .frelu import FReLU as FReLU
    from .gated import GEGLU as GEGLU, ReGLU as ReGLU, SwiGLU as SwiGLU
    from .isru import ISRLU as ISRLU, ISRU as ISRU
    from .maxout import Maxout as Maxout, MaxoutConv2d as MaxoutConv2d
    from .opau import OPAU as OPAU
    from .pau import PAU as PAU
    from .pwlu import PWLU as PWLU
    from .sau import SAU as SAU
    from .smu import SMU as SMU, SMU1 as SMU1
    from .squareplus import Squareplus as Squareplus
    from .step import Step as Step
else:
    __getattr__, __dir__ = exports(__name__, __file__)
