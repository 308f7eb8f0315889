"""How each request of a scenario is asked: route, stream, sampling, and what its body leaves out or calls otherwise."""

import re
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from harness.scenario.strict import YEAR_S, Strict

_PATH = re.compile(r"/[!-\"$-~]*")  # printable, no blank, no #
_LATER = ("path", "omit", "rename")  # keys that came after 0.1: unset they are no part of a digest


class Request(Strict):
    """How each request is asked."""

    api: Literal["completions", "chat", "native"] = Field(default="completions", description="Route to drive.")
    path: str | None = Field(
        default=None,
        description="Path to ask under the --url, where it is not the usual one of `api`; written down, so no keys.",
        examples=["/openai/deployments/m/chat/completions?api-version=2024-06-01"],
    )
    stream: bool = Field(default=True, description="Stream the answer; without it there is no TTFT.")
    temperature: float = Field(default=0, ge=0, le=2, description="0 is greedy.")
    force_length: bool = Field(default=True, description="Ask the engine to ignore end-of-sequence tokens.")
    timeout_s: float = Field(default=600, gt=0, le=YEAR_S, description="A request that takes longer has failed.")
    omit: tuple[str, ...] = Field(
        default=(), description="Keys to leave out of the body: those that this server refuses.", examples=[["top_p"]]
    )
    rename: dict[str, str] = Field(
        default={},
        description="Keys of the body that this server calls otherwise.",
        examples=[{"max_tokens": "max_completion_tokens"}],
    )

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, value: str | None) -> str | None:
        if value is not None and not _PATH.fullmatch(value):
            raise ValueError("must begin with `/` and have neither blanks nor `#`: it goes behind the --url")
        return value

    @field_validator("omit", mode="before")
    @classmethod
    def _one_key_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _keys_are_told_once(self) -> Self:
        both = set(self.omit) & set(self.rename)
        if both:
            raise ValueError(f"`{min(both)}` is both in `omit` and in `rename`")
        if len(set(self.rename.values())) < len(self.rename):
            raise ValueError("`rename` gives two keys one name")
        return self

    def asked(self) -> dict[str, Any]:
        """As it stands in a digest: what came later only where it is set, so that older digests hold."""
        asked = self.model_dump(mode="json")
        return {key: value for key, value in asked.items() if key not in _LATER or value}
