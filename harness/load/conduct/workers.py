"""All load processes of a run as one: what holds of every one of them that lives."""

from harness.load.conduct.worker import Worker


class Workers(list[Worker]):
    """The load processes by number."""

    @property
    def have_ended(self) -> bool:
        """Whether every process has ended."""
        return all(worker.is_over for worker in self)

    @property
    def are_ready(self) -> bool:
        """Whether every process that lives has prepared."""
        return all(worker.is_ready or worker.is_over for worker in self)

    @property
    def are_idle(self) -> bool:
        """Whether every process that lives has nothing under way."""
        return all(worker.is_idle or worker.is_over for worker in self)

    @property
    def are_held(self) -> bool:
        """Whether all requests that were due in the window have ended."""
        return self.left == 0

    @property
    def left(self) -> int | None:
        """Requests under way that were due in the window that is over; None: one that lives has not told."""
        told = [worker.left for worker in self.living]
        return None if None in told else sum(left for left in told if left is not None)

    @property
    def not_sent(self) -> int:
        """Arrivals dropped so far."""
        return sum(worker.live.not_sent for worker in self if worker.live is not None)

    @property
    def living(self) -> list[Worker]:
        """Those whose output has not ended."""
        return [worker for worker in self if not worker.is_over]

    @property
    def elsewhere(self) -> list[Worker]:
        """Those on other machines."""
        return [worker for worker in self if worker.is_elsewhere]

    def end_the_silent(self, now_s: float, most_s: float) -> None:
        """Kill who has said nothing for so long: a process that hangs would be waited for for ever."""
        for worker in self:
            if worker.heard_s is not None and now_s - worker.heard_s > most_s:
                worker.how, worker.heard_s = f"no sign of life for {most_s:g} s", None
                worker.end.kill()
