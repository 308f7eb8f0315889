"""The demand that a run is priced for: what somebody gave, else the run's own requests; one rule for every run."""

from pathlib import Path

import numpy as np
import pandas as pd

from harness.base.errors import UsageError
from harness.base.people import PeopleSaid
from harness.base.yamlfile import validate
from harness.demand.demand import Demand, demand_from_dict, load_demand
from harness.demand.own import own_demand
from harness.rundir.manifest import RunManifest
from harness.rundir.read import read_records
from harness.rundir.results import Metrics
from harness.scenario import Scenario, SessionPrompts, SyntheticPrompts, TaskPrompts, TraceLoad
from harness.scenario.prompts import mean_tokens

NO_DEMAND = Path("none")  # `--demand none`: as if nobody had given one
Lengths = tuple[str, float, float]  # request or task; its mean input and output tokens


def is_given(demand_file: Path | None) -> bool:
    """Whether a demand is named."""
    return demand_file is not None and demand_file != NO_DEMAND


def refuse_beside(people: PeopleSaid | None, given: str) -> None:
    """People are said of a run without a demand: one that is given is taken as it is.

    Raises:
        UsageError: both are.
    """
    if people is not None:
        raise UsageError(
            f"--people and --fte-usd-per-year go with no demand, and {given}",
            hint="its `items` say who operates the box; or `--demand none`",
        )


def choose_demand(
    run_dir: Path, manifest: RunManifest, metrics: Metrics, demand_file: Path | None, people: PeopleSaid | None
) -> Demand | None:
    """The demand to price: the one given, the run's own, else the requests that the run was made of, with no volume.

    What a person takes who takes over a failed task is the scenario's where the demand does not say. None: nobody gave
    one, and nothing says how long the run's requests were.

    Raises:
        UsageError: a demand that cannot be used; people beside one.
    """
    scenario = validate(Scenario, manifest.scenario, where="run.json")
    demand = _given(run_dir, manifest, demand_file, people)
    if demand is None:
        said = people.over(manifest.people) if people is not None else manifest.people
        lengths = _lengths(run_dir, metrics) or (_planned(scenario) if manifest.imported is None else None)
        demand = None if lengths is None else own_demand(scenario.name, *lengths, said)
    prompts = scenario.prompts
    human_usd = prompts.human_usd_per_task if isinstance(prompts, TaskPrompts) else None
    if demand is None or demand.human_usd_per_task is not None or human_usd is None:
        return demand
    return demand.model_copy(update={"human_usd_per_task": human_usd})


def _given(run_dir: Path, manifest: RunManifest, demand_file: Path | None, people: PeopleSaid | None) -> Demand | None:
    if demand_file == NO_DEMAND:
        return None
    if demand_file is not None:
        refuse_beside(people, f"--demand {demand_file} is one")
        return load_demand(demand_file)
    if manifest.demand is None:
        return None
    demand = demand_from_dict(manifest.demand, where="run.json: demand")
    refuse_beside(people, f"{run_dir} was given {demand.name}")
    return demand


def _lengths(run_dir: Path, metrics: Metrics) -> Lengths | None:
    """What is asked, and its mean tokens: as they were measured, else as they were asked for, as a failed run's are."""
    tasks, step = metrics.tasks, metrics.decisive
    if tasks is not None and tasks.first_input_tokens and tasks.first_output_tokens:
        return "task", tasks.first_input_tokens, tasks.first_output_tokens
    measured = (None, None) if step is None else (step.mean_input_tokens, step.mean_output_tokens)
    return _whole(*measured) or _whole(*_asked(run_dir))


def _whole(input_tokens: float | None, output_tokens: float | None) -> Lengths | None:
    return None if input_tokens is None or output_tokens is None else ("request", input_tokens, output_tokens)


def _asked(run_dir: Path) -> tuple[float | None, float | None]:
    """What the mean request was sent as, answered or not."""
    records = read_records(run_dir)
    return _mean(records["prompt_tokens"]), _mean(records["requested_output_tokens"])


def _planned(scenario: Scenario) -> Lengths | None:
    """What the scenario itself says of their lengths: not where a file or a log does."""
    match scenario.load, scenario.prompts:
        case TraceLoad(), _:
            return None
        case _, SyntheticPrompts(input_tokens=given, output_tokens=output):
            return "request", mean_tokens(given), mean_tokens(output)
        case _, SessionPrompts(mean_input_tokens=mean, output_tokens=output):
            return "request", mean, mean_tokens(output)
    return None


def _mean(column: "pd.Series[float]") -> float | None:
    known = column.dropna().to_numpy(dtype=float)
    return float(np.mean(known)) if known.size else None
