"""What engines' pages say: parsed exactly, read by name and version, None where a series is not there."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from scraped import run, scrapes, steady, vllm

from harness.metrics.catalogue import Readings, readings_of, series_of
from harness.rundir.accounts import Gauge, Histogram
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Metrics
from harness.rundir.scrapes import frame_of_scrapes


def readings(rows: list[dict[str, Any]]) -> Readings:
    found = readings_of(series_of(frame_of_scrapes(rows)))
    assert found is not None
    return found


def test_a_page_is_parsed_as_the_prometheus_client_parses_it() -> None:
    page = vllm(tokens=1234.5, done=3)

    frame = frame_of_scrapes(scrapes((1.0, page)))

    theirs = [s for family in text_string_to_metric_families(page) for s in family.samples]
    got = set(zip(frame["name"], frame["value"], strict=True))
    assert got == {(s.name, s.value) for s in theirs} | {("up", 1.0)}


def test_a_series_that_did_not_change_still_holds_at_the_next_scrape() -> None:
    page = vllm(tokens=10, usage=0.5)
    values = readings(scrapes((1.0, page), (2.0, page))).values_at("vllm:kv_cache_usage_perc", 2.0)

    assert values is not None
    assert [value for _, value in values] == [0.5]


def test_a_counters_increase_is_over_all_its_series() -> None:
    read = readings(scrapes((1.0, vllm(done=3)), (2.0, vllm(done=8))))

    assert read.increase("vllm:request_success_total", 1.0, 2.0) == 5


def test_a_series_that_is_not_there_is_none_and_named() -> None:
    page = "\n".join(line for line in vllm().splitlines() if "kv_cache" not in line)
    read = readings(scrapes((1.0, page)))

    assert read.name_of("kv_cache_usage") is None
    assert read.values_at("vllm:kv_cache_usage_perc", 1.0) is None
    assert read.missing() == ["kv_cache_usage"]


def test_an_older_versions_name_is_found_and_not_added_to_the_new_one() -> None:
    old = vllm(usage=0.25).replace("kv_cache_usage_perc", "gpu_cache_usage_perc")

    assert readings(scrapes((1.0, old))).name_of("kv_cache_usage") == "vllm:gpu_cache_usage_perc"
    both = readings(scrapes((1.0, old + vllm(usage=0.5))))
    assert both.name_of("kv_cache_usage") == "vllm:kv_cache_usage_perc"


def test_a_histogram_gives_mean_and_the_upper_edge_of_its_95th_percentile() -> None:
    # 4 requests more, 1.0 s more in the queue together: 0.25 s each, all in the bucket up to 0.3
    read = readings(scrapes((1.0, vllm(done=2, queue_s=0.5)), (2.0, vllm(done=6, queue_s=1.5))))

    assert read.histogram("queue_time_s", 1.0, 2.0) == Histogram(n=4, mean=0.25, p95_at_most=0.3)


def test_a_histogram_that_took_in_nothing_has_no_mean() -> None:
    read = readings(scrapes((1.0, vllm(done=2)), (2.0, vllm(done=2))))

    assert read.histogram("queue_time_s", 1.0, 2.0) == Histogram(n=0)


def test_a_counter_that_falls_is_a_restart() -> None:
    read = readings(scrapes((1.0, vllm(tokens=50)), (2.0, vllm(tokens=3)), (3.0, vllm(tokens=9))))

    assert read.resets() == [("vllm:generation_tokens_total", 2.0)]


def test_tgis_counters_begin_to_exist_with_the_first_request() -> None:
    page = "# TYPE tgi_queue_size gauge\ntgi_queue_size 0\n"
    read = readings(scrapes((1.0, page), (2.0, page + "tgi_request_generated_tokens_sum 12\n")))

    assert read.increase("tgi_request_generated_tokens_sum", 1.0, 2.0) == 12


def test_llama_servers_page_is_known() -> None:
    page = "# TYPE llamacpp:tokens_predicted_total counter\nllamacpp:tokens_predicted_total 8\n"

    assert readings(scrapes((1.0, page))).engine == "llama_server"


def test_replicas_are_summed_and_only_where_all_of_them_answered() -> None:
    rows = scrapes((1.0, vllm(tokens=10)), (2.0, vllm(tokens=20)), (3.0, vllm(tokens=30)))
    rows += scrapes((1.1, vllm(tokens=1)), (3.1, vllm(tokens=5)), url="http://b")

    assert readings(rows).scrape_times() == [1.1, 3.1]
    assert readings(rows).increase("vllm:generation_tokens_total", 1.1, 3.1) == 24


def test_a_page_of_an_unknown_engine_is_nobodys() -> None:
    rows = scrapes((1.0, "# TYPE go_threads gauge\ngo_threads 3\n"))

    assert readings_of(series_of(frame_of_scrapes(rows))) is None


def test_lines_that_are_no_samples_are_left_out() -> None:
    frame = frame_of_scrapes(scrapes((1.0, "# TYPE a gauge\na 1\nhalf{x=\nb 2")))

    assert list(frame["name"]) == ["up", "a", "b"]


# A run of 10 s, two users, 50 tokens/s each: requests of 50 tokens from first token to last in 0.98 s, no pauses.
def judged(pages: list[tuple[float, str]] | None, **more: Any) -> tuple[Metrics, dict[str, list[str]]]:
    """metrics.json with the server's account, and the codes found by level."""
    metrics = run(None if pages is None else frame_of_scrapes(scrapes(*pages)), **more)
    found: dict[str, list[str]] = {"warning": [], "error": []}
    for one in (*metrics.steps[0].checks, *metrics.checks):
        if one.code not in {"token_source", "box_not_filled"}:  # of one load nobody can tell where it ends
            found[one.level].append(one.code)
    return metrics, found


def test_counts_that_agree_are_no_finding() -> None:
    metrics, found = judged(steady(10, 100))

    server = metrics.steps[0].server
    assert server is not None
    assert server.between == WindowOfStep(start_s=2.0, end_s=10.0)
    assert server.generation_tokens == 800
    assert server.client_generation_tokens == 800  # 2 users x 8 s x 50
    assert server.requests_running == Gauge(mean=2.0, max=2.0)
    assert found == {"warning": [], "error": []}


@pytest.mark.parametrize(("rate", "hint"), [(110, "somebody else"), (90, "all replicas")])
def test_counts_that_differ_by_more_than_2_percent_are_an_error(rate: int, hint: str) -> None:
    metrics, found = judged(steady(10, rate))

    assert found["error"] == ["counts_differ"]
    assert hint in metrics.steps[0].checks[-1].hint


def test_counts_within_2_percent_are_no_finding() -> None:
    assert judged(steady(10, 101.5))[1]["error"] == []


def test_without_our_own_counts_there_is_nothing_to_compare() -> None:
    metrics, found = judged(steady(10, 500), tokens=None)

    assert metrics.steps[0].server.client_generation_tokens is None
    assert found["error"] == []


def test_a_restart_is_an_error() -> None:
    pages = [(t, vllm(tokens=t * 100 if t < 5 else (t - 5) * 100, running=2)) for t in map(float, range(11))]

    assert "engine_restarted" in judged(pages)[1]["error"]


def test_preemptions_and_cache_hits_are_warnings() -> None:
    pages = [
        (t, vllm(tokens=t * 100, running=2, preemptions=t, queries=t * 20, hits=t * 10)) for t in map(float, range(11))
    ]

    metrics, found = judged(pages)

    assert metrics.steps[0].server.preemptions == 8
    assert metrics.steps[0].server.prefix_cache_hit_rate == 0.5
    assert found["warning"] == ["preempted", "prefix_cache_hits"]


def test_a_missing_series_is_none_and_a_warning_that_names_it() -> None:
    pages = [(t, page.replace("vllm:kv_cache_usage_perc", "vllm:renamed")) for t, page in steady(10, 100)]

    metrics, found = judged(pages)

    assert metrics.steps[0].server.kv_cache_usage is None
    assert found["warning"] == ["server_metrics_missing"]
    (message,) = (one.message for one in metrics.checks if one.code == "server_metrics_missing")
    assert message.startswith("vllm 0.32.0 does not tell kv_cache_usage")
    assert "vllm:kv_cache_usage_perc" in message


def test_a_tgi_without_gauges_lacks_nothing_that_every_tgi_has() -> None:
    # its llama.cpp backend has the histograms and counters of requests alone
    of_requests = (
        "# TYPE tgi_request_success counter\ntgi_request_success 1\n"
        "# TYPE tgi_request_generated_tokens histogram\ntgi_request_generated_tokens_sum 12\n"
        "# TYPE tgi_request_input_length histogram\ntgi_request_input_length_sum 5\n"
        "# TYPE tgi_request_queue_duration histogram\ntgi_request_queue_duration_sum 0.1\n"
        "tgi_request_queue_duration_count 1\n"
    )

    assert readings(scrapes((1.0, of_requests))).missing() == []
    assert readings(scrapes((1.0, of_requests.replace("tgi_request_success", "tgi_other")))).missing() == [
        "requests_finished"
    ]


def test_sglangs_prompt_counter_has_those_out_of_the_cache_too_and_a_cache_without_hits_tells_nothing() -> None:
    def page(prompt: int, cached: int | None) -> str:
        hits = "" if cached is None else f'sglang:cached_tokens_total{{cache_source="device"}} {cached}\n'
        return (
            "# TYPE sglang:prompt_tokens_total counter\n"
            f'sglang:prompt_tokens_total{{is_streaming="true"}} {prompt}\n{hits}'
            f'sglang:token_usage{{tp_rank="0",dp_rank="0"}} 0.5\nsglang:num_running_reqs{{dp_rank="0"}} 2\n'
            f'sglang:token_usage{{tp_rank="0",dp_rank="1"}} 0.75\nsglang:num_running_reqs{{dp_rank="1"}} 3\n'
        )

    reused = judged([(t + 0.5, page(t * 100, t * 25)) for t in range(10)])[0].steps[0].server
    fresh = judged([(t + 0.5, page(t * 100, None)) for t in range(10)])[0].steps[0].server

    assert reused is not None
    assert (reused.prefix_cache_queries, reused.prefix_cache_hits, reused.prefix_cache_hit_rate) == (700, 175, 0.25)
    assert reused.requests_running == Gauge(mean=5.0, max=5.0)  # of all copies
    assert reused.kv_cache_usage == Gauge(mean=0.75, max=0.75)
    assert fresh is not None
    assert fresh.prefix_cache_hits is None


def test_a_window_with_too_few_scrapes_says_nothing() -> None:
    assert judged([(0.0, vllm()), (5.0, vllm(tokens=500))])[0].steps[0].server is None


def test_an_engine_without_a_page_is_said_to_have_none() -> None:
    metrics, found = judged(None)

    assert metrics.steps[0].server is None
    assert "no /metrics" in metrics.server.note
    assert found == {"warning": [], "error": []}


def test_tokens_counted_at_a_requests_end_are_compared_with_requests_that_ended() -> None:
    # every request ends at n.99 and is counted then; scrapes at n.5 are far from it: 2 x 50 tokens in each second
    pages = [
        (
            t + 0.5,
            "# TYPE llamacpp:tokens_predicted_total counter\n"
            f"llamacpp:tokens_predicted_total {t * 100}\nllamacpp:requests_processing 2\n",
        )
        for t in range(10)
    ]

    metrics, found = judged(pages)

    server = metrics.steps[0].server
    assert server is not None
    assert (server.generation_tokens, server.client_generation_tokens) == (700, 700)  # 2.5 s to 9.5 s
    assert found["error"] == []


def test_a_scrape_beside_an_answers_end_is_no_edge_for_tokens_counted_at_the_end() -> None:
    pages = [
        (t + 1.0, f"# TYPE llamacpp:tokens_predicted_total counter\nllamacpp:tokens_predicted_total {t}\n")
        for t in range(10)
    ]

    assert judged(pages)[0].steps[0].server is None  # all lie 10 ms from an answer's end


@pytest.mark.parametrize("end_s", [0.2, 0.4])
def test_a_token_that_ends_an_answer_without_a_text_is_counted_when_it_has_come(end_s: float) -> None:
    # last texts at n.99, ends a prompt's prefill later, at (n + 1).19 or .39; each look at (n + 1).3
    ended = 1 if end_s < 0.31 else 0
    pages = [
        (
            t + 1.3,
            "# TYPE llamacpp:tokens_predicted_total counter\n"
            f"llamacpp:tokens_predicted_total {(t + ended) * 100}\nllamacpp:requests_processing 2\n",
        )
        for t in range(9)
    ]

    metrics, found = judged(pages, end_s=end_s)

    server = metrics.steps[0].server
    assert server is not None
    assert server.between == WindowOfStep(start_s=2.3, end_s=9.3)
    assert (server.generation_tokens, server.client_generation_tokens) == (700, 700)
    assert (server.client_requests_finished, found["error"]) == (14, [])


def test_a_look_between_the_last_text_of_an_answer_and_its_end_counts_neither_way() -> None:
    # the answer of 3.99 s ends at 4.04 s: the look at 4.02 s may have it or not
    pages = [
        (t_s, f"# TYPE llamacpp:tokens_predicted_total counter\nllamacpp:tokens_predicted_total {tokens}\n")
        for t_s, tokens in ((2.5, 200), (3.5, 300), (4.02, 300), (4.5, 400))
    ]

    server = judged(pages, end_s=0.05)[0].steps[0].server

    assert server is not None
    assert server.between == WindowOfStep(start_s=2.5, end_s=4.5)
    assert (server.generation_tokens, server.client_generation_tokens) == (200, 200)


def test_our_times_are_held_against_the_servers_own_times_of_the_same_requests() -> None:
    # ours: 0.01 s to the first token, 0.98 s from there to the last
    times = {"server_queue_s": 0.001, "server_prefill_s": 0.006, "server_decode_s": 0.979}

    metrics, found = judged(None, **times)

    assert metrics.steps[0].server_times.to_dict() == {
        "n": 16,
        "outside_s": pytest.approx(0.003),
        "decode_s": pytest.approx(0.001),
        "server_decode_s": pytest.approx(0.979),
    }
    assert found["warning"] == []


def test_times_that_differ_by_more_than_a_network_are_a_warning() -> None:
    metrics, found = judged(None, server_prefill_s=0.006, server_decode_s=0.9)

    assert found["warning"] == ["times_differ"]
    assert "+80 ms" in metrics.steps[0].checks[0].message


def test_a_server_that_tells_no_times_gives_none() -> None:
    assert judged(steady(10, 100))[0].steps[0].server_times is None


TWO = ("http://a", "http://b")


def over_two(*pages: tuple[str, list[tuple[float, str]]]) -> Metrics:
    rows = [row for url, own in pages for row in scrapes(*own, url=url)]
    return run(frame_of_scrapes(rows), urls=TWO)


def test_pages_of_all_replicas_are_summed_and_held_against_our_counts() -> None:
    (step,) = over_two((TWO[0], steady(10, 60)), (TWO[1], steady(10, 40))).steps

    assert step.server is not None
    assert (step.server.replicas_told, step.server.replicas) == (2, 2)
    assert (step.server.generation_tokens, step.server.client_generation_tokens) == (800, 800)
    assert "counts_differ" not in [one.code for one in step.checks]


def test_pages_of_a_part_of_the_replicas_are_told_as_such_and_held_against_nothing() -> None:
    # half of what we got; and a page that is no engine's does not make it whole
    for more in ((), ((TWO[1], [(float(t), "# TYPE go_threads gauge\ngo_threads 3\n") for t in range(11)]),)):
        (step,) = over_two((TWO[0], steady(10, 50)), *more).steps

        assert step.server is not None
        assert (step.server.replicas_told, step.server.replicas) == (1, 2)
        assert (step.server.generation_tokens, step.server.client_generation_tokens) == (400, None)
        assert "counts_differ" not in [one.code for one in step.checks]


def test_the_counts_of_a_single_url_say_nothing_of_replicas() -> None:
    server = judged(steady(10, 100))[0].steps[0].server

    assert server is not None
    assert (server.replicas_told, server.replicas) == (None, None)
