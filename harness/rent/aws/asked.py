"""Asking AWS: which regions there are, one call or all pages of one, and what it refuses in one line."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from harness.base.errors import UsageError
from harness.base.text import printable
from harness.rent.box import RentError

ATTEMPTS = 6  # of one call that is throttled or gets no answer; the pause between them grows
CONNECT_S, READ_S = 5, 30
PAGE = 500
LOG_IN = "`aws configure`, `aws sso login`, or AWS_PROFILE, as for any tool of AWS's"
_FIRST_REGION = "us-east-1"  # asked for the others where none is set
_LATE = timedelta(minutes=3)  # AWS takes a request whose time is off by up to five

_NOT_AWS = "what answers is not AWS"

_DENIED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")
_THROTTLED = ("RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException")
_STALE = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "RequestTimeTooSkewed")
_UNKNOWN = (
    "AuthFailure",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "OptInRequired",
)


class AwsError(RentError):
    """AWS does not do what it was asked; `code` as AWS says it, where it answered."""

    def __init__(self, message: str, *, hint: str | None = None, code: str = "", said: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.said = said

    @property
    def is_denied(self) -> bool:
        """Whether these credentials may not do it."""
        return self.code in _DENIED


class Aws:
    """One account, with the credentials that boto3 finds."""

    def __init__(self) -> None:
        with _in_one_line("", "the settings"):
            self._session = boto3.session.Session()
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Aws:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def has_credentials(self) -> bool:
        """Whether boto3 finds any; a machine of AWS's own is asked for its role."""
        with _in_one_line("", "the credentials"):
            return self._session.get_credentials() is not None

    def open(self, region: str) -> None:
        """A client for a region; clients are used by several threads, and made by one."""
        if region not in self._clients:
            retries: Any = {"mode": "adaptive", "total_max_attempts": ATTEMPTS}
            config = Config(retries=retries, connect_timeout=CONNECT_S, read_timeout=READ_S)
            with _in_one_line(region, "the region"):
                self._clients[region] = self._session.client("ec2", region_name=region, config=config)

    def ask(self, region: str, action: str, **given: Any) -> dict[str, Any]:
        """One call, `DescribeRegions`; its answer.

        Raises:
            AwsError: refused, also after several tries, or no answer.
        """
        self.open(region)
        with _in_one_line(region, action):
            answer: dict[str, Any] = getattr(self._clients[region], _method(action))(**given)
            return answer

    def each(self, region: str, action: str, member: str, **given: Any) -> Iterator[dict[str, Any]]:
        """Every entry of a list in a call's answer, of all its pages; one without an entry need not be the last.

        Raises:
            AwsError: as `ask`.
        """
        self.open(region)
        with _in_one_line(region, action):
            paginator = self._clients[region].get_paginator(_method(action))
            for page in paginator.paginate(**given, PaginationConfig={"PageSize": PAGE}):
                yield from member_of(page, member, region, action)

    def regions(self, asked: Sequence[str]) -> tuple[str, ...]:
        """Those of the account that are enabled, or of them the ones asked for.

        Raises:
            UsageError: one asked for is none, or is not enabled. AwsError: AWS does not say.
        """
        home = self._session.region_name or _FIRST_REGION
        try:
            answer = self.ask(home, "DescribeRegions", AllRegions=True)
            listed = member_of(answer, "Regions", home, "DescribeRegions")
        except AwsError as error:
            if asked and error.is_denied:  # then each says for itself whether it is there
                return tuple(dict.fromkeys(asked))
            raise
        enabled = {one["RegionName"]: one["OptInStatus"] != "not-opted-in" for one in listed}
        for name in asked:
            if name not in enabled:
                near = difflib.get_close_matches(name, enabled, n=1)
                hint = f"did you mean {near[0]}?" if near else f"such as {home}"
                raise UsageError(f"--region {printable(name)}: AWS has no such region", hint=hint)
            if not enabled[name]:
                raise UsageError(
                    f"--region {name}: not enabled for this account", hint="so nothing can be there; leave it out"
                )
        return tuple(dict.fromkeys(asked)) or tuple(name for name, is_on in enabled.items() if is_on)


def member_of(answer: Mapping[str, Any], member: str, region: str, action: str) -> Any:
    """What every answer of that kind has, be it empty; HTML that a proxy answers has it not.

    Raises:
        AwsError: it is not there.
    """
    if member not in answer:
        raise AwsError(f"AWS {region}: {action}: {_NOT_AWS}", hint="a proxy that wants a login?")
    return answer[member]


def _method(action: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in action).lstrip("_")


@contextlib.contextmanager
def _in_one_line(region: str, action: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise _refused(error, region, action) from None
    except (BotoCoreError, ResponseParserError, ValueError) as error:
        where = " ".join(word for word in ("AWS", region) if word)
        raise AwsError(f"{where}: {action}: {printable(str(error), 200)}", hint=_hint_for(error)) from None


def _hint_for(error: Exception) -> str | None:
    name = type(error).__name__
    if "SSO" in name or "Token" in name or "Credential" in name or "Profile" in name:
        return LOG_IN
    return "is the region's name right, and can it be reached from here?" if "Region" in name else None


def _refused(error: ClientError, region: str, action: str) -> AwsError:
    error_said = error.response.get("Error", {})  # of a proxy's answer none is made
    code, said = error_said.get("Code", ""), error_said.get("Message", "")
    line, hint = f"{action}: {printable(code)}: {printable(said, 200)}" if code else f"{action}: {_NOT_AWS}", None
    if code in _DENIED:
        asked = f"ec2:{action}" if error.operation_name == action else error.operation_name  # a role is assumed before
        line, hint = f"these credentials may not {asked}", "docs/renting.md has the policy that reap needs"
    elif code in _THROTTLED:
        line, hint = f"{action}: throttled ({code}), also after {ATTEMPTS} tries", "again in a minute"
    elif code in _STALE + _UNKNOWN and (off := _clock_off(error)) is not None:
        line, hint = f"{action}: {code}: this machine's clock is {off}", "set it by NTP; AWS takes no such request"
    elif code in _STALE:
        line, hint = f"the credentials have expired ({code})", LOG_IN
    elif code in _UNKNOWN:
        line, hint = f"the credentials are not taken ({code}), or the region is not enabled", LOG_IN
    return AwsError(f"AWS {region}: {line}", hint=hint, code=code, said=said)


def _clock_off(error: ClientError) -> str | None:
    """`17 min behind AWS's`, by the time that its answer carries."""
    written = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if written is None:
        return None
    try:
        ahead = datetime.now(UTC) - parsedate_to_datetime(written)
    except (ValueError, TypeError):
        return None
    if abs(ahead) < _LATE:
        return None
    return f"{abs(ahead).total_seconds() / 60:.0f} min {'ahead of' if ahead > timedelta(0) else 'behind'} AWS's"
