"""Runs a search: one probe after another on the load processes, each cut early where it is lost."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.load.conduct.conductor import Conductor
from harness.load.conduct.crew import Crew
from harness.load.conduct.standing import Standing
from harness.load.protocol import Doing, Finish
from harness.load.search.lengths import samples_needed
from harness.load.search.next_probe import bounds, next_probe
from harness.load.search.probes import Next, Probe, Stop, bracket, load_row, probe_of, standings
from harness.load.search.saved import ladder_words, saved, saved_words
from harness.load.search.words import count_words, lost_words
from harness.rundir.files import write_json
from harness.rundir.results import Step as StepFigures
from harness.rundir.search import SEARCH, Bounds, Bracket, ProbeOfSearch, Search, StopOfSearch
from harness.scenario import Scenario, SearchLoad
from harness.scenario.steps import even_step

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
        self.history: list[Probe] = []
        self.ending: Stop | None = None  # None while it goes on

    def run(self) -> None:
        """Probe until the next move is to stop; search.json is there after every probe, `ending` at the end."""
        while not self._crew.is_over:
            move = next_probe(self._search, self._limits, self.history, self._aim.needed_goodput)
            if isinstance(move, Stop):
                self._write(move)
                self.ending = replace(move, text=move.text + self._savings())
                self._crew.on_event(Doing(f"search ended: {self.ending.text}"))
                break
            self.history.append(self._probe(len(self.history), move))
            self._write(None)
        self._crew.tell(Finish())

    def _probe(self, number: int, move: Next) -> Probe:
        search, conductor = self._search, self._conductor
        step = even_step(number, search.over, move.load, move.length_s, search)
        begin_s = self._crew.now_s()
        row = conductor.run_steps([step], self._is_lost)
        seconds = self._crew.now_s() - begin_s
        if row.get("given_up") or row.get("over_saturated"):
            self._crew.on_event(Doing(lost_words(search, move.load, seconds)))
        return self._judged(row, move, seconds)

    def _is_lost(self, on: Standing) -> bool:
        """Whether a probe can be given up.

        Not for its latencies where a decision is sought: there the throughput of users that fail bounds the goodput
        from above.
        """
        if self._search.over == "requests_per_s":
            return on.drops or on.is_saturated()
        return not self._aim.needed_goodput and on.cannot_pass()

    def _judged(self, row: Mapping[str, Any], move: Next, seconds: float) -> Probe:
        self._conductor.standing.look()
        figures = self._aim.judge(row, self._conductor.standing.rows)
        return probe_of(move, seconds, figures, self._scenario.slo.error_rate)

    def _savings(self) -> str:
        less = saved(self._search, self._limits, self.history, self._aim.usd_per_hour)
        return saved_words(self._search, self.history, less)

    def _write(self, stop: Stop | None) -> None:
        write_json(Path(self._crew.plan.run_dir), SEARCH, self.result(stop).to_dict())

    def result(self, stop: Stop | None) -> Search:
        """Every probe, the bracket, the bounds of the goodput, why it ended and what that saved."""
        loads = standings(self.history)
        best, fail = bracket(loads)
        low, high = bounds(self._search, self.history)
        floor = samples_needed(self._limits)
        return Search(
            over=self._search.over,
            probes=tuple(ProbeOfSearch(**asdict(p), too_short=p.requests < floor) for p in self.history),
            loads=tuple(load_row(one) for one in loads),
            samples_needed=floor,
            bracket=Bracket(passes=None if best is None else best.load, fails=None if fail is None else fail.load),
            goodput_bounds=Bounds(low=low, high=high if math.isfinite(high) else None),
            needed_goodput_requests_per_s=dict(self._aim.needed_goodput) or None,
            stop=None if stop is None else StopOfSearch(**asdict(stop)),
            saved=saved(self._search, self._limits, self.history, self._aim.usd_per_hour),
            saved_against=f"{ladder_words(self._search)}; {count_words(self.history)}",
        )
