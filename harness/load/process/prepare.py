"""Before the load: who the endpoint is, which words are one token to it, whether it serves the scenario's request.

The first process asks for all; the others take its word.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gevent

from harness.backends import BACKENDS, dialect_of
from harness.base.errors import UsageError
from harness.load.plan import Learned, LoadPlan
from harness.load.process.answers import Found
from harness.load.process.fits import misfits
from harness.load.process.identify import check_alike, identify, one_model, other_model
from harness.load.process.preflight import preflight
from harness.load.process.tokenizer import ANSWER_S, TOKENIZE_S, EndpointTokenizer, count_texts, learn_words
from harness.load.prompts.file_rows import FileRows
from harness.load.prompts.tasks import RoundAsks
from harness.load.prompts.texts import PromptSource, Vocabulary
from harness.load.protocol import Doing, Event, Identified, Prepared, Unfit, Warned
from harness.load.wire.sender import Sender
from harness.rundir.identity import Identity, with_users_word
from harness.scenario import Scenario
from harness.scenario.prompts import CHARS_PER_TOKEN

MODELS_KEPT = 1000  # names of a gateway's list
MOST_COUNTED = 2000  # recorded answers
COUNT_BEFORE_S = 20.0  # that counting them may take

Say = Callable[[Event], None]


def learn(
    plan: LoadPlan,
    scenario: Scenario,
    sender: Sender,
    rows: FileRows | None,
    asks: RoundAsks | None,
    say: Say,
    is_over: Callable[[], bool],
) -> Learned:
    """All that is asked beforehand; the sender speaks the endpoint's dialect afterwards.

    Raises:
        EndpointError: nobody listens there, one of several URLs serves another model, or no load can be had.
        UsageError: what was asked for does not fit what answers.
    """
    found = _who(plan, sender, say)
    model = one_model(plan.model, found, plan.urls[0])
    backend = plan.backend or dialect_of(found.identity.engine)
    said = with_users_word(found.identity, plan.weights, plan.quantization, plan.urls[0])
    identity = said.model_copy(update={"dialect": backend})
    say(Identified(identity, list(found.models[:MODELS_KEPT]), model, found.flags))
    _check_api(scenario, backend, identity.engine)
    sender.speak(BACKENDS[backend], model)
    other = other_model(plan.model, found)
    if other is not None:
        say(Warned(f"{plan.urls[0]} {other}"))
    if not plan.known_engine:
        _check_limits(plan, scenario, identity, say)
    say(Doing("asking its tokenizer for words of one token"))
    tokenizer = tokenizer_of(sender, model)
    tokenizer.ends = time.monotonic() + TOKENIZE_S
    words = learn_words(tokenizer, scenario)
    if tokenizer.was_late and not words.exact:
        say(Warned(f"{plan.urls[0]} is slow to tokenise: prompt lengths are estimated"))
    learned = Learned(
        backend, model, tokenizer.path, list(words.words), words.overhead_tokens, words.exact, list(words.turn_tokens)
    )
    if rows is not None:
        learned = _with_answers(learned, rows, tokenizer, say)
        rows.learn(learned)
    if plan.preflight:
        prompts = PromptSource(scenario.prompts, scenario.seed, plan.salt, words, rows, asks)
        more_tokens = preflight(plan, scenario, sender, prompts, say, is_over)
        learned = replace(
            learned,
            overhead_tokens=learned.overhead_tokens + more_tokens,
            turn_tokens=[tokens + more_tokens for tokens in learned.turn_tokens],
        )
    say(Prepared(learned))
    return learned


def tokenizer_of(sender: Sender, model: str | None, path: str | None = None) -> EndpointTokenizer:
    """The first URL's tokenizer."""
    timeout_s = min(ANSWER_S, sender.request.timeout_s)
    return EndpointTokenizer(sender.fleet.targets[0], sender.wire, model, timeout_s, path)


def words_of(learned: Learned) -> Vocabulary:
    """What prompts are made of."""
    return Vocabulary(tuple(learned.words), learned.overhead_tokens, learned.exact, tuple(learned.turn_tokens))


def _with_answers(learned: Learned, rows: FileRows, tokenizer: EndpointTokenizer, say: Say) -> Learned:
    """Count recorded answers, those first that are asked for first; the others are as dense as the counted ones."""
    answers = list(rows.recorded(MOST_COUNTED))
    if not answers:
        return learned
    if tokenizer.path is None:
        said = f"Lengths of recorded answers: at {CHARS_PER_TOKEN} characters a token, the endpoint has no tokenizer"
        return replace(learned, answers_said=said)
    say(Doing(f"counting the tokens of {len(answers):,} recorded answers with the endpoint's tokenizer"))
    counts = count_texts(tokenizer, (answer for _, _, answer in answers), COUNT_BEFORE_S)
    counted = [(*answer, max(n, 1)) for answer, n in zip(answers, counts, strict=False) if n is not None]
    if not counted:
        said = f"Lengths of recorded answers: at {CHARS_PER_TOKEN} characters a token, the tokenizer did not answer"
        return replace(learned, answers_said=said)
    density = sum(len(text) for _, _, text, _ in counted) / sum(tokens for *_, tokens in counted)
    said = f"Lengths of recorded answers: {len(counted):,} counted by the endpoint's tokenizer ({tokenizer.path})"
    if len(counted) < len(answers) or len(counted) == MOST_COUNTED:
        said += f", any others at {density:.2f} characters a token as these have"
    tokens_of = [(row, number, tokens) for row, number, _, tokens in counted]
    return replace(learned, answer_tokens=tokens_of, chars_per_token=density, answers_said=said)


def _who(plan: LoadPlan, sender: Sender, say: Say) -> Found:
    if plan.known_engine:
        return Found(Identity(engine=plan.known_engine))
    say(Doing(f"asking {plan.urls[0]} who it is"))
    targets = sender.fleet.targets
    asked = [
        gevent.spawn(identify, target, sender.request.timeout_s, plan.model, goes_on=plan.preflight)
        for target in targets
    ]
    gevent.joinall(asked, raise_error=True)
    first, *others = [job.value for job in asked]
    for target, found in zip(targets[1:], others, strict=True):
        check_alike(plan.model, first, target.url, found)
    known: Found = first
    return known


def _check_api(scenario: Scenario, backend: str, engine: str | None) -> None:
    apis = BACKENDS[backend].apis
    if scenario.request.api not in apis:
        who = f"{engine or 'an endpoint that does not say who it is'} is spoken to as {backend}"
        raise UsageError(
            f"`request.api`: {backend} has no `{scenario.request.api}` route, and {who}",
            hint=f"it has {', '.join(apis)}; --backend NAME speaks another dialect",
        )


def _check_limits(plan: LoadPlan, scenario: Scenario, identity: Identity, say: Say) -> None:
    """Hold the scenario against what the server says it takes; without a preflight that is told after the load."""
    for misfit in misfits(identity, scenario, Path(plan.base_dir), plan.urls[0], len(plan.urls)):
        if not misfit.is_hopeless:
            say(Warned(misfit.text))
        elif plan.preflight:
            raise misfit.as_error()
        else:
            say(Unfit(misfit.text, misfit.hint))
