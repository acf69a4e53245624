"""What can go wrong, in words that name the cure. The command line prints these without a traceback."""


class AtlasError(Exception):
    """Something the user can mend; the message says what and how."""

    told = False  # by another process already, which had it first


class UsageError(AtlasError):
    """Wrong words: an unknown option, a value of the wrong type. The command line exits with 2."""


class DataError(AtlasError):
    """Data that cannot be read or learned from; names the file, the row and the cure."""


class NotFinite(AtlasError):
    """A loss or gradient that is not finite; raised before the weights are touched."""


class DamagedCheckpoint(AtlasError):
    """A checkpoint whose bytes are not those that were written."""


class Interrupted(AtlasError):
    """Stopped by Ctrl-C or SIGTERM, at a checkpoint. The command line exits with 130."""


class Deserted(AtlasError):
    """Another process of the run died or fell silent; what was saved is whole."""


class OutOfMemory(AtlasError):
    """A batch that does not fit, and cannot be cut without changing what is learned."""


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory is used up, on the CPU or a device."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool({"MemoryError", "OutOfMemoryError"} & names) or "can't allocate memory" in str(error)
