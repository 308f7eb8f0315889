"""Pages of /metrics that no server should have: what is odd is unknown, and every figure can be written."""

from collections.abc import Callable

import numpy as np
import pytest
from scraped import run, scrapes, steady, vllm

from harness.metrics.catalogue import Readings, readings_of, series_of
from harness.metrics.gpu import gpu_account, gpus_apart
from harness.metrics.windows import Window
from harness.rundir.results import Metrics
from harness.rundir.scrapes import frame_of_scrapes

Pages = list[tuple[float, str]]
QUEUE = "vllm:request_queue_time_seconds"


def measured(pages: Pages) -> Metrics:
    """The figures of a run with these pages, written and read again."""
    metrics = run(frame_of_scrapes(scrapes(*pages)))
    return Metrics.model_validate(metrics.to_dict())


def changed(change: Callable[[str], str]) -> Pages:
    return [(t_s, change(page)) for t_s, page in steady(10, 100)]


def readings(*pages: tuple[float, str]) -> Readings:
    found = readings_of(series_of(frame_of_scrapes(scrapes(*pages))))
    assert found is not None
    return found


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "1e400", "-100", "1e29", "many", "", "0x10", "1e16"])
@pytest.mark.parametrize("name", ["vllm:generation_tokens_total", f"{QUEUE}_count", "vllm:num_requests_running"])
def test_a_value_that_is_none_is_unknown(name: str, value: str) -> None:
    def change(page: str) -> str:
        lines = page.splitlines()
        return "\n".join(f"{line.rpartition(' ')[0]} {value}" if line.startswith(name) else line for line in lines)

    server = measured(changed(change)).steps[0].server

    assert server is not None
    said = {"vllm:generation_tokens_total": server.generation_tokens, f"{QUEUE}_count": server.queue_time_s,
            "vllm:num_requests_running": server.requests_running}  # fmt: skip
    assert said[name] is None
    assert server.prompt_tokens == 0  # the others are there


@pytest.mark.parametrize("label", ['le="wide"', 'le="nan"', 'le="-1"', 'le=""', 'edge="0.3"', 'le="\\n\x1b[2J\\""'])
def test_a_bucket_without_a_possible_edge_says_no_percentile(label: str) -> None:
    server = measured(changed(lambda page: page.replace('le="0.3"', label))).steps[0].server

    assert server is not None
    assert server.queue_time_s is not None
    assert server.queue_time_s.p95_at_most is None
    assert server.queue_time_s.n > 0


def test_buckets_in_any_order_and_without_an_end_give_the_edge_that_holds_the_percentile() -> None:
    def page(done: int) -> str:
        ends = {"2": done, "0.5": 0, "1": done, "0.1": done * 5}  # the last one never held so many
        buckets = "".join(f'{QUEUE}_bucket{{le="{edge}"}} {count}\n' for edge, count in ends.items())
        return f"{buckets}{QUEUE}_count {done}\n{QUEUE}_sum {done}\n"

    histogram = readings((0.0, page(0)), (10.0, page(20))).histogram("queue_time_s", 0, 10)

    assert histogram is not None
    assert (histogram.n, histogram.mean, histogram.p95_at_most) == (20, 1.0, 0.1)


@pytest.mark.parametrize(("count", "total"), [("5e-324", "1e14"), ("0.5", "3"), ("0", "7")])
def test_a_histogram_of_less_than_one_has_no_mean(count: str, total: str) -> None:
    pages = [(t_s, f"{QUEUE}_count {n}\n{QUEUE}_sum {s}\n") for t_s, n, s in ((0.0, "0", "0"), (1.0, count, total))]

    histogram = readings(*pages).histogram("queue_time_s", 0, 1)

    assert histogram is not None
    assert (histogram.n, histogram.mean) == (0, None)


def test_more_cache_hits_than_queries_are_no_rate() -> None:
    pages = [(float(t), vllm(tokens=t, hits=10 * t, queries=t)) for t in range(11)]

    server = measured(pages).steps[0].server

    assert server is not None
    assert server.prefix_cache_hits is not None
    assert server.prefix_cache_hit_rate is None


def test_a_counter_that_goes_down_all_the_time_is_named_and_no_preemption() -> None:
    pages = [(float(t), vllm(tokens=1000 - t, preemptions=100 - t)) for t in range(11)]

    codes = [check.code for check in measured(pages).checks]

    assert "engine_restarted" in codes
    assert "preempted" not in codes


def test_of_two_samples_of_one_series_on_a_page_the_last_counts() -> None:
    name = "vllm:generation_tokens_total"
    pages = [(float(t), f"{name} {t}\n{name} {100 * t}\n") for t in range(4)]

    found = readings(*pages)

    assert found.increase(name, 0, 3) == 300
    assert found.resets() == []


def test_wrong_types_broken_lines_and_odd_labels_cost_themselves() -> None:
    odd = "# TYPE vllm:generation_tokens_total histogram\n# TYPE\n# TYPE x y z\n{}\n}{ 1\nvllm: 3\n" + (
        'vllm:x{a="\\\\",b="\\n\x1b]0;t\x07"} 1\nvllm:y{a="1", ="x"} 15 # {trace="x"} 1\nvllm:z{instance="evil"} 1\n'
    )

    server = measured(changed(lambda page: odd + page)).steps[0].server

    assert server is not None
    assert server.generation_tokens == 800  # from 2 to 10 s, at 100 a second


def test_many_series_are_read_in_one_pass() -> None:
    lines = "\n".join(f'vllm:generation_tokens_total{{n="{n}"}} 1' for n in range(20_000))

    assert len(readings((0.0, lines)).series["vllm:generation_tokens_total"]) == 20_000


@pytest.mark.parametrize(("late", "gib"), [([(9.0, "0", 1024)], None), ([(1.0, "0", 1024), (3.0, "1", 2048)], 3.0)])
def test_gpus_that_tell_late_or_nothing_possible_are_unknown(late: list[tuple[float, str, int]], gib: float) -> None:
    name = "DCGM_FI_DEV_FB_USED"
    rows = [{"t_s": t, "url": "g", "up": True, "lines": []} for t in (1.0, 2.0, 3.0, 4.0)]
    rows += [{"t_s": t, "url": "g", "up": True, "lines": [f'{name}{{gpu="{gpu}"}} {mib}']} for t, gpu, mib in late]
    rows += [{"t_s": 1.0, "url": "g", "up": True, "lines": ["DCGM_FI_DEV_CLOCK_THROTTLE_REASONS 1e29"]}]

    gpus = gpus_apart(series_of(frame_of_scrapes(rows)))[1]

    assert gpus is not None
    with np.errstate(all="raise"):
        account = gpu_account(gpus, Window(0, 5), 10.0)
    assert account is not None
    assert account.memory_used_gib == gib
