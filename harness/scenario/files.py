"""The files that a scenario names, so that it can be taken elsewhere with them."""

from harness.scenario import Scenario
from harness.scenario.load import TraceLoad
from harness.scenario.prompts import FilePrompts
from harness.scenario.tasks import TaskPrompts


def files_of(scenario: Scenario) -> tuple[str, ...]:
    """As it names them, relative to itself; a set of tasks that ships is none."""
    load, prompts = scenario.load, scenario.prompts
    named = [load.file] if isinstance(load, TraceLoad) else []
    if isinstance(prompts, FilePrompts):
        named.append(prompts.path)
    if isinstance(prompts, TaskPrompts) and ("." in prompts.file or "/" in prompts.file):
        named.append(prompts.file)
    return tuple(dict.fromkeys(named))
