"""What every part of a result file is made of."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Level = Literal["error", "warning"]
Kind = Literal["measured", "listed", "assumed", "computed"]  # where a number comes from  # where a number comes from


class Result(BaseModel):
    """A part of a result file."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, allow_inf_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, under the names of the file."""
        return self.model_dump(mode="json", by_alias=True)


class Check(Result):
    """A finding: what is doubtful, and what to do about it."""

    code: str
    level: Level
    message: str
    hint: str | None = None


class WindowOfStep(Result):
    """The steady part of a step: start included, end not."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.start_s
