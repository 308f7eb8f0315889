"""Runs a search: one probe after another on the load processes, each cut early where it is lost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.load.conduct.conductor import Conductor
from harness.load.conduct.crew import Crew
from harness.load.protocol import CutStep, Doing, Drop, Finish, RunSteps
from harness.load.search.giving_up import LATE_S, Tally, cannot_pass, most_to_come
from harness.load.search.next_probe import Next, Probe, Stop, bounds, bracket, next_probe, samples_needed, saved
from harness.metrics.saturation import SETTLED, is_growing
from harness.rundir.files import write_json
from harness.rundir.recorder import NewRows
from harness.rundir.results import Step as StepFigures
from harness.scenario import Scenario, SearchLoad
from harness.scenario.steps import Step, even_step

SEARCH = "search.json"
START_S = 0.05  # from telling the processes to the probe's start
# what is under way after a probe gets min(timeout_s, this), as after the last step of a ladder
DRAIN_S = 30.0
CUT_S = 10.0  # for the processes to write down what was cut

Judge = Callable[[Mapping[str, Any], list[dict[str, Any]]], StepFigures]
"""From a finished step (its row of steps.jsonl) and the records that ended in it to a step of metrics.json."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a search goes by, besides its scenario."""

    judge: Judge
    needed_goodput: Mapping[str, float | None] = field(default_factory=dict)
    """Requests per second at which the box pays, by arm (None: at none): the search ends when all are decided."""
    usd_per_hour: float | None = None  # of the box, to say what the search has saved


class Searcher:
    """One search; `run` returns when the answer is known."""

    def __init__(self, crew: Crew, conductor: Conductor, scenario: Scenario, aim: Aim) -> None:
        assert isinstance(scenario.load, SearchLoad)
        self._crew = crew
        self._conductor = conductor
        self._search = scenario.load
        self._scenario = scenario
        self._aim = aim
        self._limits = scenario.slo.limits()
        self._unloaded_s: float | None = None  # a request's time at the smallest load: tells a queue
        self._new_rows = NewRows(Path(crew.plan.run_dir))
        self._rows: list[dict[str, Any]] = []  # that came since the probe began
        self.history: list[Probe] = []
        self.ending: Stop | None = None  # None while it goes on

    def run(self) -> None:
        """Probe until the next move is to stop; search.json is there after every probe, `ending` at the end."""
        while not self._crew.is_over:
            move = next_probe(self._search, self._limits, self.history, self._aim.needed_goodput)
            if isinstance(move, Stop):
                self._write(move)
                self.ending = Stop(move.reason, move.text + self._savings())
                self._crew.on_event(Doing(f"search ended: {self.ending.text}"))
                break
            self.history.append(self._probe(len(self.history), move))
            self._write(None)
        self._crew.tell(Finish())

    def _probe(self, number: int, move: Next) -> Probe:
        crew, search = self._crew, self._search
        step = even_step(number, search.over, move.load, move.length_s, search)
        start_s = crew.now_s() + START_S + self._crew.lead_s
        crew.tell(RunSteps([step], start_s))
        row = self._conductor.begin_step(step, start_s)
        self._look_at_rows()
        self._rows.clear()  # they ended before
        dropped, tally = crew.not_sent, Tally()
        crew.wait(
            start_s + step.length_s,
            until=lambda: self._is_saturated(step, row, dropped) or self._is_lost(step, row, tally),
        )
        end_s = min(start_s + step.length_s, crew.now_s())
        was_cut = end_s < start_s + step.length_s and not crew.is_over
        why = "given_up" if step.users is not None else "over_saturated"
        row |= self._conductor.end_step(end_s, **({why: True} if was_cut else {}))
        self._settle(step, was_cut=was_cut)
        return self._judged(row, move, end_s - start_s)

    def _is_saturated(self, step: Step, row: Mapping[str, Any], dropped: int) -> bool:
        """Whether a probe by rate can be given up: arrivals are dropped, or ever more are in flight."""
        crew, begin_s = self._crew, row["window_start_s"]
        elapsed_s = crew.now_s() - begin_s
        if step.rate is None or elapsed_s <= 0:
            return False
        if crew.not_sent > dropped:
            return True
        if self._unloaded_s is None or elapsed_s < SETTLED * self._unloaded_s:
            return False
        samples = [in_flight for t_s, in_flight in crew.in_flight_log if t_s >= begin_s]
        return is_growing(samples, step.rate[0] * elapsed_s)

    def _is_lost(self, step: Step, row: Mapping[str, Any], tally: Tally) -> bool:
        """Whether a probe by users can be given up: it cannot pass any more.

        Not where a decision is sought: there the throughput of a load that fails bounds the goodput from above.
        """
        if step.users is None or self._aim.needed_goodput:
            return False
        for record in self._look_at_rows():
            if record["step"] == step.step and (record["scheduled_s"] or 0.0) >= row["window_start_s"]:
                tally.add(record)
        live = self._crew.latest
        if live is not None:
            tally.wait(live.waiting, row["window_start_s"])
        left_s = row["start_s"] + step.length_s - self._crew.now_s() + LATE_S
        to_come = most_to_come(tally, step.users[0], left_s, self._unloaded_s)
        return to_come is not None and cannot_pass(tally, to_come, self._limits, self._scenario.slo.error_rate)

    def _look_at_rows(self) -> list[dict[str, Any]]:
        """What has come since the last look; every row is read once."""
        new = list(self._new_rows.take())
        self._rows += new
        return new

    def _settle(self, step: Step, *, was_cut: bool) -> None:
        """Nothing of this probe may be under way in the next."""
        crew = self._crew
        if was_cut:
            why = "it cannot pass any more" if step.users is not None else "the queue grows"
            crew.on_event(Doing(f"{why} at {step.load}: cut"))
            crew.tell(CutStep())
        else:
            drain_s = min(self._scenario.request.timeout_s, DRAIN_S)
            crew.wait(crew.now_s() + drain_s, until=lambda: crew.is_idle)
        if not crew.is_idle:
            crew.tell(Drop())
            crew.wait(crew.now_s() + CUT_S, until=lambda: crew.is_idle)

    def _judged(self, row: Mapping[str, Any], move: Next, seconds: float) -> Probe:
        self._look_at_rows()
        figures = self._aim.judge(row, self._rows)
        if self._unloaded_s is None and figures.slo_met:
            self._unloaded_s = figures.e2e_s.p50
        return Probe(
            load=move.load,
            passed=figures.slo_met,
            length_s=move.length_s,
            seconds=seconds,
            requests=figures.requests,
            requests_per_s=figures.requests_per_s,
            goodput_low=figures.goodput_low,
            over_saturated=bool(figures.over_saturated),
            given_up=figures.given_up,
        )

    def _savings(self) -> str:
        less = saved(self._search, self._limits, self.history, self._aim.usd_per_hour)
        if less["seconds"] is None or less["seconds"] <= 0:
            return ""
        usd = "" if less["usd"] is None else f", USD {less['usd']:.2f}"
        return f" (saved {less['requests']:,.0f} requests, {less['seconds']:.0f} s{usd} against the fixed ladder)"

    def _write(self, stop: Stop | None) -> None:
        write_json(Path(self._crew.plan.run_dir), SEARCH, self.result(stop))

    def result(self, stop: Stop | None) -> dict[str, Any]:
        """search.json: every probe, the bracket, the bounds of the goodput, why it ended and what that saved."""
        best, fail = bracket(self.history)
        low, high = bounds(self._search, self.history)
        floor = samples_needed(self._limits)
        return {
            "schema": 1,
            "over": self._search.over,
            "probes": [asdict(p) | {"too_short": p.requests < floor} for p in self.history],
            "samples_needed": floor,
            "bracket": {"passes": best, "fails": fail},
            "goodput_bounds": {"low": low, "high": high if high != float("inf") else None},
            "needed_goodput_requests_per_s": dict(self._aim.needed_goodput) or None,
            "stop": asdict(stop) if stop is not None else None,
            "saved": saved(self._search, self._limits, self.history, self._aim.usd_per_hour),
            "saved_against": _ladder_words(self._search, self.history),
        }


def _ladder_words(search: SearchLoad, history: Sequence[Probe]) -> str:
    unit = "users" if search.over == "users" else "requests/s"
    tried = len({p.load for p in history})
    return f"a ladder that doubles from {search.low:g} to {search.high:g} {unit}; {tried} loads were tried"
