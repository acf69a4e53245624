"""The C library's heap, told to keep what training frees: the next step asks for the same memory again."""

import ctypes
import sys
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # glibc's numbers of these settings
LARGEST = (2**30, 2**25)  # bytes; older versions refuse the first


@cache
def keep_freed() -> bool:
    """Have this process keep the memory that it frees, from now on; whether the C library can.

    glibc gives large blocks back to the system when they are freed, and pays for each of their pages when it
    asks for new ones. Where convolutions are trained on a CPU that is some percent of every step. The most
    memory that is held at a time stays the same; it is given back when the process ends.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    return all(
        any(mallopt(setting, size) for size in LARGEST) for setting in (TRIM_THRESHOLD, MMAP_THRESHOLD)
    )
