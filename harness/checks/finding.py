"""A finding, and how it names the step that it speaks of."""

from harness.rundir.result import Check, Level
from harness.rundir.results import Step

UNBUFFERED = "nginx: `proxy_buffering off`, or the header `X-Accel-Buffering: no`; HAProxy: `option http-no-delay`"


def check(code: str, level: Level, message: str, hint: str | None = None) -> Check:
    """One finding."""
    return Check(code=code, level=level, message=message, hint=hint)


def at(step: Step) -> str:
    """The load of a step, as its findings begin: `at 4 users`."""
    return f"at {step.load.words}"
