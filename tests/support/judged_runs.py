"""Task runs as they lie on disk, written by hand: `write_task_run(run_dir, {"a": "+", "b": "-+", "c": "--"})`.

Each task has a word of its attempts, in order: `+` solved, `-` failed, `?` not judged, `!` the request failed (its
timeout of 600 s), `r` solved once repaired, `E` and `e` solved and not solved by the escalation. One user, one request
after the other, each of `seconds`; ten requests of repeats come before round 1.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.rundir import files
from harness.rundir.files import RECORDS, STEPS, part_of
from harness.rundir.judged import Verdict, write_judged
from harness.rundir.records import RequestRecord

_SUCCESS = {"+": True, "r": True, "E": True, "-": False, "e": False, "!": False, "?": None}
_WHY = {"-": "not JSON: line 1", "e": "not JSON: line 1", "!": "the request failed: timeout", "?": "no answer: cut"}
WARM_UP = 10


def manifest_of(**changes: Any) -> dict[str, Any]:
    """run.json of a task run."""
    prompts = {"kind": "tasks", "file": "extraction", "on_failure": ["again", "again"]} | changes.pop("prompts", {})
    scenario = {
        "name": "tasks", "load": {"kind": "closed", "users": [1], "step_s": 30, "warmup_s": 0}, "prompts": prompts,
        "request": {"force_length": False, "api": "chat"}, "slo": {"ttft_p95_s": 2, "tpot_p95_s": 0.2},
    }  # fmt: skip
    return {
        "schema": 1, "scenario": scenario, "scenario_digest": "0", "backend": "vllm",
        "engine": {"name": "vllm", "version": "0.10.1", "flags": None}, "model": "example/Tern-8B",
        "quantization": None, "instance": {}, "seed": 1, "started_at": "2026-11-20T09:14:03+00:00",
        "started_monotonic_ns": 0, "harness_version": "0.1.0", "git_revision": None, "client": {"workers": 1},
    } | changes  # fmt: skip


def rows_and_verdicts(
    plan: Mapping[str, str], seconds: float = 1.0, tokens: tuple[int, int] = (100, 20), more_input: int = 0
) -> tuple[list[dict[str, Any]], list[Verdict], list[dict[str, Any]]]:
    """Rows of records.parquet, verdicts and lines of steps.jsonl; each later attempt has `more_input` tokens more."""
    rows, verdicts, steps, at_s = [], [], [], 0.0

    def ask(step: int, task: str, attempt: int, word: str, *, repeat: bool = False) -> None:
        nonlocal at_s
        request_id = f"{task}-{attempt}{f'-w{len(rows)}' if repeat else ''}"
        is_failure = word == "!"
        rows.append(RequestRecord(
            request_id=request_id, step=step, task=task, attempt=attempt, repeat=repeat, scheduled_s=at_s, sent_s=at_s,
            first_token_s=None if is_failure else at_s + 0.1, finished_s=None if is_failure else at_s + seconds,
            prompt_tokens=tokens[0] + more_input * (attempt - 1), cached_tokens=0,
            output_tokens=None if is_failure else tokens[1], events=tokens[1], token_source="server",
            error="timeout" if is_failure else None, http_status=None if is_failure else 200, process=1,
            finish_reason=None if is_failure else "stop",
        ).to_dict())  # fmt: skip
        if not repeat:
            judge = "json, repaired" if word == "r" else "json"
            verdicts.append(Verdict(request_id, task, attempt, _SUCCESS[word], _WHY.get(word, ""), judge))
        at_s += 600.0 if is_failure else seconds

    for number in range(max(map(len, plan.values()))):
        asked = [(task, words[number]) for task, words in plan.items() if number < len(words)]
        start_s = at_s
        for i in range(WARM_UP if number == 0 else 0):
            ask(number, list(plan)[i % len(plan)], 1, "+", repeat=True)
        begin_s = at_s
        for task, word in asked:
            ask(number, task, number + 1, word)
        role = "escalation" if asked[0][1] in "Ee" else "attempts"
        load = {"kind": "closed", "users": 1}
        steps.append({
            "step": number, "round": number + 1, "role": role, "load": load, "start_s": start_s,
            "window_start_s": begin_s, "end_s": at_s, "held_s": at_s,
        })  # fmt: skip
        at_s += 5.0
    return rows, verdicts, steps


def write_task_run(run_dir: Path, plan: Mapping[str, str], **changes: Any) -> Path:
    """A run directory; `seconds`, `tokens`, `more_input` are of its requests, all else of run.json."""
    of_rows = {key: changes.pop(key) for key in ("seconds", "tokens", "more_input") if key in changes}
    rows, verdicts, steps = rows_and_verdicts(plan, **of_rows)
    run_dir.mkdir(parents=True, exist_ok=True)
    files.write_json(run_dir, "run.json", manifest_of(**changes))
    (run_dir / STEPS).write_text("".join(json.dumps(line) + "\n" for line in steps))
    part_of(run_dir, RECORDS, 1).write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_judged(run_dir, verdicts)
    return run_dir


def plan_of(**counts: int) -> dict[str, str]:
    """`plan_of(solved=3, later=1, never=2)`: so many solved at once, by the second attempt, and by none of three."""
    words = {"solved": "+", "later": "-+", "never": "---"}
    kinds = [words[name] for name, n in counts.items() for _ in range(n)]
    return {f"t{i:03}": word for i, word in enumerate(kinds)}


def api_run(run_dir: Path, plan: Mapping[str, str], arm: str = "openai:gpt-6-luna", **changes: Any) -> Path:
    """A run of an API with the same tasks."""
    driven = {"arm": arm, "max_usd": 2.0, "spent_usd": 0.1, "reserved_usd": 0.0, "stopped": False}
    return write_task_run(run_dir, plan, driven=driven, backend="openai", model=arm.split(":")[1], **changes)


G5 = {"id": "g5.12xlarge", "purchase": "on_demand", "usd_per_hour": None, "replicas": 1}
