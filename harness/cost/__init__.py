"""From a measured goodput to a decision. `decide` is the stable entry point of other programs.

>>> from harness.cost import decide
>>> decide({"workload": {"classes": [{"input_tokens": 800, "output_tokens": 250}]},
...         "self_host": {"usd_per_hour": 5.672, "goodput_requests_per_s": 0.6},
...         "api": {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15}})["verdict"]
'yes'
"""

from harness.cost.breakeven.decision import decide

__all__ = ["decide"]
