"""An answer to be judged."""

from dataclasses import dataclass

from harness.rundir.records import NOT_FAILURES

CUT = "length"  # the finish_reason of an answer that was cut at its most tokens


def sendable(text: str) -> str:
    """The text without halves of characters, which a server may send and no request can hold."""
    return text.encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back for one attempt at one task."""

    request_id: str
    task: str
    attempt: int
    text: str | None  # the whole of the last reply; None: there is none, or it was not kept
    error: str | None  # as in the records
    finish_reason: str | None

    @property
    def is_cut(self) -> bool:
        """Whether the answer ended because it was as long as it may be."""
        return self.finish_reason == CUT

    @property
    def has_failed(self) -> bool:
        """Whether the request failed, through no plan of ours."""
        return self.error is not None and self.error not in NOT_FAILURES
