"""One request of the scenario's own shape to each URL before the load: what no load can cure ends the run here."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gevent

from harness.backends.vllm import gpus_by_fingerprint
from harness.load.plan import LoadPlan
from harness.load.process.trial import Trial, check_fits, header, hopeless, seconds_of, via_of, words_of
from harness.load.prompts.prompt import Prompt
from harness.load.prompts.sessions import Conversation
from harness.load.prompts.texts import PromptSource, Vocabulary
from harness.load.protocol import Doing, Event, Looked, Warned
from harness.load.shapes.users import request_id
from harness.load.wire.sender import Cut, Sender
from harness.load.wire.totals import Totals
from harness.load.wire.transport import Target
from harness.rundir.identity import SaidCount
from harness.rundir.records import RequestRecord
from harness.scenario import Scenario, SessionPrompts, TraceLoad
from harness.scenario.trace import trace_of

FINGERPRINT = "system_fingerprint"
NAME = "preflight"  # stands where a load has a user's number, in prompts and request ids
LOOK_S = 0.1  # for the end of the run
Say = Callable[[Event], None]


def preflight(
    plan: LoadPlan, scenario: Scenario, sender: Sender, prompts: PromptSource, say: Say, is_over: Callable[[], bool]
) -> int:
    """Send them, say what they showed; the tokens that the server was seen to add to every prompt.

    Raises:
        EndpointError: what no load cures. UsageError: a scenario that cannot fit what was seen.
    """
    targets = sender.fleet.targets
    say(Doing(f"one request to {targets[0].url if len(targets) == 1 else f'each of {len(targets)} URLs'} beforehand"))
    asked = [_prompt(plan, scenario, prompts, n) for n in range(len(targets))]
    trials: list[Trial] = [Trial(_row(plan, n), prompt) for n, prompt in enumerate(asked)]
    jobs = [gevent.spawn(_send, sender, trial, target) for trial, target in zip(trials, targets, strict=True)]
    while not all(job.dead for job in jobs):
        gevent.joinall(jobs, timeout=LOOK_S)
        if is_over():
            sender.cut_under_way()
    sender.live = Totals()  # it is in no figure
    done: list[Trial] = [job.get() for job in jobs]
    served = [trial.row for trial in done if trial.row.error is None]
    parallel, gpus = _gpus(done[0])
    say(Looked(max((seconds_of(row) for row in served), default=None), done[0].via, parallel, gpus))
    for trial, target in zip(done, targets, strict=True):
        error = hopeless(trial, target.url, sender.path)
        if error is not None:
            raise error
    for trial in done:
        if trial.row.error not in (None, "cut_at_end"):
            say(Warned(f"{trial.row.url}: the request sent beforehand failed ({words_of(trial.row)}); the load begins"))
    check_fits(done, scenario)
    return _added(done[0], scenario, prompts.vocabulary, say)


def _row(plan: LoadPlan, n: int) -> RequestRecord:
    return RequestRecord(request_id=request_id(plan.run_id, NAME, n), step=None, preflight=True)


def _prompt(plan: LoadPlan, scenario: Scenario, prompts: PromptSource, n: int) -> Prompt:
    if isinstance(scenario.load, TraceLoad):
        trace = trace_of(scenario.load, Path(plan.base_dir))
        return prompts.of_trace(-1 - n, trace.rows[0])
    if isinstance(scenario.prompts, SessionPrompts):
        return Conversation(scenario.prompts, prompts, f"{NAME}{n}", scenario.seed).ask()
    if prompts.asks is not None:
        return prompts.asks.repeat().prompt()
    if prompts.rows is not None:
        taken = prompts.rows.take()
        prompts.rows.put_back(taken)
        return prompts.rows.prompt(replace(taken, position=-1 - n))  # with a nonce of its own
    return prompts.get(NAME, n)


def _send(sender: Sender, trial: Trial, target: Target) -> Trial:
    trial.row.scheduled_s = sender.clock.now_s()
    try:
        sent = sender.send(trial.prompt, trial.row, target)
    except Cut:
        return trial
    location = target.secrets.strike(header(sent.headers, "location"))
    return replace(trial, via=via_of(sent.headers), location=location, fingerprint=sent.fingerprint)


def _gpus(trial: Trial) -> tuple[SaidCount | None, SaidCount | None]:
    """GPUs of one copy of the weights and of all copies, by what vLLM calls itself in an answer."""
    told = gpus_by_fingerprint(trial.fingerprint)
    if told is None:
        return None, None
    return SaidCount(value=told[0], said_by=FINGERPRINT), SaidCount(value=told[1], said_by=FINGERPRINT)


def _added(trial: Trial, scenario: Scenario, words: Vocabulary, say: Say) -> int:
    """What the server counts on top of a prompt whose tokens are known, as a chat template is."""
    row = trial.row
    talk = None if isinstance(scenario.load, TraceLoad) else scenario.prompts
    talk = talk if isinstance(talk, SessionPrompts) and words.exact else None
    wanted = trial.prompt.tokens if talk is None else talk.input_tokens(0)
    if row.error is not None or row.prompt_tokens is None or wanted is None or row.prompt_tokens <= wanted:
        return 0
    more_tokens, own_tokens = row.prompt_tokens - wanted, len(trial.prompt.text.split())
    what = "its chat template" if scenario.request.api == "chat" else "what it puts before a prompt"
    alone = row.prompt_tokens - own_tokens
    if alone >= wanted:
        say(Warned(f"{row.url} has no prompt of {wanted} tokens: {what} alone has {alone}"))
    elif talk is not None and talk.turns > 1 and not words.turn_tokens:
        say(
            Warned(
                f"{row.url} adds {more_tokens} tokens to a conversation's first turn ({what}): counted in at each "
                "turn; what it adds to a later one could not be asked"
            )
        )
    else:
        say(Doing(f"the server adds {more_tokens} tokens to each prompt: counted in"))
    return more_tokens
