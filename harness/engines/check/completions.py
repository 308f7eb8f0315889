"""Ask llama-server, llama-cpp-python or vLLM one question: a plain `/v1/completions`, with the standard library."""

import http.client
import time

from harness.backends import BACKENDS
from harness.backends.wire import Ask, error_detail
from harness.engines.check.answer import (
    ANSWER_TOKENS,
    QUESTION,
    EngineAnswer,
    Question,
    broken,
    http_error,
    unanswered,
    wrong_server_hint,
)
from harness.engines.process.ask import ASK_TIMEOUT_S, exchange, first_model


def ask_completions(question: Question) -> EngineAnswer:
    """One greedy, not streamed completion.

    Raises:
        EndpointError: nobody listens, an error, no answer in time, or something that is no completion.
    """
    wire = BACKENDS[question.backend]
    model = first_model(question.base_url, min(ASK_TIMEOUT_S, question.timeout_s), question.headers())
    ask = Ask(
        prompt=QUESTION,
        max_tokens=ANSWER_TOKENS,
        api="completions",
        stream=False,
        temperature=0,
        force_length=False,
        model=model,
    )
    began = time.perf_counter()
    url = question.base_url + wire.path("completions", stream=False)
    try:
        status, headers, body = exchange(url, question.timeout_s, question.headers(), wire.body(ask))
    except (OSError, http.client.HTTPException) as error:
        raise broken(question, error) from None
    seconds = time.perf_counter() - began
    if status != 200:
        raise http_error(question, status, error_detail(body))
    answer = wire.read_body("completions", body, headers)
    if answer.error is not None or not answer.text:
        words = answer.error or "the answer is no completion"
        raise unanswered(question, f"{question.who} answers HTTP 200, but {words}", wrong_server_hint(question))
    return EngineAnswer(
        engine=question.title,
        base_url=question.base_url,
        model=model,
        question=QUESTION,
        answer="".join(answer.text),
        prompt_tokens=answer.prompt_tokens,
        output_tokens=answer.output_tokens,
        finish_reason=answer.finish_reason,
        seconds=seconds,
    )
