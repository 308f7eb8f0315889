"""What came of a run's tasks: solved or not, with how many attempts and tokens, in what time."""

from __future__ import annotations

from collections.abc import Iterator

from harness.base.rounding import NA, significant, whole
from harness.report.measured.steps import percentile_cell
from harness.report.model import Block, Cell, Table, Text, table_of, words_table
from harness.report.text import clean, count, duration, percent
from harness.rundir.of_tasks import RoundOfTasks, ShareOf, TasksOfRun
from harness.rundir.results import step_number

WIDE = 0.1  # an interval wider than ± this tells only large differences


def task_blocks(tasks: TasksOfRun | None, max_attempts: int) -> tuple[Block, ...]:
    """What was measured of the tasks; nothing where there were none. `max_attempts`: what the policy allows."""
    if tasks is None:
        return ()
    arithmetic = _arithmetic(tasks, max_attempts)
    beside = () if arithmetic is None else (arithmetic,)
    return (_summary(tasks), _facts(tasks), rounds_table(tasks), *beside, *_failures(tasks))


def share_words(share: ShareOf) -> str:
    """`61.7 % (49 to 73 %)`."""
    if share.rate is None:
        return NA
    return f"{percent(share.rate)} ({percent(share.low)} to {percent(share.high)})"


def solved_words(tasks: TasksOfRun) -> str:
    """`37 of 60 tasks solved, 61.7 % (49 to 73 %)`, and how many nobody could judge."""
    said = f"{whole(tasks.solved)} of {count(tasks.judged, 'task')} solved, {share_words(tasks.success)}"
    unknown = f"; {count(tasks.not_judged, 'task')} not judged, which may be either" if tasks.not_judged else ""
    return (said if tasks.judged else "no task was judged") + unknown


def _summary(tasks: TasksOfRun) -> Text:
    return Text(f"{solved_words(tasks)}. {_what_it_tells(tasks.success)}", "warn" if tasks.not_judged else "")


def _what_it_tells(share: ShareOf) -> str:
    if share.low is None or share.high is None:
        return "Nothing can be told of a success rate."
    half = (share.high - share.low) / 2
    said = f"The interval is Wilson's at 95 %, about ±{percent(half)} of the tasks"
    if half > WIDE:
        return f"{said}: so few tasks tell only models apart that differ by more; ask more of them."
    return f"{said}: the same tasks asked of another model tell smaller differences, task by task."


def _facts(tasks: TasksOfRun) -> Table:
    latency = tasks.latency_s
    rows: list[tuple[str, Cell | str]] = [
        ("success, after the last attempt", _share_cell(tasks.success, tasks.judged)),
        ("solved by their first attempt", _share_cell(tasks.first_attempt)),
        ("attempts a task", significant(tasks.attempts_per_task)),
        ("input tokens a task", _with_cached(tasks)),
        ("output tokens a task", significant(tasks.output_tokens_per_task)),
        ("time a task, p50", percentile_cell(latency, "p50", duration)),
        ("time a task, p95", percentile_cell(latency, "p95", duration)),
    ]
    if tasks.escalated is not None:
        elsewhere = tasks.escalated
        to = f" to {clean(elsewhere.api)}" if elsewhere.api else ""
        rows.insert(1, ("success without the escalation", _share_cell(tasks.own_success, tasks.judged)))
        rows.append((f"escalated{to}", f"{count(elsewhere.tasks, 'task')}, {whole(elsewhere.solved)} solved there"))
    if tasks.judging is not None:
        who = f" by {clean(tasks.judging.api)}" if tasks.judging.api else ""
        tokens = f"{significant(tasks.judging.input_tokens)} in / {significant(tasks.judging.output_tokens)} out tokens"
        rows.append((f"requests to judge{who}", Cell(whole(tasks.judging.requests), note=tokens)))
    if tasks.repaired:
        rows.append(("solved once the answer was repaired", whole(tasks.repaired)))
    if tasks.constrained != "none":
        rows.append(("answers constrained by", tasks.constrained.replace("_", " ")))
    caption = f"The tasks: {whole(tasks.n)} asked, all attempts together; times are sums over a task's attempts"
    return words_table(caption, ("what", "measured"), rows)


def _share_cell(share: ShareOf, n: int | None = None) -> Cell:
    if share.rate is None:
        return Cell(NA, note="none was judged", tone="muted")
    of = "" if n is None else f", of {whole(n)} judged"
    return Cell(percent(share.rate), note=f"{percent(share.low)} to {percent(share.high)} at 95 %{of}")


def _with_cached(tasks: TasksOfRun) -> Cell:
    cached = tasks.cached_tokens_per_task
    return Cell(significant(tasks.input_tokens_per_task), note="" if not cached else f"{significant(cached)} cached")


def rounds_table(tasks: TasksOfRun) -> Table:
    """One row a round: who was asked, and what came of it."""
    has_gap = any(one.not_asked for one in tasks.rounds)
    return table_of(
        "Round by round: every task once, then those that failed",
        tasks.rounds,
        ("round", "", lambda row: str(row.round)),
        ("what", None, lambda row: "escalation" if row.role == "escalation" else "attempts"),
        ("step", "", lambda row: str(step_number(row.step))),
        ("asked", "tasks", lambda row: whole(row.asked)),
        ("solved", "tasks", lambda row: whole(row.solved)),
        ("of those asked", "", _solved_share),
        ("not judged", "tasks", lambda row: Cell(whole(row.not_judged), tone="warn" if row.not_judged else "")),
        *((("not asked any more", "tasks", lambda row: whole(row.not_asked)),) if has_gap else ()),
        notes=("Goodput and latency limits are of round 1 alone; later rounds ask few, and are not judged by them.",),
    )


def _solved_share(row: RoundOfTasks) -> str:
    judged = row.asked - row.not_judged
    return percent(row.solved / judged) if judged else NA


def _arithmetic(tasks: TasksOfRun, max_attempts: int) -> Table | None:
    """What retries would come to if every attempt failed alike, beside what they came to."""
    first = tasks.first_attempt.rate
    if first is None or tasks.own_success.rate is None or tasks.attempts_per_task is None:
        return None
    failing = 1 - first
    solved = 1 - failing**max_attempts
    attempts = solved / first if first > 0 else float(max_attempts)
    per_solved = tasks.attempts_per_task / tasks.own_success.rate if tasks.own_success.rate > 0 else None
    rows = [
        ("attempts that fail", percent(failing), percent(failing)),
        ("attempts a task", significant(attempts), significant(tasks.attempts_per_task)),
        ("tasks solved", percent(solved), percent(tasks.own_success.rate)),
        ("attempts a solved task", significant(1 / first) if first > 0 else NA, significant(per_solved)),
    ]
    return words_table(
        f"Retry arithmetic beside what was measured, at most {count(max_attempts, 'attempt')}",
        ("what", "if all fail like the first", "measured"),
        rows,
    )


def _failures(tasks: TasksOfRun) -> Iterator[Block]:
    failed = tasks.failed_attempts
    if not failed.attempts:
        return
    later = failed.attempts - failed.never_solved
    share = _of_all(failed.output_tokens, tasks.output_tokens_per_task, tasks.n)
    yield Text(
        f"{count(failed.attempts, 'attempt')} failed and took {significant(failed.input_tokens)} input and "
        f"{significant(failed.output_tokens)} output tokens{share}: {whole(later)} at tasks that were solved later, "
        f"{whole(failed.never_solved)} at tasks that nothing solved."
    )
    yield table_of(
        "Why attempts failed, commonest first",
        failed.reasons.items(),
        ("reason", None, lambda row: clean(row[0])),
        ("attempts", "", lambda row: whole(row[1])),
        ("of the failed", "", lambda row: percent(row[1] / failed.attempts)),
    )


def _of_all(tokens: float | None, per_task: float | None, n: int) -> str:
    if tokens is None or not per_task:
        return ""
    return f" ({percent(tokens / (per_task * n))} of all output)"
