"""What run.json says of a run that another tool measured."""

from typing import Literal

from harness.rundir.result import Result


class Imported(Result):
    """Another tool's measurement: what it is read from, and what stands otherwise in it than in a run of ours."""

    tool: str
    version: str | None = None  # as its file tells; None: it does not
    layout: str = ""  # of the file, in words: tools that tell no version are known by it
    files: tuple[str, ...] = ()
    rows: Literal["all", "none"] = "all"  # none: the tool's own percentiles are all there is
    differences: tuple[str, ...] = ()  # where its definitions are not ours
    unknown: tuple[str, ...] = ()  # what its file does not tell
    knows_due: bool = True  # when each request was due, not only when it was sent
    laid_out: bool = False  # when requests began is not told: they were laid out as the load must have sent them
    command: str | None = None  # that measured it, where its file says so

    @property
    def words(self) -> str:
        """`GuideLLM 0.8.1`; where the file tells no version, its layout."""
        return f"{self.tool} {self.version}" if self.version else f"{self.tool} (version not told; {self.layout})"
