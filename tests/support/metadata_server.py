"""The metadata services of three clouds as their documents have them, and what else can sit at that address.

with MetadataServer(Aws()) as server:
    server.cloud.paths["/latest/meta-data/spot/instance-action"] = '{"action": "terminate", "time": "..."}'
"""

import json
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from loopback import Loopback

HTML_404 = (
    '<?xml version="1.0" encoding="iso-8859-1"?>\n<!DOCTYPE html><html><body><h1>404 - Not Found</h1></body></html>'
)
PORTAL = "<!doctype html>\n<html><title>Sign in to the network</title></html>"
Headers = dict[str, str]
Said = tuple[int, Headers, str]


class Cloud(Protocol):
    def says(self, method: str, url: str, headers: Headers) -> Said: ...


@dataclass
class Aws:
    """IMDSv2: a token by PUT, which every GET needs; 401 without one that holds, 404 where there is nothing."""

    paths: dict[str, str] = field(
        default_factory=lambda: {
            "/latest/meta-data/instance-id": "i-01ed50f7e2607f09e",
            "/latest/meta-data/instance-life-cycle": "spot",
            "/latest/dynamic/instance-identity/document": json.dumps(
                {
                    "accountId": "111122223333",
                    "architecture": "x86_64",
                    "availabilityZone": "us-west-2a",
                    "imageId": "ami-b2e756ca",
                    "instanceId": "i-01ed50f7e2607f09e",
                    "instanceType": "g5.12xlarge",
                    "privateIp": "10.0.0.171",
                    "region": "us-west-2",
                }
            ),
            "/latest/meta-data/public-ipv4": "198.51.100.7",
            "/latest/user-data": "#!/bin/sh\nexport HF_TOKEN=hf_secret",
        }
    )
    given: int = 0  # tokens, of which the last holds

    def says(self, method: str, url: str, headers: Headers) -> Said:
        if method == "PUT" and url == "/latest/api/token":
            if not headers.get("x-aws-ec2-metadata-token-ttl-seconds", "").isdigit():
                return 400, {}, HTML_404
            self.given += 1
            return 200, {}, self._token()
        if headers.get("x-aws-ec2-metadata-token") != self._token() or not self.given:
            return 401, {}, HTML_404
        return (200, {}, self.paths[url]) if url in self.paths else (404, {}, HTML_404)

    def _token(self) -> str:
        return f"AQAEAB{self.given:04}x4KUqnhTG9Ia-hNBk9FlQZzlkZCrfNVJ8rsXQA=="

    def expire(self) -> None:
        self.given += 1


@dataclass
class Gcp:
    """Every request says whom it means, and so does every answer."""

    paths: dict[str, str] = field(
        default_factory=lambda: {
            "id": "5512345678901234567",
            "machine-type": "projects/123456/machineTypes/a2-highgpu-1g",
            "zone": "projects/123456/zones/us-central1-a",
            "image": "projects/ml-images/global/images/c0-deeplearning-common-cu121-v20240128",
            "preempted": "FALSE",
            "maintenance-event": "NONE",
            "scheduling/preemptible": "TRUE",
        }
    )

    def says(self, method: str, url: str, headers: Headers) -> Said:
        if headers.get("metadata-flavor") != "Google":
            return 403, {"Metadata-Flavor": "Google"}, PORTAL
        key = url.removeprefix("/computeMetadata/v1/instance/")
        found = method == "GET" and key in self.paths
        return (200 if found else 404), {"Metadata-Flavor": "Google"}, self.paths[key] if found else HTML_404


@dataclass
class Azure:
    """Every request has its header and an api-version; a set's boxes hear of each other's events."""

    compute: dict[str, Any] = field(
        default_factory=lambda: {
            "name": "box-3",
            "vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6",
            "vmSize": "Standard_NC24ads_A100_v4",
            "location": "westeurope",
            "zone": "1",
            "priority": "Spot",
            "storageProfile": {
                "imageReference": {"publisher": "microsoft-dsvm", "offer": "ubuntu-hpc", "sku": "2204", "version": "1"}
            },
            "subscriptionId": "8d10da13-8125-4ba9-a717-bf7490507b3d",
            "userData": "c2VjcmV0",
        }
    )
    events: list[dict[str, Any]] = field(default_factory=list)

    def says(self, method: str, url: str, headers: Headers) -> Said:
        place, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        if headers.get("metadata") != "true" or "api-version" not in query:
            return 400, {}, json.dumps({"error": "Bad request. Required metadata header not specified"})
        if place == "/metadata/instance":
            return 200, {}, json.dumps({"compute": self.compute, "network": {}})
        if place == "/metadata/instance/compute/name" and query.get("format") == ["text"]:
            return 200, {}, self.compute["name"]
        if place == "/metadata/scheduledevents":
            return 200, {}, json.dumps({"DocumentIncarnation": 1, "Events": self.events})
        return 404, {}, json.dumps({"error": "Not found"})


@dataclass
class Everything:
    """The same to whatever is asked: a captive portal, a router, nonsense."""

    status: int
    text: str
    headers: Headers = field(default_factory=dict)

    def says(self, method: str, url: str, headers: Headers) -> Said:
        return self.status, self.headers, self.text


class MetadataServer(Loopback):
    """What `cloud` says, and what was asked of it; `drips`: a byte of the answer each 0.05 s, for ever."""

    def __init__(self, cloud: Cloud, *, drips: bool = False) -> None:
        super().__init__(_Handler)
        self.cloud, self.drips = cloud, drips
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: MetadataServer

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        said = self.server.cloud.says(self.command, self.path, {key.lower(): v for key, v in self.headers.items()})
        status, headers, text = said
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode()) + (10_000 if self.server.drips else 0)))
        self.end_headers()
        try:
            self.wfile.write(text.encode())
            while self.server.drips:
                time.sleep(0.05)
                self.wfile.write(b".")
        except OSError:
            return

    do_GET = do_PUT = _answer  # noqa: N815
