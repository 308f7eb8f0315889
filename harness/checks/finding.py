"""A finding, and how it names the step that it speaks of."""

from harness.rundir.result import Check, Level
from harness.rundir.results import Step

UNBUFFERED = "nginx: `proxy_buffering off`, or the header `X-Accel-Buffering: no`; HAProxy: `option http-no-delay`"


def check(code: str, level: Level, message: str, hint: str | None = None) -> Check:
    """One finding."""
    return Check(code=code, level=level, message=message, hint=hint)


def longer(step: Step, how: str = "") -> str:
    """The way to a longer window, `how` much where that is known: a round of tasks is as long as they take."""
    return f"make step_s longer{how}" if step.round is None else "ask more tasks"


def at(step: Step) -> str:
    """The load of a step, as its findings begin: `at 4 users`."""
    return f"at {step.load.words}"
