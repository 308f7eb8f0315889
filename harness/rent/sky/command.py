"""What SkyPilot's processes get of our environment: the clouds' credentials, and no other key."""

import os

from harness.base.children import plain_environment

_OF_CLOUDS = (
    "AWS_", "AZURE_", "ARM_", "BOTO_", "CLOUDSDK_", "DIGITALOCEAN_", "GCLOUD_", "GOOGLE_", "LAMBDA_", "NEBIUS_", "OCI_",
    "PAPERSPACE_", "RUNPOD_", "VAST_", "SKY_", "SKYPILOT_", "SSH_",
)  # fmt: skip
_OF_THE_NETWORK = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
)  # fmt: skip


def sky_environment() -> dict[str, str]:
    """The environment of a SkyPilot process. It sends no usage statistics, and writes no colours."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_OF_CLOUDS) or name in _OF_THE_NETWORK}
    return plain_environment({**kept, "SKYPILOT_DISABLE_USAGE_COLLECTION": "1", "NO_COLOR": "1"})
