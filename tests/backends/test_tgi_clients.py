"""Three clients that know nothing of us understand the double as they understand TGI.

Where a client is known to misread TGI itself, the test says how.
"""

import json
import urllib.request
from collections.abc import Iterator

import openai
import pytest
import text_generation
from huggingface_hub import InferenceClient
from huggingface_hub.errors import OverloadedError, ValidationError
from text_generation import errors
from tgi_double import BIG_SEED, TgiDouble
from tgi_job import Behaviour

from harness.backends import BACKENDS
from harness.backends.wire import Ask

# text-generation 0.7.0 calls pydantic's old `.dict()`
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20")


@pytest.fixture
def tgi() -> Iterator[TgiDouble]:
    with TgiDouble() as double:
        yield double


@pytest.fixture
def full() -> Iterator[TgiDouble]:
    with TgiDouble(max_concurrent_requests=0) as double:
        yield double


def the_packages(tgi: TgiDouble) -> text_generation.Client:
    return text_generation.Client(tgi.url, timeout=10)


def the_hubs(tgi: TgiDouble) -> InferenceClient:
    return InferenceClient(model=tgi.url, timeout=10)


@pytest.fixture
def the_openais(tgi: TgiDouble) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{tgi.url}/v1", api_key="-", timeout=10, max_retries=0) as client:
        yield client


MESSAGES = [{"role": "user", "content": "Hi"}]


def test_text_generation_reads_a_whole_answer(tgi: TgiDouble) -> None:
    response = the_packages(tgi).generate("one two", max_new_tokens=3)

    assert response.generated_text == " tok tok tok"
    assert response.details is not None
    assert (response.details.generated_tokens, response.details.finish_reason) == (3, "length")


def test_text_generation_reads_a_stream_token_by_token(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(texts=("é", "", "😀"), keep_alives=True, write="bytes")

    responses = list(the_packages(tgi).generate_stream("one two", max_new_tokens=3, do_sample=True))

    assert [r.token.text for r in responses] == ["é", "", "😀"]
    last = responses[-1].details
    assert last is not None
    assert (last.generated_tokens, last.seed) == (3, BIG_SEED)


def test_text_generation_raises_what_a_stream_says_went_wrong(tgi: TgiDouble, full: TgiDouble) -> None:
    tgi.behaviour = Behaviour(fail_after=1)

    with pytest.raises(errors.GenerationError, match="boom"):
        list(the_packages(tgi).generate_stream("one", max_new_tokens=3))
    with pytest.raises(errors.OverloadedError):
        list(the_packages(full).generate_stream("one", max_new_tokens=3))
    with pytest.raises(errors.OverloadedError):
        the_packages(full).generate("one", max_new_tokens=3)
    with pytest.raises(errors.ValidationError, match="must be <="):
        the_packages(tgi).generate("one " * 1500, max_new_tokens=1000)


def test_text_generation_and_our_reader_agree_on_a_stream(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(texts=("a", "", "é"), eos_after=4)
    theirs = list(the_packages(tgi).generate_stream("one two", max_new_tokens=9))
    reader = BACKENDS["tgi"].reader("native")

    ours = [reader.feed(r.model_dump_json().encode()) for r in theirs]

    assert ours == [True] * 5
    assert theirs[-1].details is not None
    assert reader.answer.output_tokens == theirs[-1].details.generated_tokens == 5
    assert reader.answer.finish_reason == theirs[-1].details.finish_reason.value == "eos_token"
    assert "".join(reader.answer.text) == theirs[-1].generated_text


def test_the_hubs_client_reads_whole_answers_and_streams(tgi: TgiDouble) -> None:
    client = the_hubs(tgi)

    whole = client.text_generation("one two", max_new_tokens=3, details=True, return_full_text=False)
    stream = list(client.text_generation("one two", max_new_tokens=3, details=True, stream=True))

    assert (whole.generated_text, whole.details.generated_tokens) == (" tok tok tok", 3)
    assert [part.index for part in stream] == [1, 2, 3]
    assert stream[-1].details.input_length == 2


def test_the_hubs_client_chats(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(eos_after=2)
    client = the_hubs(tgi)

    whole = client.chat_completion(MESSAGES, max_tokens=9, temperature=0.5)
    stream = list(client.chat_completion(MESSAGES, max_tokens=9, stream=True, stream_options={"include_usage": True}))

    assert whole.choices[0].message.content == " tok tok"
    assert whole.usage.completion_tokens == 3
    assert [c.choices[0].delta.content for c in stream if c.choices] == [" tok", " tok", ""]
    assert stream[-1].usage.completion_tokens == 3


def test_the_hubs_client_raises_overload_and_refusals_by_their_type(tgi: TgiDouble, full: TgiDouble) -> None:
    with pytest.raises(OverloadedError):
        the_hubs(full).text_generation("one", max_new_tokens=3)
    with pytest.raises(OverloadedError):
        list(the_hubs(full).text_generation("one", max_new_tokens=3, stream=True))
    with pytest.raises(ValidationError, match="top_p"):
        list(the_hubs(tgi).text_generation("one", max_new_tokens=3, top_p=1.0, stream=True))


def test_openais_client_reads_chats_and_completions(tgi: TgiDouble, the_openais: openai.OpenAI) -> None:
    tgi.behaviour = Behaviour(eos_after=2)

    whole = the_openais.chat.completions.create(model="tgi", messages=MESSAGES, max_tokens=9, temperature=0)
    completion = the_openais.completions.create(model="tgi", prompt="one two", max_tokens=9, temperature=0)

    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 3
    assert (completion.choices[0].text, completion.choices[0].finish_reason) == (" tok tok", "eos_token")


def test_openais_client_reads_streams_with_usage(tgi: TgiDouble, the_openais: openai.OpenAI) -> None:
    chat = list(
        the_openais.chat.completions.create(
            model="tgi", messages=MESSAGES, max_tokens=3, stream=True, stream_options={"include_usage": True}
        )
    )
    completion = list(the_openais.completions.create(model="tgi", prompt="one two", max_tokens=3, stream=True))

    assert "".join(c.choices[0].delta.content or "" for c in chat if c.choices) == " tok tok tok"
    assert chat[-1].usage is not None
    assert chat[-1].usage.completion_tokens == 3
    assert [c.choices[0].finish_reason for c in completion] == ["", "", "length"]


def test_openais_client_raises_an_error_event(tgi: TgiDouble, the_openais: openai.OpenAI) -> None:
    tgi.behaviour = Behaviour(fail_after=1)

    with pytest.raises(openai.APIError, match="boom"):
        list(the_openais.chat.completions.create(model="tgi", messages=MESSAGES, max_tokens=3, stream=True))


@pytest.mark.parametrize("api", ["native", "completions", "chat"])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("stream", [True, False])
def test_the_double_takes_every_request_that_we_build(
    tgi: TgiDouble, api: str, temperature: float, stream: bool
) -> None:

    wire = BACKENDS["tgi"]
    ask = Ask("one two", 3, api, stream, temperature, True, "tgi")
    body = json.dumps(wire.body(ask)).encode()
    request = urllib.request.Request(
        tgi.url + wire.path(api, stream=stream), body, {"content-type": "application/json"}
    )

    with urllib.request.urlopen(request, timeout=10) as answer:
        status, text = answer.status, answer.read()

    assert status == 200
    assert b'"error"' not in text
    assert tgi.bodies[0].get("do_sample", False) is (temperature > 0)
