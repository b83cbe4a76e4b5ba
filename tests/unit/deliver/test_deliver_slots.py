"""Turns, when more wants to be sent than the machine can."""

from collections.abc import Callable

from headwater.deliver.slots import Slots


class Sender:
    """Wants so many requests, one a turn."""

    def __init__(self, slots: Slots, name: str, wants: int, starts: list[str]) -> None:
        self.slots, self.name, self.wants, self.starts = slots, name, wants, starts
        self.tickets: list[int] = []
        self.turn: Callable[[], bool] = self._turn

    def _turn(self) -> bool:
        self.wants -= 1
        self.starts.append(self.name)
        self.tickets.append(self.slots.enter())
        return self.wants > 0

    def push(self) -> None:
        while self.wants and self.slots.free(self.turn):
            self._turn()


def test_slots_are_given_in_turn() -> None:
    slots, starts = Slots(2, 60.0), []
    one, two = Sender(slots, "one", 4, starts), Sender(slots, "two", 3, starts)
    one.push()
    two.push()
    assert starts == ["one", "one"]
    for _ in range(5):
        slots.leave((one.tickets or two.tickets).pop(0))
    assert starts == ["one", "one", "one", "two", "one", "two", "two"]
    assert not slots.crowded


def test_late_requests_do_not_keep_their_slots() -> None:
    slots, starts = Slots(2, -1.0), []
    Sender(slots, "one", 5, starts).push()
    assert starts == ["one"] * 5


def test_a_machine_that_is_slow_with_everything_blames_nobody() -> None:
    slots = Slots(2, 0.5)
    slots.took(0.4)
    assert slots.patience > 1.5
