"""The sets of tasks that ship, made from a seed: `benchmarks/make_tasks.py` writes them."""
