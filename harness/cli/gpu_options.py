"""The options that say which GPUs an engine is given, for whatever starts one."""

import click

from harness.cli.options import Command
from harness.engines.gpus.layout import MOST_COPIES


def gpu_options(command: Command) -> Command:
    """Which GPUs an engine that is started is given, and over how many copies of its weights."""
    for option in (
        click.option("--replicas", type=click.IntRange(1, MOST_COPIES),
                     help="Copies of the weights, an engine process and a port each.  [default: 1]"),
        click.option("--tensor-parallel", type=click.IntRange(1, MOST_COPIES), metavar="N",
                     help="GPUs that each copy is spread over.  [default: those of --gpus shared out, else 1]"),
        click.option("--gpus", metavar="0,1|N|all",
                     help="GPUs of this machine, by nvidia-smi's numbers; the first N; or all."),
    ):  # fmt: skip
        command = option(command)
    return command
