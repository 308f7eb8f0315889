"""AWS on loopback: moto answers real botocore, but for what a test lets it refuse, in EC2's own XML."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from typing import Any, ClassVar
from urllib.parse import parse_qs

import boto3
from moto.ec2.models import ec2_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from harness.rent.box import Box
from harness.rent.tags import EXPIRES, tags_of

HERE, THERE = "eu-central-1", "us-west-2"
MORE = "more"  # a rule's token for a page that moto gives
AMI = "ami-12c6146b"
STATUS = {"UnauthorizedOperation": 403, "RequestLimitExceeded": 503, "AuthFailure": 401}
ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{said}</Message>'
    "</Error></Errors><RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>"
)

REGIONS = {
    HERE: "opt-in-not-required",
    THERE: "opt-in-not-required",
    "me-south-1": "opted-in",
    "ap-east-1": "not-opted-in",
}
LISTED = "<DescribeRegionsResponse><regionInfo>{}</regionInfo></DescribeRegionsResponse>".format(
    "".join(
        f"<item><regionName>{name}</regionName><optInStatus>{status}</optInStatus></item>"
        for name, status in REGIONS.items()
    )
)

Rule = Callable[[], str | tuple[int, str] | None]  # what is answered, 200 unless it says; None: moto answers


class _Quiet(WSGIRequestHandler):
    date: ClassVar[str | None] = None  # that its answers carry

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.date or super().date_time_string(timestamp)

    def log(self, type: str, message: str, *args: Any) -> None:
        return


class AwsDouble:
    """The server, what it was asked, and what it refuses: (action, region) to a rule."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self.rules: dict[tuple[str, str], Rule] = {}  # set by `forget`
        self.asked: Counter[tuple[str, str]] = Counter()
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Another test's account."""
        ec2_backends.reset()
        self.rules = {("DescribeRegions", "*"): lambda: LISTED}
        self.asked.clear()
        self.dated(None)

    @staticmethod
    def dated(when: datetime | None) -> None:
        """The time that it is at AWS."""
        _Quiet.date = None if when is None else format_datetime(when, usegmt=True)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = body.replace(b"&NextToken=" + MORE.encode(), b"")  # moto knows tokens of its own only
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        action = parse_qs(body.decode()).get("Action", [""])[0]
        signed = environ.get("HTTP_AUTHORIZATION", "").split("/")
        region = signed[2] if len(signed) > 2 else ""
        self.asked[action, region] += 1
        rule = self.rules.get((action, region)) or self.rules.get((action, "*")) or self.rules.get(("*", region))
        said = rule() if rule else None
        if said is None:
            return self._moto(environ, start)  # type: ignore[no-any-return]
        status, said = said if isinstance(said, tuple) else (200, said)
        start(f"{status} said", [("Content-Type", "text/xml;charset=UTF-8")])
        return [said.encode()]


def refusing(code: str, said: str = "No.", times: int | None = None) -> Rule:
    """EC2's answer, always or the first few times."""
    left = [times]

    def rule() -> tuple[int, str] | None:
        if left[0] is not None:
            if left[0] == 0:
                return None
            left[0] -= 1
        return STATUS.get(code, 400), ERROR.format(code=code, said=said)

    return rule


def a_box(name: str, *, expires_in_s: float) -> Box:
    now = datetime.now(UTC)
    launched = min(now, now + timedelta(seconds=expires_in_s)) - timedelta(hours=1)
    return Box(name, "a-run", "aws", launched.isoformat(), (now + timedelta(seconds=expires_in_s)).isoformat(), 2.0)


LATE, YOUNG = -60.0, 3600.0


def tagged(box: Box | None, *kinds: str, **wrong: str) -> list[dict[str, Any]]:
    """A launch's tags; `wrong`: an expiry that somebody wrote over."""
    tags = {"Name": "any"} if box is None else {"Name": "any", **tags_of(box)}
    if "expires" in wrong:
        tags[EXPIRES] = wrong["expires"]
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]} for kind in kinds]


class Account:
    """What is in the double, made and looked at as any other tool would."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._clients: dict[str, Any] = {}

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def ec2(self, region: str = HERE) -> Any:
        if region not in self._clients:
            keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
            client = boto3.session.Session(**keys).client("ec2", region_name=region, endpoint_url=self._url)
            self._clients[region] = client
        return self._clients[region]

    def launch(self, box: Box | None, region: str = HERE, *, expires: str | None = None, **given: Any) -> str:
        wrong = {} if expires is None else {"expires": expires}
        made = self.ec2(region).run_instances(
            ImageId=AMI,
            InstanceType="m5.large",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=tagged(box, "instance", **wrong),
            **given,
        )
        return str(made["Instances"][0]["InstanceId"])

    def state(self, id_: str, region: str = HERE) -> str:
        (found,) = self.ec2(region).describe_instances(InstanceIds=[id_])["Reservations"]
        return str(found["Instances"][0]["State"]["Name"])
