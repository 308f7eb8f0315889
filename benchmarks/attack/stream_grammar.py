"""Answers as no server should give them: what each dialect really sends, changed by a seed, and cut into pieces."""

import random
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
from dialects import DIALECTS, DONE, Dialect

RAW: tuple[bytes, ...] = (  # JSON values, and what is none
    b"null", b"true", b"false", b"0", b"-1", b"1", b"7", b"20.25", b"-0.0", b"1e308", b"1e400", b"-1e400", b"NaN",
    b"Infinity", b"-Infinity", b"1" + b"0" * 30, b"1" + b"0" * 400, b"9" * 5000, b"9223372036854775808",
    b"18446744073709551616", b"01", b"1_000", b'"7"', b'"nan"', b'"1e999"', b'"-3"', b'"1_000"', b'""', b'" "', b'"x"',
    b'"length"', b'"stop"', b'"abort"', b'"assistant"', b'"</think>"', b'"[DONE]"', b'"\\ud800"', b'"\\udc00\\ud800"',
    b'"\\ud83d\\ude00"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\x00"', b'"\\u0000"', b'"\x1b[2J"',
    b'"\\u001b[31m"', b'"\xe2\x80\xa8"', b'"\\u2028\\u202e"', b'"' + b"x" * 3000 + b'"', b'"' + b"\\n" * 200 + b'"',
    b"[]", b"{}", b"[null]", b"[[]]", b'{"":null}', b"[{}]", b"[1,2]", b'["a"]', b'[{"type":"text","text":"t"}]',
    b'[{"type":"thinking","thinking":[{"type":"text","text":"t"}]}]', b'[{"type":7,"text":{"a":1}}]',
    b'{"message":"no"}', b'{"message":{"message":[]}}', b'{"message":"\\u001b[31m"}', b'{"error":{"error":7}}',
    b'{"completion_tokens":"3","prompt_tokens":[]}', b'{"completion_tokens":1e400}', b"-", b"", b"tru", b"'x'",
    b"[" * 60 + b"]" * 60, b"[" * 1100 + b"]" * 1100, b'{"text":' * 300 + b"1" + b"}" * 300, b'[{"content":' * 900,
)  # fmt: skip
ODD_EVENTS: tuple[bytes, ...] = (
    b'{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}',
    b'{"choices":[],"usage":{"input_tokens":7,"output_tokens":3,"cache_read_input_tokens":5}}',
    b'{"choices":[],"usage":{"completion_tokens":3,"completion_tokens_details":{"reasoning_tokens":9}}}',
    b'{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}',
    b'{"choices":[{"index":3,"delta":{"reasoning_content":"hm"}},{"index":1,"text":"b"}]}',
    b'{"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}]}',
    b'{"choices":[{"index":0,"delta":{"function_call":{"name":"f","arguments":{"a":1}}}}]}',
    b'{"choices":[{"index":0,"text":"a","finish_reason":"length"}],"timings":{"predicted_n":3,"prompt_n":4}}',
    b'{"choices":[],"metrics":{"queue_time_ms":1.5,"time_to_first_token_ms":-1,"generation_time_ms":1e300}}',
    b'{"error":{"message":"out of memory","code":500}}', b'{"error":"overloaded","error_type":7}', b'{"detail":[7]}',
    b'{"object":"error","message":"no"}', b'{"choices":{"a":1}}', b'{"choices":[5]}', b'{"choices":"x"}', b"[1]", b"3",
    b"null", b"[DONE]", b" [DONE] ", b"[DONE", b"{", b"{}", b"", b'{"stop":true}', b'{"content":"x","stop":false}',
    b'{"token":{"text":null},"generated_text":7,"details":{"finish_reason":[]}}', b'{"token":{"special":"x"}}',
)  # fmt: skip
FIELDS = (b"event: error", b"event: message", b"event", b"id: 7", b"retry: 3", b": ping", b":", b"data", b" data: x",
          b"data:", b"data: {}", b"data: [DONE]", b"\xef\xbb\xbf", b"x" * 300, b"\x00", b"event:error ")  # fmt: skip
HEADS: tuple[tuple[bytes, bytes], ...] = (
    (b"200 OK", b"content-type: text/event-stream"), (b"201 Created", b"content-type: text/event-stream"),
    (b"204 No Content", b""), (b"206 Part", b"content-type: application/json"), (b"200 OK", b"content-type: \xff\xfe"),
    (b"404 Not Found", b"content-type: text/html"), (b"422 No", b""), (b"500 Error", b"x-a: " + b"a" * 2000),
    (b"302 Found", b"location: http://[::1"), (b"307 There", b"location: http://u:p@127.0.0.1/?k=v"),
    (b"429 Many", b"retry-after: 1e999"), (b"503 Busy", b"retry-after: -7"), (b"429 Many", b"x-ratelimit-limit: \x1b["),
    (b"200 OK", b"x-prompt-tokens: 1e400\r\nx-generated-tokens: nan\r\nx-queue-time: -1\r\nx-total-time: " + b"9" * 40),
    (b"200 OK", b"content-encoding: gzip"), (b"200 OK", b"content-encoding: br"), (b"999 What", b""), (b"99", b""),
    (b"200 OK", b"content-length: 18446744073709551616"), (b"200 OK", b"content-length: -1"),
)  # fmt: skip
KEYS = tuple(
    b"error choices usage timings metrics token content stop detail details generated_text message code delta "
    b"finish_reason stop_type".split()
)


@dataclass(frozen=True)
class Source:
    """What one route of one dialect sends."""

    dialect: Dialect
    is_stream: bool
    payloads: tuple[tuple[bytes, ...], ...]  # of whole answers, event by event


@dataclass(frozen=True)
class Sent:
    """One answer on the wire."""

    source: Source
    data: bytes  # with its head


def _payloads(stream: bytes) -> tuple[bytes, ...]:
    return tuple(event.removeprefix(b"data: ") for event in stream.split(b"\n\n") if event)


def _sources() -> Iterator[Source]:
    for dialect in DIALECTS:
        good = dialect.token("one") + dialect.token(" é€😀") + dialect.last(" two", 3)
        bad = dialect.token("one") + dialect.error
        streams = (good + DONE, good, dialect.last("a", 1) + DONE, bad, b"".join(dialect.overload) or bad)
        yield Source(dialect, True, tuple(map(_payloads, streams)))
        yield Source(dialect, False, ((orjson.dumps(dialect.whole),),))


SOURCES = tuple(_sources())


def answer(seed: int) -> tuple[Sent, random.Random]:
    """The answer of this seed, and the chance that goes on from there."""
    chance = random.Random(seed)
    source = SOURCES[chance.randrange(len(SOURCES))] if chance.random() < 0.3 else SOURCES[2 * chance.randrange(10)]
    events = list(chance.choice(source.payloads))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        chance.choice(_OF_EVENTS)(events, chance)
    body = _as_stream(events, chance) if source.is_stream else b"".join(events)
    if chance.random() < 0.35:
        body = chance.choice(_OF_BYTES)(body, chance)
    return Sent(source, _on_the_wire(body, chance)), chance


def pieces(data: bytes, chance: random.Random) -> list[bytes]:
    """The same bytes, cut somewhere; sometimes after each of them."""
    if len(data) < 4000 and chance.random() < 0.02:
        return [bytes([byte]) for byte in data]
    cuts = sorted({chance.randrange(1, len(data)) for _ in range(chance.choice((1, 2, 3, 8)))})
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _value(events: list[bytes], chance: random.Random) -> None:
    """One value of one event becomes any other."""
    at = chance.randrange(len(events))
    if len(events[at]) > 4000 or not (data := _read(events[at])):
        events[at] = chance.choice(RAW)
        return
    holder: Any = [data]
    places = _places(holder, [])
    inside, key = chance.choice(places)
    raw = chance.choice(RAW)
    what = chance.random()
    if what < 0.15 and isinstance(inside, dict):
        del inside[key]
    elif what < 0.3 and isinstance(inside, dict):  # twice, the second with another value
        inside["@twice@"] = "@raw@"
        events[at] = orjson.dumps(holder[0]).replace(b'"@twice@":"@raw@"', orjson.dumps(key) + b":" + raw)
        return
    elif what < 0.4:
        inside[key] = {"@": inside[key]} if chance.random() < 0.5 else [inside[key]]
    else:
        inside[key] = "@raw@"
    events[at] = orjson.dumps(holder[0]).replace(b'"@raw@"', raw)


def _read(event: bytes) -> Any:
    """What an event holds; None where it is broken or too deep to be written again."""
    try:
        data = orjson.loads(event)
        orjson.dumps(data)
    except (orjson.JSONDecodeError, TypeError):
        return None
    return data if isinstance(data, dict | list) else None


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    for key in value if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if value[key].__class__ in (dict, list):
            _places(value[key], found)
    return found


def _odd_event(events: list[bytes], chance: random.Random) -> None:
    events.insert(chance.randrange(len(events) + 1), chance.choice(ODD_EVENTS))


def _again(events: list[bytes], chance: random.Random) -> None:
    events.insert(chance.randrange(len(events) + 1), chance.choice(events))


def _gone(events: list[bytes], chance: random.Random) -> None:
    if len(events) > 1:
        del events[chance.randrange(len(events))]


def _swapped(events: list[bytes], chance: random.Random) -> None:
    chance.shuffle(events)


def _key_more(events: list[bytes], chance: random.Random) -> None:
    """A key that means something, where it does not belong."""
    at = chance.randrange(len(events))
    key = chance.choice(KEYS)
    events[at] = events[at].replace(b"{", b'{"%b":%b,' % (key, chance.choice(RAW)), 1)


_OF_EVENTS: tuple[Callable[[list[bytes], random.Random], None], ...] = (
    _value, _value, _value, _value, _odd_event, _odd_event, _again, _gone, _swapped, _key_more, _key_more,
)  # fmt: skip


def _as_stream(events: list[bytes], chance: random.Random) -> bytes:
    """Events as server-sent ones, by the letter or nearly so."""
    if chance.random() < 0.5:
        return b"".join(b"data: %b\n\n" % event for event in events)
    end = chance.choice((b"\n", b"\r\n", b"\r", b"\n", b"\n\r"))
    lines: list[bytes] = [b"\xef\xbb\xbf"] if chance.random() < 0.1 else []
    is_parted, mark = chance.random() < 0.7, chance.choice((b"data: ", b"data:", b"data:  "))
    for event in events:
        if chance.random() < 0.15:
            lines.append(chance.choice(FIELDS) + end)
        parts = event.split(b",") if chance.random() < 0.1 else [event]
        lines += [mark + part + (b"," if number + 1 < len(parts) else b"") + end for number, part in enumerate(parts)]
        if chance.random() < 0.1:
            lines.append(chance.choice(FIELDS) + end)
        if is_parted or chance.random() < 0.3:
            lines.append(end)
    return b"".join(lines)


def _flipped(body: bytes, chance: random.Random) -> bytes:
    if not body:
        return body
    content = bytearray(body)
    for _ in range(chance.choice((1, 1, 3, 20))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def _spliced(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body) + 1)
    more = (
        b"\r",
        b"\n",
        b"\r\n",
        b"\n\n",
        b"\x00",
        b"\xef\xbb\xbf",
        b":",
        b"\xff",
        b"data: [DONE]\n\n",
        b"\r\r",
        b"{",
        b"}",
    )
    return body[:at] + chance.choice(more) + body[at:]


def _cut(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body) + 1)]


def _doubled(body: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(body) + 1)
    end = start + chance.randrange(200)
    return body[:end] + body[start:end] * chance.choice((1, 2, 9)) + body[end:]


def _ends_mixed(body: bytes, chance: random.Random) -> bytes:
    lines = body.split(b"\n")
    return b"".join(line + chance.choice((b"\n", b"\r", b"\r\n")) for line in lines)


_OF_BYTES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flipped, _spliced, _spliced, _cut, _doubled, _ends_mixed,
)  # fmt: skip


def _on_the_wire(body: bytes, chance: random.Random) -> bytes:
    status, field = HEADS[0] if chance.random() < 0.85 else chance.choice(HEADS)
    if field.endswith(b"gzip") and chance.random() < 0.7:
        packer = zlib.compressobj(wbits=31)
        body = packer.compress(body) + packer.flush()
    framing, how = b"connection: close", chance.random()
    if how < 0.15:
        size = chance.choice((1, 7, 100, 5000))
        parts = (
            [body[start : start + size] for start in range(0, len(body), size)] if len(body) < 600 * size else [body]
        )
        more = chance.choice((b"", b"", b";a=b", b"\r\nx"))
        framing, body = b"transfer-encoding: chunked", b"".join(b"%x%b\r\n%b\r\n" % (len(p), more, p) for p in parts)
        body += chance.choice(
            (b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nx: y\r\n\r\n", b"", b"-1\r\n", b"fffffffffffffffff\r\n")
        )
    elif how < 0.25:
        framing = b"content-length: %d" % max(len(body) + chance.choice((0, 0, 0, -3, 9)), 0)
    head = b"HTTP/1.1 %b\r\n%b%b\r\n\r\n" % (status, field + b"\r\n" if field else b"", framing)
    data = b"HTTP/1.1 100 Continue\r\n\r\n" * (chance.random() < 0.02) + head + body
    return _flipped(data, chance) if chance.random() < 0.01 else data
