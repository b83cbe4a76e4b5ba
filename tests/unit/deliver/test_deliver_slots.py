"""Turns, when more wants to be sent than the machine can."""

from headwater.deliver.slots import Slots


class Sender:
    """Wants so many requests; a job is its ticket."""

    def __init__(self, slots: Slots[int], name: str, left: int, starts: list[str]) -> None:
        self.slots, self.name, self.left, self.starts = slots, name, left, starts

    def wants(self) -> bool:
        return self.left > 0

    def job(self) -> int | None:
        self.left -= 1
        self.starts.append(self.name)
        return self.slots.enter()

    def push(self) -> list[int]:
        tickets: list[int] = []
        while self.wants() and self.slots.free(self):
            tickets.append(self.job() or 0)
        return tickets


class Idle(Sender):
    """Wants to send, and then has nothing that may go."""

    def job(self) -> int | None:
        return None


def test_slots_are_given_in_turn() -> None:
    starts: list[str] = []
    slots: Slots[int] = Slots(2, 60.0, lambda job: None)
    one, two = Sender(slots, "one", 4, starts), Sender(slots, "two", 3, starts)
    tickets = one.push()
    two.push()
    assert starts == ["one", "one"]
    while tickets:
        slots.leave(tickets.pop(0))
        if (job := slots.following()) is not None:
            tickets.append(job)
    assert starts == ["one", "one", "one", "two", "one", "two", "two"]
    assert not slots.crowded


def test_turns_that_come_with_no_task_at_hand_are_started() -> None:
    starts: list[str] = []
    started: list[int] = []
    slots: Slots[int] = Slots(1, 60.0, started.append)
    one, two = Sender(slots, "one", 1, starts), Sender(slots, "two", 1, starts)
    (ticket,) = one.push()
    two.push()
    slots.serve()
    assert started == []
    slots.leave(ticket)
    slots.serve()
    assert starts == ["one", "two"]
    assert len(started) == 1


def test_who_has_nothing_to_send_after_all_leaves_the_line() -> None:
    slots: Slots[int] = Slots(1, 60.0, lambda job: None)
    (ticket,) = Sender(slots, "one", 1, []).push()
    Idle(slots, "idle", 1, []).push()
    slots.leave(ticket)
    assert slots.following() is None
    assert not slots.crowded


def test_late_requests_do_not_keep_their_slots() -> None:
    starts: list[str] = []
    slots: Slots[int] = Slots(2, -1.0, lambda job: None)
    Sender(slots, "one", 4, starts).push()
    assert starts == ["one"] * 4


def test_a_machine_that_is_slow_with_everything_blames_nobody() -> None:
    slots: Slots[int] = Slots(2, 0.5, lambda job: None)
    slots.took(0.4)
    assert slots.patience > 1.5
