"""What a judging process and its parent agree on."""

START_S = 60.0  # to come up, and to make a checker ready: a function's module may import much
LIMIT_S = 5.0  # for one answer
READY = 0  # a line of its own: the process is up, or a checker is ready; all others are `[success, why]`
