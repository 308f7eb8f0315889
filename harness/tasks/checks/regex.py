"""A regular expression that is found in the answer."""

import re

from harness.scenario.checkers import RegexChecker
from harness.tasks.checks.given import SOLVED, Check, Given, Outcome


def regex_check(checker: RegexChecker) -> Check:
    """Whether the pattern is found somewhere in the answer."""
    pattern = re.compile(checker.pattern)

    def check(given: Given) -> Outcome:
        return SOLVED if pattern.search(given.text) else Outcome(False, "the pattern is not found in it")

    return check
