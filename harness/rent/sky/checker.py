"""Run by SkyPilot's own Python: what SkyPilot says of a task, one line of JSON. Standard library, and SkyPilot.

`python -I checker.py TASK.yaml` starts nothing and asks no cloud; where SkyPilot has no catalogue yet, or an old one,
it fetches it.
"""

import contextlib
import json
import sys


def main(path: str) -> None:
    """Print `{"version", "problem", "is_checked", "usd_per_hour"}`."""
    said = {"version": "", "problem": None, "is_checked": True, "usd_per_hour": None}
    with contextlib.redirect_stdout(sys.stderr):
        import requests
        import sky

        said["version"] = sky.__version__
        try:
            task = sky.Task.from_yaml(path)
            task.validate()
            (resources,) = task.resources
            said["usd_per_hour"] = resources.get_cost(3600)
        except requests.exceptions.RequestException:
            said |= {"is_checked": False, "problem": "its catalogue of the cloud's prices could not be fetched"}
        except ImportError as error:
            said |= {"is_checked": False, "problem": str(error)}
        except Exception as error:
            said["problem"] = str(error) or type(error).__name__
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1])
