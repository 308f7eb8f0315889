"""Each layout as its producer writes it, by hand: what a row is, in which unit its times are, what is kept."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.base.stats import Floats
from harness.scenario.logs.reading import read_log
from harness.scenario.logs.request_log import RequestLog


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(tmp_path: Path, text: str, name: str = "log", **said: Any) -> RequestLog:
    path = tmp_path / name
    path.write_text(text)
    return read_log(path, **said)


def mean(log: RequestLog, values: Floats | None) -> float | None:
    return None if values is None else round(float((values * log.served).sum() / log.served.sum()), 2)


@dataclass(frozen=True)
class Said:
    """What is right of a log."""

    layout: str
    requests: int
    failed: int
    tokens: tuple[float, float]  # mean input and output of those served
    span_s: float
    cached: float | None = None
    reasoning: float | None = None
    left_out: tuple[int, ...] = ()


def said_of(log: RequestLog) -> Said:
    return Said(
        log.layout, int(log.requests), int(log.failed.sum()),
        (mean(log, log.input_tokens) or 0, mean(log, log.output_tokens) or 0), round(log.end_s, 3),
        mean(log, log.cached_tokens), mean(log, log.reasoning_tokens), tuple(log.left_out.values()),
    )  # fmt: skip


# Gateways

SPEND = (
    "request_id,call_type,api_key,spend,total_tokens,prompt_tokens,completion_tokens,startTime,endTime,"
    "request_duration_ms,completionStartTime,model,model_group,custom_llm_provider,cache_hit,status\n"
)
SPEND_CSV = SPEND + (
    "c-1,acompletion,88,0.0006,1050,800,250,2026-11-01T00:00:00.000Z,x,3000,x,m,m,openai,False,success\n"
    "c-2,acompletion,88,0.0006,1050,800,250,2026-11-01T12:00:00.000Z,x,3000,x,m,m,openai,False,success\n"
    "c-3,acompletion,88,0.0,0,0,0,2026-11-01T18:00:00.000Z,x,1000,,m,m,openai,False,failure\n"
)
SPEND_JSON = json.dumps(
    [
        {"request_id": f"c-{n}", "call_type": "acompletion", "spend": 0.0006, "prompt_tokens": 800,
         "completion_tokens": 250, "startTime": f"2026-11-01T{hour}:00:00.000Z", "model": "m"}
        for n, hour in enumerate(("00", "12"))
    ]
)  # fmt: skip
SPEND_DETAILS = lines(
    {"call_type": "acompletion", "startTime": "2026-11-01T00:00:00Z", "prompt_tokens": 800, "completion_tokens": 250,
     "status": "success", "metadata": json.dumps({"usage_object": {
         "prompt_tokens_details": {"cached_tokens": 600}, "completion_tokens_details": {"reasoning_tokens": 100}}})},
    {"call_type": "acompletion", "startTime": "2026-11-01T02:00:00Z", "prompt_tokens": 800, "completion_tokens": 250,
     "status": "success", "metadata": "{}"},
    {"call_type": "aembedding", "startTime": "2026-11-01T01:00:00Z", "prompt_tokens": 800, "completion_tokens": 0,
     "status": "success", "metadata": "{}"},
)  # fmt: skip
DAILY = (
    "Date,Team,Team ID,Spend ($),Requests,Successful Requests,Failed Requests,Total Tokens,Prompt Tokens,"
    "Completion Tokens\n"
)
DAILY_ROW = "2026-11-01,core,t1,12.5,1000,990,10,1050000,800000,250000\n"
DAILY_COMMAS = '2026-11-02,core,t1,"1,234.50","1,000",990,10,"1,050,000","800,000","250,000"\n'
DAILY_TABLE = {"date": "2026-11-01", "api_requests": 100, "successful_requests": 90, "failed_requests": 10,
               "prompt_tokens": 90_000, "completion_tokens": 9_000, "cache_read_input_tokens": 45_000}  # fmt: skip
ACTIVITY = (
    "generation_id,created_at,cost_total,cost_cache,tokens_prompt,tokens_completion,tokens_reasoning,tokens_cached,"
    "model_permaslug,provider_name,cancelled,finish_reason_normalized\n"
    "gen-1,2026-03-30 02:37:51.271,0.01,0,800,250,100,600,openai/gpt-4.1,OpenAI,false,stop\n"
    "gen-2,2026-03-30 03:37:51.271,0.01,0,800,250,100,600,openai/gpt-4.1,OpenAI,false,stop\n"
)
GENERATION = {"id": "gen-1", "created_at": "2026-11-01T00:00:00Z", "tokens_prompt": 700, "tokens_completion": 200,
              "native_tokens_prompt": 800, "native_tokens_completion": 250, "native_tokens_cached": 600,
              "native_tokens_reasoning": 100, "model": "m"}  # fmt: skip
ACTIVITY_DAY = {"date": "2026-11-01", "model_permaslug": "m", "usage": 1, "requests": 100, "prompt_tokens": 80_000,
                "completion_tokens": 25_000, "reasoning_tokens": 1_000}  # fmt: skip
HELICONE = {"request_id": "r1", "request_created_at": "2026-11-01T00:00:00Z", "request_model": "m",
            "response_status": 200, "prompt_tokens": 800, "completion_tokens": 250}  # fmt: skip
HELICONE_CSV = (
    "response_id,response_status,request_created_at,request_body,model,prompt_tokens,completion_tokens\n"
    '1,200,2026-11-01T00:00:00Z,"{""a"": ""b\nc""}",m,800,250\n'
    '2,500,2026-11-01T01:00:00Z,"b",m,800,0\n'
    '3,-3,2026-11-01T01:00:00Z,"b",m,,\n'
)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (SPEND_CSV, Said("litellm", 3, 1, (800, 250), 18 * 3600)),
        (SPEND_JSON, Said("litellm", 2, 0, (800, 250), 12 * 3600)),
        (SPEND_DETAILS, Said("litellm", 2, 0, (800, 250), 7200, 300, 50, (1,))),
        (DAILY + DAILY_ROW, Said("litellm-daily", 1000, 10, (808.08, 252.53), 86_400)),
        (DAILY + DAILY_ROW + DAILY_COMMAS, Said("litellm-daily", 2000, 20, (808.08, 252.53), 2 * 86_400)),
        (json.dumps(DAILY_TABLE), Said("litellm-daily-table", 100, 10, (1000, 100), 86_400, 500)),
        (ACTIVITY, Said("openrouter", 2, 0, (800, 250), 3600, 600, 100)),
        (json.dumps({"data": GENERATION}, indent=1), Said("openrouter", 1, 0, (800, 250), 0, 600, 100)),
        (json.dumps({"data": [ACTIVITY_DAY]}), Said("openrouter-daily", 100, 0, (800, 250), 86_400, None, 10)),
        (lines(HELICONE), Said("helicone", 1, 0, (800, 250), 0)),
        (json.dumps([HELICONE, HELICONE], indent=2), Said("helicone", 2, 0, (800, 250), 0)),
        (HELICONE_CSV, Said("helicone", 3, 2, (800, 250), 3600)),
    ],
    ids=["spend csv", "spend json", "spend details", "daily", "daily with commas", "daily table", "openrouter",
         "generation", "openrouter daily", "helicone jsonl", "helicone json", "helicone csv"],
)  # fmt: skip
def test_the_logs_of_gateways_are_read_as_they_are(tmp_path: Path, text: str, right: Said) -> None:
    assert said_of(read(tmp_path, text)) == right


# Observability


def observation(hour: str, **usage: int) -> dict[str, Any]:
    return {"id": "o", "trace_id": "t", "type": "GENERATION", "start_time": f"2026-11-01 {hour}:00:00.000000",
            "provided_model_name": "m", "usage_details": {"output": 250, "total": 1050, **usage}}  # fmt: skip


INSIDE = observation("00", input=800, input_cached_tokens=600)
BESIDE = observation("00", input=200, input_cached_tokens=600)  # the total says that these were not counted in
PLAIN = observation("12", input=800)
OTHER = {**PLAIN, "type": "SPAN", "usage_details": {}}
AS_CSV = 'id,trace_id,type,start_time,usage_details\no,t,GENERATION,2026-11-01 {}:00:00,"{}"\n'


def span(hour: int, status: int = 0, **attributes: Any) -> dict[str, Any]:
    pairs = [{"key": f"gen_ai.{k}", "value": {"intValue": str(v)}} for k, v in attributes.items()]
    start = str((1_730_451_600 + hour * 3600) * 10**9)
    return {"name": "chat", "startTimeUnixNano": start, "attributes": pairs, "status": {"code": status}}


USAGE = {"usage.input_tokens": 800, "usage.output_tokens": 250}
FLAT = {"trace_id": "a", "name": "chat", "start_time": "2026-11-01T00:00:00Z"}
FLAT_SPANS = lines(
    {**FLAT, "attributes": {"gen_ai.usage.input_tokens": 800, "gen_ai.usage.output_tokens": 250}},
    {**FLAT, "attributes": {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 1600,
                            "gen_ai.usage.output_tokens": 500}},
    {**FLAT, "attributes": {"db.system": "postgresql"}, "status": {"code": "ERROR"}},
    {**FLAT, "start_time": "2026-11-01T01:00:00Z",
     "attributes": {"gen_ai.usage.prompt_tokens": 800, "gen_ai.usage.completion_tokens": 250}},
)  # fmt: skip
OTLP = {"resourceSpans": [{"scopeSpans": [{"spans": [span(0, **USAGE, **{"usage.cache_read.input_tokens": 600})]}]}]}


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (lines(INSIDE, PLAIN), Said("langfuse", 2, 0, (800, 250), 12 * 3600, 300)),
        (json.dumps([BESIDE, PLAIN, OTHER], indent=1), Said("langfuse", 2, 0, (800, 250), 12 * 3600, 300, None, (1,))),
        (
            AS_CSV.format("00", json.dumps(BESIDE["usage_details"]).replace('"', '""')),
            Said("langfuse", 1, 0, (800, 250), 0, 600),
        ),
        (FLAT_SPANS, Said("otel", 2, 0, (800, 250), 3600, None, None, (2,))),
        (
            lines({"trace_id": "a", "spans": [span(0, **USAGE), span(1, 2, **USAGE)]}),
            Said("otel", 2, 1, (800, 250), 3600),
        ),
        (json.dumps(OTLP, indent=1), Said("otel", 1, 0, (800, 250), 0, 600)),
    ],
    ids=["langfuse jsonl", "langfuse json", "langfuse csv", "spans", "traces", "otlp"],
)
def test_observations_and_spans_are_read_where_they_are_calls_of_a_model(
    tmp_path: Path, text: str, right: Said
) -> None:
    assert said_of(read(tmp_path, text)) == right


@pytest.mark.parametrize("kind", ["map", "struct", "text"])
def test_parquet_holds_usage_as_map_struct_or_text(tmp_path: Path, kind: str) -> None:
    usage = [{"input": 800, "output": 250, "total": 1050, "input_cached_tokens": 600}, {"input": 800, "output": 250}]
    column = {
        "map": pa.array([list(row.items()) for row in usage], pa.map_(pa.string(), pa.int64())),
        "struct": pa.array(usage),
        "text": pa.array([json.dumps(row) for row in usage]),
    }[kind]
    start = pa.array([1_762_000_000_000_000, 1_762_043_200_000_000], pa.timestamp("us"))
    names = pa.array(["m", "m"]).dictionary_encode()
    pq.write_table(
        pa.table({"trace_id": ["a", "b"], "type": ["GENERATION"] * 2, "start_time": start,
                  "provided_model_name": names, "usage_details": column}),
        tmp_path / "log.parquet",
    )  # fmt: skip

    log = read_log(tmp_path / "log.parquet")

    assert said_of(log) == Said("langfuse", 2, 0, (800, 250), 12 * 3600, 300)
    assert log.model is not None
    assert log.model.names == ("m",)


# OpenAI's usage

EXPORT = (
    "start_time,end_time,start_time_iso,project_id,num_model_requests,model,input_tokens,output_tokens,"
    "input_cached_tokens\n"
)
EXPORT_DAYS = (
    "1730419200,1730505600,2024-11-01T00:00:00+00:00,p,10.0,gpt-4o,2000.0,1000.0,1600.0\n"
    "1730505600,1730592000,2024-11-02T00:00:00+00:00,,,,,,\n"
    "1730592000,1730678400,2024-11-03T00:00:00+00:00,p,10.0,gpt-4o,2000.0,1000.0,1600.0\n"
)
BUCKET = {"object": "bucket", "start_time": 1730419200, "end_time": 1730505600}
RESULT = {"input_tokens": 1000, "output_tokens": 500, "input_cached_tokens": 800, "num_model_requests": 5}
EMPTY = {"object": "bucket", "start_time": 1730505600, "end_time": 1730592000, "results": []}


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (json.dumps({"object": "page", "data": [{**BUCKET, "results": [RESULT]}], "has_more": False}),
         Said("openai-usage", 5, 0, (200, 100), 86_400, 160)),
        (json.dumps({"object": "page", "data": [{**BUCKET, "results": [RESULT, RESULT]}, EMPTY]}, indent=2),
         Said("openai-usage", 10, 0, (200, 100), 2 * 86_400, 160)),
        (EXPORT + EXPORT_DAYS.splitlines()[0] + "\n", Said("openai-usage", 10, 0, (200, 100), 86_400, 160)),
        (EXPORT + EXPORT_DAYS, Said("openai-usage", 20, 0, (200, 100), 3 * 86_400, 160)),
    ],
    ids=["page", "a bucket without use", "export", "a day without use"],
)  # fmt: skip
def test_usage_is_an_aggregate_whose_empty_buckets_are_time_too(tmp_path: Path, text: str, right: Said) -> None:
    log = read(tmp_path, text)

    assert said_of(log) == right
    assert log.is_aggregate


# Published traces

AZURE_2025 = (
    "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n"
    "2024-10-01 00:00:00.009930,2,2162,5\n2024-10-01 01:00:00,0,2399,6\n"
)
BURST = (
    "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5,,3.1,ChatGPT,472,18,490,Conversation log\n45,s1,6.0,ChatGPT,1087,230,1317,API log\n"
    "86405,,2.0,GPT-4,417,0,417,Conversation log\n86465,,2.0,GPT-4,417,276,693,Conversation log\n"
)


def chat(number: int, parent: int, at_s: float, given: int, out: int) -> dict[str, Any]:
    return {"chat_id": number, "parent_chat_id": parent, "timestamp": at_s, "input_length": given,
            "output_length": out, "type": "text", "turn": 1, "hash_ids": [1, 2]}  # fmt: skip


BAILIAN = lines(chat(159, -1, 61.114, 521, 132), chat(160, 159, 361.114, 700, 90), chat(163, -1, 7261.114, 279, 228))


def moon(*times: float, **more: Any) -> str:
    return lines(
        *({"timestamp": t, "input_length": 10 * n, "output_length": 5, **more} for n, t in enumerate(times, 1))
    )


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n"
         "2024-05-10 00:00:01+00:00,2399,6\n2024-05-11 00:00:00.009930+00:00,2399,6\n",
         Said("azure", 3, 0, (2320, 5.67), 86_400)),
        (AZURE_2025, Said("azure", 2, 0, (2280.5, 5.5), 3599.99)),
        (BURST, Said("burstgpt", 4, 1, (658.67, 174.67), 86_460)),
        (BAILIAN, Said("bailian", 3, 0, (500, 150), 7200)),
        (moon(0.0, 3600.0, 7200.0), Said("mooncake", 3, 0, (20, 5), 7200)),  # seconds: written as fractions
        (moon(0, 0.5, 86_400.25), Said("mooncake", 3, 0, (20, 5), 86_400.25)),
        ("timestamp,input_length,output_length\n0.0,10,5\n3600.0,10,5\n", Said("mooncake", 2, 0, (10, 5), 3600)),
        (moon(0, 3000, 3_600_000), Said("mooncake", 3, 0, (20, 5), 3600)),  # Mooncake's own: whole milliseconds
        (moon(1_730_451_600_000, 1_730_455_200_000), Said("mooncake", 2, 0, (15, 5), 3600)),
        (lines({"input_length": 10, "output_length": 5, "session_id": "a"}), Said("mooncake", 1, 0, (10, 5), 0)),
        (lines(*({"session_id": s, "input_length": 10, "output_length": 5, **more}
                 for s, more in (("a", {"timestamp": 0.5}), ("b", {"timestamp": 60.5}), ("a", {"delay": 90_000})))),
         Said("mooncake", 3, 0, (10, 5), 90)),
        (lines({"id": "u1", "requests": [{"t": 0.0, "in": 800, "out": 250, "hash_ids": [1, 2]}]}),
         Said("weka", 1, 0, (800, 250), 0)),
        (lines({"id": "u1", "hash_id_scope": "local", "requests": [{"t": 0.0, "in": 800, "out": 250},
                                                                   {"t": 10.0, "in": 800, "out": 250}]},
               {"id": "u2", "requests": [{"t": 3600.0, "in": 800, "out": 250}]}),
         Said("weka", 3, 0, (800, 250), 3600)),
    ],
    ids=["azure 2024", "azure 2025", "burstgpt", "bailian", "whole seconds", "fractions", "csv of seconds", "mooncake",
         "epoch ms", "no times", "delays", "weka", "weka of several"],
)  # fmt: skip
def test_published_traces_keep_their_own_unit(tmp_path: Path, text: str, right: Said) -> None:
    assert said_of(read(tmp_path, text)) == right


def test_a_gzipped_trace_is_read_as_it_is(tmp_path: Path) -> None:
    for text, name in ((AZURE_2025, "a.csv.gz"), (BAILIAN, "b"), (SPEND_JSON, "c.json.gz")):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
        (tmp_path / "plain").write_text(text)

        assert said_of(read_log(tmp_path / name)) == said_of(read_log(tmp_path / "plain"))


def test_images_models_and_conversations_are_kept(tmp_path: Path) -> None:
    azure, burst, bailian = read(tmp_path, AZURE_2025), read(tmp_path, BURST), read(tmp_path, BAILIAN)

    assert azure.images is not None
    assert azure.images.tolist() == [2, 0]
    assert burst.model is not None
    assert [burst.model.names[code] for code in burst.model.codes] == ["ChatGPT", "ChatGPT", "GPT-4", "GPT-4"]
    assert bailian.session is not None
    assert [bailian.session.names[code] for code in bailian.session.codes] == ["159", "159", "163"]
    assert bailian.block_tokens == 16


def test_conversations_that_all_begin_at_0_have_no_common_clock(tmp_path: Path) -> None:
    turns = [{"t": 0.0, "in": 800, "out": 250}, {"t": 10.0, "in": 800, "out": 250}]
    log = read(tmp_path, lines({"id": "u1", "requests": turns}, {"id": "u2", "requests": turns}))

    assert (log.unit, log.end_s) == ("none", 0)
    assert log.notes == ("times count from the start of each conversation: no volume",)


# Anything else

NGINX = {"time_iso8601": "2026-11-01T00:00:00+00:00", "status": "200", "request_time": "3.0", "prompt_tokens": "800",
         "completion_tokens": "250"}  # fmt: skip
LOCAL = [
    {"time_local": "01/Nov/2026:00:00:00 +0100", "status": "200",
     "usage": {"prompt_tokens": 800, "completion_tokens": 250, "prompt_tokens_details": {"cached_tokens": 600}}},
    {"time_local": "01/Nov/2026:01:00:00 +0100", "status": "502 Bad Gateway", "usage": None},
    {"time_local": "01/Nov/2026:02:00:00 +0100", "status": "200",
     "usage": {"prompt_tokens": 800, "completion_tokens": 250}},
]  # fmt: skip
USAGES = lines(
    {"timestamp": "2026-11-01T00:00:00Z", "usage": {"input_tokens": 500, "cache_read_input_tokens": 220,
                                                    "cache_creation_input_tokens": 80, "output_tokens": 250}},
    {"timestamp": "2026-11-01T00:30:00Z", "usage": {"prompt_tokens": 800, "completion_tokens": 250,
                                                    "total_tokens": 1050,
                                                    "prompt_tokens_details": {"cached_tokens": 600}}},
    {"timestamp": "2026-11-01T00:40:00Z", "usage": {"input_tokens": 800, "output_tokens": 250,
                                                    "input_tokens_details": {"cached_tokens": 600}}},
    {"timestamp": "2026-11-01T01:00:00Z", "usage": {"input_tokens": 800, "output_tokens": 250}},
)  # fmt: skip
OURS = "arrival_s,input_tokens,output_tokens,cached_input_tokens\n"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (lines(NGINX), Said("access-log", 1, 0, (800, 250), 0)),
        (lines(*LOCAL), Said("access-log", 3, 1, (800, 250), 7200, 300)),
        ("timestamp,input_tokens,output_tokens,cached_tokens\n2026-11-01 00:00:00,800,250,600\n", Said(
            "access-log", 1, 0, (800, 250), 0, 600)),
        (USAGES, Said("access-log", 4, 0, (800, 250), 3600, 355)),
        (OURS + "2026-03-30 02:37:51.271,800,250,600\n2026-03-30 03:37:51.271,800,250,600\n",
         Said("ours", 2, 0, (800, 250), 3600, 600)),
        ("arrival_s,input_tokens,output_tokens,error\n0,800,250,\n30,800,250,http_500\n60,800,250,\n",
         Said("ours", 3, 1, (800, 250), 60)),
        (OURS.replace(",", ";") + "0;800;250;600\n60;800;250;600\n", Said("ours", 2, 0, (800, 250), 60, 600)),
        (OURS + "1730451600000000000,800,250,\n1730455200000000000,800,250,\n", Said("ours", 2, 0, (800, 250), 3600)),
    ],
    ids=["nginx", "local time", "plain names", "cached beside the input", "ours", "errors", "semicolons", "epoch ns"],
)  # fmt: skip
def test_access_logs_and_our_own_layout_are_read(tmp_path: Path, text: str, right: Said) -> None:
    assert said_of(read(tmp_path, text)) == right


def test_any_other_table_is_read_by_naming_its_columns(tmp_path: Path) -> None:
    table = "when_ms,prompt,answer\n0,800,250\n60000,800,250\n"
    inside = lines({"ts": 0, "use": {"in": 800, "out": 250}}, {"ts": 60, "use": {"in": 800, "out": 250}})
    names = {"time": "when_ms", "input_tokens": "prompt", "output_tokens": "answer"}
    deep = {"time": "ts", "input_tokens": "use.in", "output_tokens": "use/out"}

    assert said_of(read(tmp_path, table, columns=names)) == Said("named-columns", 2, 0, (800, 250), 60)
    assert said_of(read(tmp_path, inside, columns=deep, time_unit="s")) == Said("named-columns", 2, 0, (800, 250), 60)


def test_a_named_column_goes_before_the_layouts_own(tmp_path: Path) -> None:
    text = "arrival_s,input_tokens,output_tokens,billed\n0,800,250,900\n60,800,250,900\n"

    assert said_of(read(tmp_path, text, columns={"input_tokens": "billed"})) == Said("ours", 2, 0, (900, 250), 60)
