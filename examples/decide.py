"""One box, one API, three ways to buy the box: what must it serve, and from which volume on does it win?

python examples/decide.py
"""

from harness.cost import decide

BOX_USD_PER_HOUR = {"on demand": 5.672, "reserved, 1 year": 3.57336, "spot": 2.588}  # g5.12xlarge, us-east-1
WORK = {"classes": [{"input_tokens": 800, "output_tokens": 250}], "tasks_per_month": 1_000_000}
API = {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15}
MEASURED = {"goodput_requests_per_s": 0.6, "goodput_low": 0.5, "goodput_high": 0.7}


def main() -> None:
    """A line for each way to buy."""
    for purchase, usd_per_hour in BOX_USD_PER_HOUR.items():
        answer = decide({"workload": WORK, "self_host": {"usd_per_hour": usd_per_hour, **MEASURED}, "api": API})
        at = answer["at_volume"]
        print(
            f"{purchase:<16}  needed {answer['min_goodput_requests_per_s']:.3f} req/s,"
            f" wins from {answer['first_win_tasks_per_month']:,.0f} tasks a month;"
            f" at {at['tasks_per_month']:,.0f} {at['winner']} wins:"
            f" box {at['self_usd']:,.0f} USD, API {at['api_usd']:,.0f} USD"
        )


if __name__ == "__main__":
    main()
