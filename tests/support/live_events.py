"""What a load process says of itself each second, as an example."""

from harness.load.protocol import Live

LIVE = Live(
    t_s=1.0, process=1, cpu=0.25, loop_lag_p50_s=0.0, loop_lag_max_s=0.001, schedule_lag_max_s=0.0, in_flight=7,
    asked=None, events=3, shared_events=0, connections=7, clock_steps=0, found_closed=0, sent=20, finished=12, failed=1,
    not_sent=0, refused=0, unreachable=0, unreachable_s=0.0, last_error=None, output_tokens=40, ttft_p50_s=0.2,
    ttft_max_s=0.5, e2e_p50_s=None,
)  # fmt: skip
