"""What machine this is: all that a reader needs to rent the same one and to believe the figures."""

from __future__ import annotations

import json
import platform
import sys
from typing import Any, Dict, Optional

from .metadata import Metadata


def facts(base_url: Optional[str] = None) -> Dict[str, Any]:
    """Each fact that could not be seen is None, with a word why in `not_seen`."""
    not_seen: Dict[str, str] = {}
    cloud = Metadata(base_url).find()
    return {"cloud": cloud, "kernel": platform.release(), "python": platform.python_version(), "not_seen": not_seen}


if __name__ == "__main__":
    json.dump(facts(), sys.stdout, indent=2)
