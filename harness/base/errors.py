"""Every error a user can meet, and the exit code it ends with.

BreakevenError            1   could not be done
├── UsageError            2   bad input: what, value, where, hint
├── EndpointError         1   nobody usable at the URL
│   └── RefusedError      3   it answers, and refuses every request
└── EngineError           1   an engine did not come up, or went away
"""

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_DO_NOT_TRUST = 3
EXIT_INTERRUPTED = 130


class BreakevenError(Exception):
    """Something could not be done; `str(error)` is one line, `hint` says the way out."""

    exit_code = EXIT_FAILED

    def __init__(self, message: str, *, hint: str | None = None, detail: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.detail = detail  # several lines, e.g. the end of an engine's log; shown above the hint


class UsageError(BreakevenError):
    """Bad input. The message names the file and key, the value, and what is wrong with it."""

    exit_code = EXIT_USAGE


class EndpointError(BreakevenError):
    """Nobody listens at the URL, or what answers cannot be driven."""


class RefusedError(EndpointError):
    """The endpoint answers, but refuses every request; the run is written down nevertheless."""

    exit_code = EXIT_DO_NOT_TRUST


class EngineError(BreakevenError):
    """An engine is not installed, did not come up, or died."""
