"""What a measurement is asked for, and what comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.base.errors import BreakevenError
from harness.base.people import PeopleSaid
from harness.engines.gpus.layout import Asked
from harness.load.spending.purse import Spending
from harness.rundir.box import BoxFacts
from harness.rundir.driven import Driven
from harness.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run that is paid for by the token may spend, and what run.json says of it."""

    spending: Spending
    driven: Driven
    model: str  # the arm's own


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to measure, on what, and what to price it as."""

    scenario: Scenario
    base_dir: Path
    backend: str | None  # the dialect; None: that of whoever answers
    out_dir: Path
    urls: Sequence[str] = ()
    engine: str | None = None  # started by us when there is no URL
    gpus: Asked = field(default_factory=Asked)  # what that engine is given of them
    model: str | None = None
    weights: str | None = None  # that the user says are behind the name
    quantization: str | None = None
    instance: Mapping[str, Any] = field(default_factory=dict)  # id, purchase, usd_per_hour, replicas
    box_gpus: int | None = None  # that such an instance has; None: nobody lists it
    box_facts: BoxFacts | None = None  # what a rented one says of itself
    arms: Sequence[str] = ()
    demand: Mapping[str, Any] | None = None
    people: PeopleSaid | None = None  # of a run without one
    headers: Mapping[str, str] = field(default_factory=dict)
    api_key_env: str | None = None
    ca_file: str | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget | None = None  # of an API that is paid for by the token
    keep_arrivals: bool = False
    gpu_urls: Sequence[str] = ()  # DCGM-exporter's
    workers: int = 1  # load processes in all
    remote_workers: int = 0  # so many of them on other machines
    listen: str = ""  # HOST:PORT where those connect to
    token: str = field(default="", repr=False)  # that they share with the run; "": none was given, one is made
    usd_per_hour: float | None = None  # of the box, to say what a search has saved
    needed_goodput: Mapping[str, float | None] = field(default_factory=dict)
    """Requests per second at which the box pays, by arm (None: at none): a search stops when all are decided."""
    salt: str | None = None  # of the run whose prompts are sent again; None: a fresh one
    prompts_of: str | None = None  # that run's directory
    preflight: bool = False  # one request to each URL before the load, as the command line asks for
    notes: Sequence[str] = ()
    with_functions: bool = False  # functions that check tasks may be called: the user named the scenario's file


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement that left a run directory."""

    run_dir: Path
    interrupted: bool
    failure: BreakevenError | None = None  # what ended it early, after rows had been written
