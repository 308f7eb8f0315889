"""Before the load: who the endpoint is, and which words are one token to it. The first process asks for all."""

from collections.abc import Callable

import gevent

from harness.load.plan import Learned, LoadPlan
from harness.load.process.identify import Identity, check_alike, identify, other_model
from harness.load.process.tokenizer import EndpointTokenizer, build_vocabulary
from harness.load.prompts.texts import Vocabulary
from harness.load.protocol import Doing, Event, Prepared, Warned
from harness.load.wire.sender import Sender

MODELS_KEPT = 1000  # names of a gateway's list

Say = Callable[[Event], None]


def prepare(plan: LoadPlan, sender: Sender, tokenizer: EndpointTokenizer, say: Say) -> Vocabulary:
    """The endpoint's words; sender and tokenizer know the model and the tokenizer's route afterwards.

    Raises:
        EndpointError: nobody listens there, or one of several URLs serves another model.
    """
    known = plan.learned
    if known is not None:
        sender.model = tokenizer.model = known.model
        tokenizer.path = known.tokenizer_path
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
    say(Prepared(identity.engine, identity.models[:MODELS_KEPT], learned))
    return found


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
