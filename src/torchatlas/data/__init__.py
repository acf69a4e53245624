"""Data: opened from names, files, frames and arrays; checked, split and prepared for learners."""

from .augmented import Augmented as Augmented
from .checks import check as check, check_split as check_split, row_hashes as row_hashes
from .episodes import Episodes as Episodes
from .files import Files as Files
from .long_tailed import long_tail_profile as long_tail_profile, long_tail_rows as long_tail_rows
from .named import NAMED as NAMED
from .preparation import Preparation as Preparation
from .prepared import Prepared as Prepared, held as held, prepare as prepare, refuse as refuse
from .resident import Resident as Resident
from .sources import open_dataset as open_dataset
from .spec import (
    Dataset as Dataset,
    Finding as Finding,
    Modality as Modality,
    Part as Part,
    Spec as Spec,
    Task as Task,
)
from .splits import Split as Split, split as split
from .streamed import Streamed as Streamed, source_of as source_of
from .streams import Streams as Streams
from .targets import TargetCoder as TargetCoder
