"""What a server says beside its answers, of any type: unknown at worst, and the run is there and reads."""

import json
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from faulty_exchange import DONE, Exchange
from field import END, FieldServer, chunk, streamed, words
from load_helpers import records_of, run_load, scenario

from harness.backends import BACKENDS
from harness.backends.said import LONGEST_TEXT, Info, Listed, Models, Props, Show, read_said
from harness.load.process.trial import via_of
from harness.load.wire.headers import pause_s
from harness.pipeline.analyse import analyse_run
from harness.rundir.files import read_manifest
from harness.rundir.manifest import LONGEST_MODEL

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEEP = b'{"a": ' * 150 + b"1" + b"}" * 150
HUGE = 10**30


def said(kind: Any, body: Any) -> Any:
    return read_said(kind, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("value", "count"),
    [(512, 512), ("512", 512), (512.4, 512), (-1, None), ("many", None), (True, None), ([512], None), ({}, None),
     (None, None), (HUGE, None), (1e308, None), (float("nan"), None), (float("-inf"), None), (0, 0)],
)  # fmt: skip
def test_a_number_is_a_possible_count_or_unknown_whatever_says_it(value: object, count: int | None) -> None:
    assert said(Props, {"total_slots": value}).total_slots == count
    assert said(Props, {"default_generation_settings": {"n_ctx": value}}).context == (count or None)
    assert said(Info, {"max_total_tokens": value}).max_total_tokens == count
    assert said(Models, {"data": [{"id": "m", "max_model_len": value}]}).first.max_model_len == count
    assert said(Show, {"model_info": {"llama.context_length": value}}).number("context_length") == (count or None)


@pytest.mark.parametrize("odd", [7, None, [], {"id": 8}, "x" * (LONGEST_TEXT + 1)], ids=str)
def test_a_model_without_a_usable_name_is_not_listed_and_costs_no_other(odd: object) -> None:
    models = said(Models, {"data": [{"id": odd}, odd, {"id": "m", "root": odd}]})

    assert models.listed == [Listed(id="m")]


@pytest.mark.parametrize("data", [7, {"id": "m"}, "m", None, [[]]])
def test_a_list_of_models_that_is_none_lists_none(data: object) -> None:
    assert said(Models, {"data": data}).listed == []


@pytest.mark.parametrize("parameters", ["num_ctx \u00b2", "num_ctx " + "9" * 5000, "num_ctx nan", "num_ctx -5", 7, []])
def test_ollamas_lines_of_parameters_hold_a_number_or_none(parameters: object) -> None:
    show = said(Show, {"parameters": parameters, "model_info": [], "details": 3})

    assert (show.num_ctx, show.number("context_length"), show.details) == (None, None, None)


def test_no_name_is_taken_that_run_json_could_not_hold() -> None:
    assert LONGEST_TEXT == LONGEST_MODEL


@pytest.mark.parametrize("text", ["nan", "inf", "-3", "1e400", "soon", ""])
def test_a_gateways_own_time_is_a_number_or_unknown(text: str) -> None:
    via = via_of({"x-kong-proxy-latency": text, "server": "s"})

    assert via is not None
    assert via.added_ms is None


@pytest.mark.parametrize(
    "text",
    [f"Mon, 01 Jan 2024 00:00:00 +{HUGE}", f"Mon, {HUGE} Jan 2024 00:00:00", "Mon, 01 Jan 2024 00:00:00 +9999999"],
)
def test_a_date_that_is_none_asks_for_no_pause(text: str) -> None:
    assert pause_s({"retry-after": text, "date": text}, NOW) is None


class Talker(FieldServer):
    """Answers each route of `pages` with those bytes, and completions well."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        super().__init__(streamed(*words(5), *END))
        self.pages = pages

    def answer(self, exchange: Exchange) -> None:
        page = self.pages.get(exchange.path.removeprefix("/field"))
        if page is None:
            super().answer(exchange)
        else:
            exchange.whole(200, page)


def ran(tmp_path: Path, pages: dict[str, Any]) -> Any:
    """The manifest of a run against such a server, read back once it was reported; its rows are all there."""
    bodies = {route: page if isinstance(page, bytes) else json.dumps(page).encode() for route, page in pages.items()}
    work = scenario(request={"timeout_s": 5, "api": "chat"})
    with Talker(bodies) as server:
        measured = run_load(tmp_path, server.base_url, backend="openai", work=work, preflight=True)
    assert measured.failure is None
    assert records_of(measured)["error"].isna().any()
    analyse_run(measured.run_dir)
    return read_manifest(measured.run_dir)


def test_a_run_against_an_engine_whose_facts_are_none_is_whole_and_reads(tmp_path: Path) -> None:
    props = {
        "build_info": "b1\u001b[2J", "total_slots": HUGE, "n_ctx": -1, "model_path": 7,
        "default_generation_settings": [],
    }  # fmt: skip
    models = {"data": [{"id": None}, 7, {"id": "m", "meta": {"n_params": HUGE, "ftype": {}}}]}

    manifest = ran(tmp_path, {"/props": props, "/v1/models": models, "/tokenize": {"count": "text"}})

    assert (manifest.engine["name"], manifest.model) == ("llama_server", "m")
    assert manifest.identity.slots is manifest.identity.context is manifest.identity.parameters is None


def test_flags_that_no_json_file_could_hold_cost_themselves(tmp_path: Path) -> None:
    info = b'{"router": "r", "sha": "abc", "big": %d, "nan": NaN, "deep": %s, "long": "%s"}' % (HUGE, DEEP, b"x" * 9999)

    manifest = ran(tmp_path, {"/info": info, "/tokenize": [1] * 100_000})

    unknown = dict.fromkeys(("big", "nan", "deep", "long"))
    assert manifest.engine["flags"] == {"router": "r", "sha": "abc", **unknown}


@pytest.mark.parametrize(
    ("answer", "count"),
    [({"count": 5}, 5), ({"count": 5.0}, 5), ({"count": 8.5}, 8), ({"count": "5"}, 5), ({"count": "text"}, None),
     ({"count": None}, None), ({"count": -5}, None), ({"count": True}, None), ({"count": [1, 2]}, None),
     ({"count": HUGE}, None), ({}, None), ([], 0), ({"tokens": [1, 2]}, 2), ({"tokens": 2}, None), (7, None),
     ({"count": "text", "tokens": [1, 2]}, 2), ({"tokenize_response": [[1], [2]]}, 2), ({"count": float("nan")}, None)],
)  # fmt: skip
@pytest.mark.parametrize("backend", ["openai", "vllm", "llama_cpp", "tgi", "sglang"])
def test_a_tokenizers_count_is_a_count_or_none(answer: object, count: int | None, backend: str) -> None:
    assert BACKENDS[backend].token_count("/tokenize", json.dumps(answer).encode()) == count


class OddTokenizer(FieldServer):
    """Counts no tokens itself; every second answer that its tokenizer is asked for has an odd count."""

    def __init__(self) -> None:
        super().__init__(streamed(*words(5), chunk(finish="stop"), DONE), tokenizer=True)
        odd = ({"count": "text"}, {"count": -1}, [1] * 90_000, b"[" * 90_000, {"count": 0}, {"count": 999_999_999})
        self._odd = cycle([part for answer in odd for part in (answer, None)])

    def answer(self, exchange: Exchange) -> None:
        odd = next(self._odd) if "w4" in exchange.body.get("prompt", "") else None
        if odd is None:
            super().answer(exchange)
        else:
            exchange.whole(200, odd if isinstance(odd, bytes) else json.dumps(odd).encode())


def test_an_odd_count_of_an_answer_costs_that_count_alone(tmp_path: Path) -> None:
    with OddTokenizer() as server:
        measured = run_load(
            tmp_path, server.base_url, backend="vllm", work=scenario(request={"timeout_s": 5, "api": "chat"})
        )

    rows = records_of(measured)
    tokens = rows.loc[rows["error"].isna(), "output_tokens"]
    assert len(tokens) > 6
    assert set(tokens.dropna()) <= {0, 5}  # 0: what it says of an answer, as of no text
    assert abs(int((tokens == 5).sum()) - len(tokens) / 2) <= 1
    analyse_run(measured.run_dir)


def vllm_page(tokens: int) -> bytes:
    """A page that is odd in every way, with one quantity that is not."""
    series = "".join(f'vllm:odd{{n="{n}"}} {n}\n' for n in range(2000))
    return (
        "# TYPE vllm:generation_tokens_total histogram\n# HELP \x1b[2J\n"
        f"vllm:generation_tokens_total {tokens}\nvllm:prompt_tokens_total NaN\nvllm:num_requests_running 1e400\n"
        "vllm:num_requests_waiting -3\nvllm:kv_cache_usage_perc many\nvllm:num_preemptions_total -1\n"
        f"vllm:prefix_cache_queries_total 1\nvllm:prefix_cache_hits_total {tokens}\n"
        f'vllm:time_to_first_token_seconds_bucket{{le="x"}} {tokens}\nvllm:time_to_first_token_seconds_bucket 3\n'
        f"vllm:time_to_first_token_seconds_count {tokens}\nvllm:time_to_first_token_seconds_sum -{tokens}\n"
        f'vllm:x{{a="1", ="x"}} 15 # {{trace="x"}} 1\n{series}'
    ).encode()


class OddPage(FieldServer):
    """Serves `vllm_page`, each time 100 tokens on."""

    looks = 0

    def answer(self, exchange: Exchange) -> None:
        if exchange.path.endswith("/metrics"):
            self.looks += 1
            exchange.whole(200, vllm_page(100 * self.looks))
        else:
            super().answer(exchange)


def test_a_page_of_metrics_that_is_odd_in_every_way_costs_no_report(tmp_path: Path) -> None:
    work = scenario(
        load={"kind": "closed", "users": [1], "step_s": 1, "warmup_s": 0}, request={"timeout_s": 5, "api": "chat"}
    )
    with OddPage(streamed(*words(5), *END)) as server:
        measured = run_load(tmp_path, server.base_url, backend="vllm", work=work)

    said = analyse_run(measured.run_dir).metrics.server

    assert (said.engine, said.note) == ("vllm", None)
    assert {"prompt_tokens", "requests_waiting", "kv_cache_usage", "preemptions"} <= set(said.missing)
    assert "generation_tokens" not in said.missing
    assert read_manifest(measured.run_dir).engine["name"] == "vllm"
