"""Writes harness/prices/second_list.csv: the fields that we use of LiteLLM's table of model prices, chat models alone.

    python benchmarks/refresh_second_list.py                # downloads the wheel pinned here
    python benchmarks/refresh_second_list.py WHEEL          # the same wheel, downloaded before

The wheel is pinned by its hash, opened as an archive and never installed nor imported: releases 1.82.7 and 1.82.8 were
compromised, and 1.107.0 stands on a list of such too. To move on, choose a release, look at it, and pin its hash here.
"""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

VERSION = "1.110.2"
SHA256 = "9d94d1c7d524b6fd10c14f9c8c6c4f0ac31705f9964ac59dcfd8337c046d8917"
COMPROMISED = ("1.82.7", "1.82.8", "1.107.0")
TABLE = "litellm/model_prices_and_context_window_backup.json"
PRICES = Path(__file__).parent.parent / "harness" / "prices"
TARGET = PRICES / "second_list.csv"

CHAT = ("chat", "responses", "completion")
OURS = {  # its providers by our names
    "anthropic": "anthropic", "openai": "openai", "text-completion-openai": "openai", "azure": "azure",
    "azure_ai": "azure", "bedrock": "aws", "bedrock_converse": "aws", "gemini": "google",
    "vertex_ai-language-models": "google", "vertex_ai-anthropic_models": "google", "groq": "groq",
    "together_ai": "together", "fireworks_ai": "fireworks", "deepseek": "deepseek", "mistral": "mistral",
    "xai": "x-ai", "cerebras": "cerebras", "perplexity": "perplexity", "cohere_chat": "cohere", "novita": "novita",
    "moonshot": "moonshotai", "zai": "zai", "ovhcloud": "ovhcloud", "openrouter": "openrouter", "minimax": "minimax",
    "databricks": "databricks", "cloudflare": "cloudflare", "baseten": "baseten",
}  # fmt: skip
PREFIXES = (
    "azure_ai/", "azure/", "bedrock/", "gemini/", "vertex_ai/", "groq/", "together_ai/", "fireworks_ai/accounts/"
    "fireworks/models/", "fireworks_ai/", "deepseek/", "mistral/", "xai/", "cerebras/", "perplexity/", "cohere_chat/",
    "novita/", "moonshot/", "zai/", "ovhcloud/", "openrouter/", "minimax/", "databricks/", "cloudflare/", "baseten/",
)  # fmt: skip
COLUMNS = ("provider", "model", "input", "output", "cached_input", "cache_write", "retired_on")
RATES = (
    "input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost",
)  # fmt: skip


def fetch(place: Path) -> Path:
    """The pinned wheel, by pip, which refuses another hash."""
    pinned = place / "requirements.txt"
    pinned.write_text(f"litellm=={VERSION} --hash=sha256:{SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    subprocess.run([*command, "-q", "-d", str(place), "-r", str(pinned)], check=True)
    return next(place.glob("*.whl"))


def table_of(wheel: Path) -> dict[str, Any]:
    """The table in the archive; it ends here where that is not the pinned one."""
    if VERSION in COMPROMISED:
        sys.exit(f"{VERSION} is a compromised release")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != SHA256:
        sys.exit(f"{wheel.name} has sha256 {digest}, pinned is {SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        table: dict[str, Any] = json.loads(archive.read(TABLE))
        return table


def rows_of(table: dict[str, Any]) -> list[list[str]]:
    """A row a chat model of a provider that our first list has; of two names for one model the first."""
    rows: dict[tuple[str, str], list[str]] = {}
    for name, entry in table.items():
        provider = OURS.get(entry.get("litellm_provider", ""))
        rates = [entry.get(key) for key in RATES]
        if provider is None or entry.get("mode") not in CHAT or not rates[0] or not rates[1]:
            continue  # 0 there is a flat rate or unknown: no opinion
        key = (provider, next((name[len(p) :] for p in PREFIXES if name.startswith(p)), name).lower())
        usd = ["" if rate is None else f"{round(rate * 1e6, 9):.10g}" for rate in rates]
        rows.setdefault(key, [*key, *usd, entry.get("deprecation_date", "")])
    return sorted(rows.values())


def main() -> int:
    """Read the wheel, write the rows."""
    with tempfile.TemporaryDirectory() as place:
        rows = rows_of(table_of(Path(sys.argv[1]) if len(sys.argv) > 1 else fetch(Path(place))))
    with TARGET.open("w", newline="") as file:
        file.write(
            f"# USD per million tokens, out of LiteLLM {VERSION}'s {TABLE} (wheel sha256 {SHA256}),\n"
            f"# read on {datetime.now(UTC).date()}; licence MIT: second_list.LICENSE."
            " Made by benchmarks/refresh_second_list.py\n"
        )
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    print(f"{len(rows)} models, {TARGET.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
