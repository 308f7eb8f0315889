"""The pictures of docs/gallery.md, from runs that were kept and one that is made on the spot.

    python benchmarks/gallery.py            # needs tmux and chromium; writes docs/pictures/

Pages are photographed by Chromium as a person sees them, terminals as tmux has them after the command.
"""

from __future__ import annotations

import io
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from harness.calibration.oracle.process import running_oracle

PICTURES = ROOT / "docs" / "pictures"
COLUMNS = 100
DARK = TerminalTheme(
    (16, 20, 26), (220, 225, 230),
    [(60, 66, 74), (235, 110, 100), (120, 200, 140), (225, 180, 95), (110, 170, 240), (200, 150, 235),
     (110, 205, 215), (220, 225, 230)],
)  # fmt: skip
LIVE = """\
name: live
load: {kind: closed, users: [4, 16, 32], step_s: 12, warmup_s: 2}
prompts: {kind: synthetic, input_tokens: 200, output_tokens: 100}
slo: {ttft_p95_s: 0.5, tpot_p95_s: 0.05}
"""
# rich's own drawing of a terminal, without the fonts that it would fetch from elsewhere
FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>{lines}</defs>
<rect width="{width}" height="{height}" rx="6" fill="#10141a"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="breakeven-gallery-") as temporary:
        place = Path(temporary)
        kept = place / "results"
        shutil.copytree(ROOT / "results" / "kept", kept)
        (quickstart,) = kept.glob("*-quickstart-*")
        engines = sorted(kept.glob("*-engines-*"))
        breakeven("report", str(quickstart), "--demand", "support-agent")
        breakeven("compare", *map(str, engines), "--out", str(place / "comparison"))
        page(quickstart / "report.html", "report", 1440, 900)
        page(quickstart / "report.html", "report-phone", 390, 844)
        page(place / "comparison" / "comparison.html", "comparison", 1440, 900)
        terminal("terminal", place, ["report", f"results/{quickstart.name}", "--demand", "support-agent"])
        live("live", place)


def breakeven(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "harness", *arguments], cwd=ROOT, check=False, stdout=subprocess.DEVNULL)


def page(path: Path, name: str, width: int, height: int) -> None:
    """A page's first screen."""
    picture = PICTURES / f"{name}.png"
    flags = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={width},{height}"]
    command = ["chromium", *flags, f"--screenshot={picture}", path.as_uri()]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size / 1000:.0f} kB")


def terminal(name: str, place: Path, arguments: list[str], rows: int = 95) -> None:
    """What a command leaves in a terminal."""
    session = Tmux(place, rows)
    try:
        session.type(shlex.join(["breakeven", *arguments]))
        session.wait_for("$", lines=3)
        draw(name, session.screen())
    finally:
        session.close()


def live(name: str, place: Path) -> None:
    """A run in its last step."""
    (place / "live.yaml").write_text(LIVE)
    with running_oracle(place / "ledger.jsonl", ttft_s=0.12, itl_s=0.01) as oracle:
        session = Tmux(place, 30)
        try:
            session.type(f"breakeven run live.yaml --url {oracle.url} --usd-per-hour 2 --out runs")
            session.wait_for("32 users", most_s=60)
            time.sleep(6)
            draw(name, session.screen())
        finally:
            session.close()


class Tmux:
    """A terminal of its own, `breakeven` on its path and nothing else said in its prompt."""

    def __init__(self, place: Path, rows: int) -> None:
        self._name = f"gallery-{place.name}"
        programs = place / "bin"
        programs.mkdir(exist_ok=True)
        (programs / "breakeven").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m harness "$@"\n')
        (programs / "breakeven").chmod(0o755)
        shell = f"env PS1='$ ' PATH={programs}:$PATH bash --norc"
        size = ["-x", str(COLUMNS), "-y", str(rows)]
        subprocess.run(["tmux", "new-session", "-d", "-s", self._name, *size, "-c", str(place), shell], check=True)
        self.wait_for("$")

    def type(self, text: str) -> None:
        """Type a line."""
        subprocess.run(["tmux", "send-keys", "-t", self._name, text, "Enter"], check=True)

    def screen(self) -> str:
        """What it shows, colours included."""
        command = ["tmux", "capture-pane", "-e", "-p", "-t", self._name]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.rstrip()

    def wait_for(self, text: str, *, most_s: float = 60, lines: int = 0) -> None:
        """Until the screen has the text, on its last line where so many lines are to be there."""
        until = time.monotonic() + most_s
        while time.monotonic() < until:
            shown = self.screen().splitlines()
            if lines and len(shown) > lines and shown[-1].strip() == text:
                return
            if not lines and any(text in line for line in shown):
                return
            time.sleep(0.3)
        raise SystemExit(f"the terminal never showed {text!r}")

    def close(self) -> None:
        """End it."""
        subprocess.run(["tmux", "kill-session", "-t", self._name], check=False)


def draw(name: str, ansi: str) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(ansi), soft_wrap=True)
    picture = PICTURES / f"{name}.svg"
    picture.write_text(console.export_svg(title="", theme=DARK, code_format=FORMAT, unique_id=name), encoding="utf-8")
    print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
