from pathlib import Path

import numpy as np
import pytest
import yaml

from harness import cli
from harness.demand.demand import load_demand
from harness.demand.from_log import demand_of
from harness.demand.volume import hourly_profile
from harness.scenario.logs.request_log import RequestLog


def log_of(*rows: tuple[float, int, int], starts_at_s: float | None = 0.0, is_dated: bool = False) -> RequestLog:
    arrival, given, out = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return RequestLog(
        file="log.csv", layout="ours", unit="s", arrival_s=arrival, input_tokens=given, output_tokens=out,
        cached_tokens=None, cache_write_tokens=None, reasoning_tokens=None, images=None, served=np.ones(len(rows)),
        failed=np.zeros(len(rows)), from_cache=None, model=None, session=None, blocks=None, block_tokens=512,
        bucket_s=0.0, end_s=float(arrival[-1]), starts_at_s=starts_at_s, is_dated=is_dated, left_out={}, notes=(),
    )  # fmt: skip


def test_the_volume_is_the_logs_rate_over_a_month_of_730_hours() -> None:
    # 4 requests with 3 gaps in 100 s: 0.03 a second, times 730 * 3600 s
    demand = demand_of(log_of((0, 1, 1), (10, 1, 1), (50, 1, 1), (100, 1, 1)), name="d")

    assert demand["tasks_per_month"] == 78_840


def test_a_log_of_one_instant_has_no_volume() -> None:
    assert demand_of(log_of((0, 10, 5)), name="d")["tasks_per_month"] is None


def test_one_class_has_the_mean_lengths() -> None:
    (only,) = demand_of(log_of((0, 100, 10), (1, 200, 40)), name="d", classes=1)["classes"]

    assert only == {"name": "request", "weight": 2, "input_tokens": 150, "output_tokens": 25}


def test_classes_that_are_asked_for_are_equal_parts_by_input_length() -> None:
    rows = [(0.0, 400, 4), (1.0, 100, 1), (2.0, 300, 3), (3.0, 200, 2)]

    assert demand_of(log_of(*rows), name="d", classes=2)["classes"] == [
        {"name": "100 to 200 tokens in", "weight": 2, "input_tokens": 150, "output_tokens": 1.5},
        {"name": "300 to 400 tokens in", "weight": 2, "input_tokens": 350, "output_tokens": 3.5},
    ]


def test_a_profile_needs_a_day() -> None:
    assert hourly_profile(log_of(*((1800.0 * n, 1, 1) for n in range(47)))) is None


def test_the_profile_counts_each_hour_by_the_time_the_log_covers_it() -> None:
    # 25 h from midnight: hour 0 is covered twice. One request in each hour, but three at hour 5 and two at hour 0,
    # one on each day; the last request is at the end of the 25th hour, which is hour 1 of the second day
    rows = [(3600.0 * hour + 60, 1, 1) for hour in range(25)] + [(5 * 3600.0 + 120, 1, 1), (5 * 3600.0 + 180, 1, 1)]
    profile = hourly_profile(log_of(*sorted(rows), (25 * 3600.0, 1, 1)))

    assert profile is not None
    # requests an hour: 3 at hour 5, 2 at hour 1 with the last, else 1 (hour 0: 2 in 2 h): the mean is 27 / 24
    mean = 27 / 24
    assert profile[5] == pytest.approx(3 / mean, abs=1e-4)
    assert profile[0] == pytest.approx(1 / mean, abs=1e-4)
    assert profile[1] == pytest.approx(2 / mean, abs=1e-4)
    assert profile[23] == pytest.approx(1 / mean, abs=1e-4)


def test_the_profile_starts_at_the_logs_own_hour() -> None:
    # begins at 18:00: 24 requests in the first minutes, one 10 h later at 04:00, one on the next day at 19:00
    rows = [*((float(n), 1, 1) for n in range(24)), (36_000.0, 1, 1), (90_000.0, 1, 1)]
    profile = hourly_profile(log_of(*rows, starts_at_s=18 * 3600.0))

    assert profile is not None
    assert [hour for hour, weight in enumerate(profile) if weight > 0] == [4, 18, 19]


def test_the_command_writes_a_demand_that_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "requests.csv"
    log.write_text("arrival_s,input_tokens,output_tokens\n" + "".join(f"{t},800,250\n" for t in range(0, 1001, 10)))
    out = tmp_path / "demand.yaml"

    assert cli.invoke(["demand", "from-trace", str(log), "--out", str(out)]) == 0

    demand = load_demand(out)
    assert demand.name == "requests"
    assert demand.tasks_per_month == 262_800  # 0.1 a second
    assert demand.mean_tokens() == (800, 250)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "101 requests over 1000 s (ours layout): 262,800 a month" in captured.err


def test_the_command_prints_yaml_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "r.jsonl"
    log.write_text('{"timestamp": 0, "input_length": 5, "output_length": 2}\n')

    assert cli.invoke(["demand", "from-trace", str(log), "--name", "mine"]) == 0

    assert yaml.safe_load(capsys.readouterr().out) == {
        "name": "mine",
        "tasks_per_month": None,
        "classes": [{"name": "request", "weight": 1, "input_tokens": 5, "output_tokens": 2}],
        "made_of_log": {
            "file": "r.jsonl",
            "layout": "mooncake",
            "time_unit": "s",
            "is_aggregate": False,
            "requests": 1,
            "failed": 0,
            "left_out": {},
            "span_h": 0.0,
        },
    }


def test_what_is_no_log_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "r.csv"
    log.write_text("a,b\n1,2\n")

    assert cli.invoke(["demand", "from-trace", str(log)]) == 2

    assert "no known layout of a trace" in capsys.readouterr().err


SPEND = "request_id,call_type,spend,prompt_tokens,completion_tokens,startTime,model,status\n"


def test_the_command_says_what_it_read_and_what_it_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{n},acompletion,0.1,800,250,2026-11-01T{n:02}:00:00Z,m{n % 2},success\n" for n in range(20)]
    log = tmp_path / "spend.csv"
    log.write_text(SPEND + "".join(rows) + "x,acompletion,0,0,0,2026-11-01T19:30:00Z,m1,failure\n"
                   "y,acompletion,0,,,2026-11-01T20:00:00Z,m1,success\n")  # fmt: skip

    assert cli.invoke(["demand", "from-trace", str(log), "--per-model", "--out", str(tmp_path / "d.yaml")]) == 0

    demand = load_demand(tmp_path / "d.yaml")
    assert [(one.name, one.weight) for one in demand.classes] == [("m0", 10), ("m1", 10)]
    made = demand.made_of_log
    assert made is not None
    assert (made.file, made.layout, made.requests, made.failed) == ("spend.csv", "litellm", 21, 1)
    assert (made.left_out, made.span_h, made.models) == ({"without tokens": 1}, 19.5, 2)
    assert demand.ranges["tasks_per_month"][0] < 730 < demand.ranges["tasks_per_month"][1]
    said = capsys.readouterr().err
    assert "21 requests over 19.5 h (litellm layout, 1 failed, 1 without tokens left out)" in said
    assert "of traffic is taken for a month" in said
    assert "--per-model keeps" not in said


def test_the_command_takes_columns_and_a_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("".join(f'{{"at": {n * 60_000}, "use": {{"in": 800, "out": 250}}}}\n' for n in range(61)))
    names = ["--column", "time=at", "--column", "input_tokens=use/in", "--column", "output_tokens=use.out"]

    assert cli.invoke(["demand", "from-trace", str(log), *names]) == 2
    assert "which could be 41.7 days (seconds) or 60 min (milliseconds)" in capsys.readouterr().err
    assert cli.invoke(["demand", "from-trace", str(log), *names, "--time-unit", "ms"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["tasks_per_month"] == 43_800
    assert cli.invoke(["demand", "from-trace", str(log), "--column", "time"]) == 2
    assert "--column must be OURS=THEIRS, got `time`" in capsys.readouterr().err


def test_the_users_own_tiers_cut_the_classes_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, prices = tmp_path / "log.csv", tmp_path / "prices.yaml"
    log.write_text("arrival_s,input_tokens,output_tokens\n" + "".join(f"{n},{900 + n},10\n" for n in range(200)))
    prices.write_text(
        "api:\n- {provider: own, model: m, input_usd_per_mtok: 1, output_usd_per_mtok: 2, source: me,\n"
        "   checked_on: 2026-11-01,\n"
        "   tiers: [{above_input_tokens: 1000, input_usd_per_mtok: 2, output_usd_per_mtok: 4}]}\n"
    )

    assert cli.invoke(["demand", "from-trace", str(log)]) == 0
    assert len(yaml.safe_load(capsys.readouterr().out)["classes"]) == 1
    assert cli.invoke(["demand", "from-trace", str(log), "--prices", str(prices)]) == 0
    classes = yaml.safe_load(capsys.readouterr().out)["classes"]
    assert sum(one["weight"] for one in classes if one["input_tokens"] <= 1000) == 101  # 900 to 1000
