"""What a prompt file will ask, known before anything is sent: how many, how long, in which order, what is left out."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.scenario import FilePrompts, Scenario, TaskPrompts
from harness.scenario.prompt_file import PromptFile, read_prompt_file
from harness.scenario.prompts import CHARS_PER_TOKEN, DEFAULT_OUTPUT_TOKENS
from harness.scenario.task_file import Task, read_tasks
from harness.scenario.turns import Turn, text_of

_ORDERS = {
    "file": "in the file's order, and from its start again after the last",
    "shuffle": "each once a round, shuffled by the seed for every round",
    "draw": "drawn by the seed, with replacement: some come again before others came",
}
_LENGTHS_OF_ANSWERS = (
    "each answer is asked for in the length of the recorded one, by the endpoint's tokenizer, or at "
    f"{CHARS_PER_TOKEN} characters a token where it has none"
)


@dataclass(frozen=True, slots=True)
class PromptSurvey:
    """A prompt file without its texts. Tokens are estimated at CHARS_PER_TOKEN where no column says them."""

    rows: int
    requests: int  # more than rows where they are conversations
    recorded: int  # requests whose recorded answer gives the length
    without_length: int
    has_roles: bool  # more than one user's message somewhere
    left_out: tuple[str, ...]  # "2 rows without a prompt"
    mean_input_tokens: float
    mean_output_tokens: float
    longest_tokens: int  # of a request and what it asks for


def survey_prompts(scenario: Scenario, base_dir: Path) -> PromptSurvey | None:
    """The scenario's prompt file, read and checked to its last row; None where its prompts come from none.

    Raises:
        UsageError: a row that cannot be asked.
    """
    if isinstance(scenario.prompts, TaskPrompts):
        return _of_tasks(read_tasks(scenario.prompts, base_dir, with_functions=True), scenario.prompts)
    if not isinstance(scenario.prompts, FilePrompts):
        return None
    path = base_dir / scenario.prompts.path
    try:
        stat = path.stat()
    except OSError:
        return _survey(scenario.prompts.model_dump_json(), base_dir, 0, 0)
    return _survey(scenario.prompts.model_dump_json(), base_dir, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1)
def _survey(spec: str, base_dir: Path, mtime_ns: int, size: int) -> PromptSurvey:  # noqa: ARG001 - so long it holds
    return survey_of(read_prompt_file(FilePrompts.model_validate_json(spec), base_dir))


def _of_tasks(tasks: tuple[Task, ...], spec: TaskPrompts) -> PromptSurvey:
    """Tasks, each asked once; the replies among a task's turns are taken at their longest."""
    sizes = [size for task in tasks for size in _task_sizes(task)]
    return PromptSurvey(
        rows=min(len(tasks), spec.max_tasks or len(tasks)),
        requests=round(len(sizes) * min(1.0, (spec.max_tasks or len(tasks)) / len(tasks))),
        recorded=0,
        without_length=0,
        has_roles=any(task.turns or len(task.messages) > 1 for task in tasks),
        left_out=(),
        mean_input_tokens=sum(size[0] for size in sizes) / len(sizes),
        mean_output_tokens=sum(size[1] for size in sizes) / len(sizes),
        longest_tokens=max(map(sum, sizes)),
    )


def _task_sizes(task: Task) -> list[tuple[int, int]]:
    """(input, output) tokens of each request of a task."""
    tokens = max(round(sum(len(text_of(message)) for message in task.messages) / CHARS_PER_TOKEN), 1)
    sizes = [(tokens, task.output_tokens)]
    for turn in task.turns:
        tokens += task.output_tokens + round(len(turn) / CHARS_PER_TOKEN)
        sizes.append((tokens, task.output_tokens))
    return sizes


def survey_of(file: PromptFile) -> PromptSurvey:
    """The survey of what was read."""
    sizes = [size for turns in file.rows for size in _sizes(turns)]
    every = [turn for turns in file.rows for turn in turns]
    recorded = sum(turn.output_tokens is None and turn.answer is not None for turn in every)
    return PromptSurvey(
        rows=len(file.rows),
        requests=len(every),
        recorded=recorded,
        without_length=sum(turn.output_tokens is None for turn in every) - recorded,
        has_roles=any(len(turns) > 1 or _has_roles(turns[0]) for turns in file.rows),
        left_out=tuple(f"{n:,} {_plural(thing, n)} {matter}" for (thing, matter), n in file.left_out.items()),
        mean_input_tokens=sum(size[0] for size in sizes) / len(sizes),
        mean_output_tokens=sum(size[1] for size in sizes) / len(sizes),
        longest_tokens=max(sum(size) for size in sizes),
    )


def output_tokens_of(turn: Turn, chars_per_token: float = CHARS_PER_TOKEN) -> int:
    """Tokens to ask for, where nobody has counted."""
    if turn.output_tokens is not None:
        return turn.output_tokens
    return DEFAULT_OUTPUT_TOKENS if turn.answer is None else max(round(len(turn.answer) / chars_per_token), 1)


def _sizes(turns: tuple[Turn, ...]) -> list[tuple[int, int]]:
    """(input, output) tokens of each request of a row."""
    sizes, chars = [], 0
    for turn in turns:
        chars += sum(len(text_of(message)) for message in turn.messages)
        sizes.append((max(round(chars / CHARS_PER_TOKEN), 1), output_tokens_of(turn)))
        chars += len(turn.answer or "")
    return sizes


def _has_roles(turn: Turn) -> bool:
    return len(turn.messages) > 1 or turn.messages[0]["role"] != "user"


def _plural(thing: str, n: int) -> str:
    return thing if n == 1 else f"{thing}s"


def prompts_said(scenario: Scenario, survey: PromptSurvey | None) -> str | None:
    """What is asked in which order, and what is not, in one sentence; None where no file is read."""
    spec = scenario.prompts
    if survey is not None and isinstance(spec, TaskPrompts):
        return _tasks_said(spec, survey)
    if survey is None or not isinstance(spec, FilePrompts):
        return None
    parts = [_ORDERS[spec.order]]
    if spec.format != "sharegpt":
        what = f"{survey.rows:,} {_plural('row', survey.rows)}"
    else:
        talks = f"{survey.rows:,} {_plural('conversation', survey.rows)}"
        what = f"{talks} with {survey.requests:,} {_plural('question', survey.requests)}"
        parts.append(_how_talks_go(scenario))
    if survey.has_roles and scenario.request.api != "chat":
        parts.append("each is sent as one text without roles (`request: {api: chat}` sends them)")
    if spec.output_tokens is None:
        if survey.recorded:
            parts.append(_LENGTHS_OF_ANSWERS)
        if survey.without_length:
            parts.append(f"{survey.without_length:,} without a length ask for {DEFAULT_OUTPUT_TOKENS} tokens")
    if survey.left_out:
        parts.append(f"left out: {', '.join(survey.left_out)}")
    return f"{spec.path}: {what}, {'; '.join(parts)}"


def _tasks_said(spec: TaskPrompts, survey: PromptSurvey) -> str:
    many = f"{survey.rows:,} {_plural('task', survey.rows)}"
    if not spec.on_failure:
        return f"{spec.file}: {many}, each asked once"
    return f"{spec.file}: {many}, each asked until it is solved, {spec.attempts} times at most"


def _how_talks_go(scenario: Scenario) -> str:
    if scenario.has_conversations:
        return "each conversation is a session of one user, every question with the recorded talk before it"
    return "every question is a request of its own, with the recorded talk before it (nobody waits in an open load)"
