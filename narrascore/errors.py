"""What can go wrong for a user, and the exit code each case has on the command line."""


class NarraScoreError(Exception):
    """Anything a user can cause or mend. The message is one line: what, why, what to do."""

    exit_code = 1


class UsageError(NarraScoreError):
    """Flags, keys or values that do not make sense together."""

    exit_code = 2


class InputError(NarraScoreError):
    """An input, an output or a disk that cannot be used."""

    exit_code = 3


class ModelUnavailableError(NarraScoreError):
    """Weights that are not at hand, or whose licence was refused."""

    exit_code = 4


class InterruptedJobError(NarraScoreError):
    """Stopped on the way; the same command goes on where it stopped."""

    exit_code = 5


class SomeFilmsFailedError(NarraScoreError):
    """Several films were asked for and some could not be scored."""

    exit_code = 6
