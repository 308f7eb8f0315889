"""The run over time, as metrics.json keeps it. Times are seconds since the run began."""

from harness.rundir.result import Result


class Stall(Result):
    """No token from anyone, though answers were under way: for how long, and between which two seconds that was."""

    step: int
    start_s: float
    end_s: float
    length_s: float  # less than from start to end where the run kept no arrivals and few requests ended
    in_flight: int


class Timeline(Result):
    """The run over time, in bins of one width; only the last is up to half a width longer or shorter."""

    start_s: float
    bin_s: float
    end_s: float
    output_tokens_per_s: tuple[float, ...]
    in_flight: tuple[float, ...]  # on average over the bin
    failed: tuple[int, ...]
    stalls: tuple[Stall, ...] = ()
