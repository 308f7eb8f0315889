"""Before the load: who the endpoint is, and which words are one token to it. The first process asks for all."""

from collections.abc import Callable
from dataclasses import replace

import gevent

from harness.load.plan import Learned, LoadPlan
from harness.load.process.identify import Identity, check_alike, identify, other_model
from harness.load.process.tokenizer import EndpointTokenizer, build_vocabulary, count_texts
from harness.load.prompts.file_rows import FileRows
from harness.load.prompts.texts import Vocabulary
from harness.load.protocol import Doing, Event, Prepared, Warned
from harness.load.wire.sender import Sender
from harness.scenario.prompts import CHARS_PER_TOKEN

MODELS_KEPT = 1000  # names of a gateway's list
MOST_COUNTED = 2000  # recorded answers
COUNT_BEFORE_S = 20.0  # that counting them may take

Say = Callable[[Event], None]


def prepare(
    plan: LoadPlan, sender: Sender, tokenizer: EndpointTokenizer, rows: FileRows | None, say: Say
) -> Vocabulary:
    """The endpoint's words; sender and tokenizer know the model and the tokenizer's route afterwards, and a file's
    rows the lengths of their recorded answers.

    Raises:
        EndpointError: nobody listens there, or one of several URLs serves another model.
    """
    known = plan.learned
    if known is not None:
        sender.model = tokenizer.model = known.model
        tokenizer.path = known.tokenizer_path
        if rows is not None:
            rows.learn(known)
        return Vocabulary(tuple(known.words), known.overhead_tokens, known.exact)
    identity = _identity(plan, sender, say)
    sender.model = tokenizer.model = plan.model or identity.model
    other = other_model(plan.model, identity)
    if other is not None:
        say(Warned(f"{plan.urls[0]} {other}"))
    say(Doing("asking its tokenizer for words of one token"))
    tokenizer.find()
    found = build_vocabulary(tokenizer)
    learned = Learned(sender.model, tokenizer.path, list(found.words), found.overhead_tokens, found.exact)
    if rows is not None:
        learned = _with_answers(learned, rows, tokenizer, say)
        rows.learn(learned)
    say(Prepared(identity.engine, identity.models[:MODELS_KEPT], learned))
    return found


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
    counted = [(*answer, max(tokens, 1)) for answer, tokens in zip(answers, counts, strict=False)]
    if not counted:
        said = f"Lengths of recorded answers: at {CHARS_PER_TOKEN} characters a token, the tokenizer did not answer"
        return replace(learned, answers_said=said)
    density = sum(len(text) for _, _, text, _ in counted) / sum(tokens for *_, tokens in counted)
    said = f"Lengths of recorded answers: {len(counted):,} counted by the endpoint's tokenizer ({tokenizer.path})"
    if len(counted) < len(answers) or len(counted) == MOST_COUNTED:
        said += f", any others at {density:.2f} characters a token as these have"
    tokens_of = [(row, number, tokens) for row, number, _, tokens in counted]
    return replace(learned, answer_tokens=tokens_of, chars_per_token=density, answers_said=said)


def _identity(plan: LoadPlan, sender: Sender, say: Say) -> Identity:
    if plan.known_engine:
        return Identity(model=plan.model)
    say(Doing(f"asking {plan.urls[0]} who it is"))
    targets = sender.fleet.targets
    asked = [gevent.spawn(identify, target, sender.request.timeout_s) for target in targets]
    gevent.joinall(asked, raise_error=True)
    found: list[Identity] = [job.value for job in asked]
    first, *others = found
    for target, identity in zip(targets[1:], others, strict=True):
        check_alike(plan.model, first, target.url, identity)
    return first
