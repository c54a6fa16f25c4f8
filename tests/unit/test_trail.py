"""Does a replica have all that its primary has announced?"""

import pytest

from app.trail import Trail


@pytest.fixture
def trail() -> Trail:
    """Of a replica that has been seen to be up to date."""
    trail = Trail()
    for offset in (100, 100):
        trail.cut()
        trail.measure(offset, offset)
    assert trail.is_complete()
    return trail


def test_replica_of_which_nothing_is_known_may_lack_anything() -> None:
    """It must have been past an offset that the primary had before."""
    trail = Trail()
    assert not trail.is_complete()
    trail.cut()
    trail.measure(100, 100)
    assert not trail.is_complete()
    trail.cut()
    trail.measure(120, 99)
    assert not trail.is_complete()
    trail.cut()
    trail.measure(120, 100)
    assert trail.is_complete()


def test_replica_has_what_it_has_announced(trail: Trail) -> None:
    """A change counts as lost until the replica tells of it."""
    trail.announced("revoked:a")
    trail.announced("revoked:b")
    trail.echoed("revoked:a")
    assert not trail.is_complete()
    trail.echoed("revoked:b")
    assert trail.is_complete()


def test_order_in_which_sockets_are_looked_into_makes_no_difference(trail: Trail) -> None:
    """The replica's word may be read first."""
    trail.echoed("revoked:a")
    trail.announced("revoked:a")
    assert trail.is_complete()
    trail.announced("revoked:a")
    assert not trail.is_complete()


def test_offset_clears_what_was_announced_before_it_was_read(trail: Trail) -> None:
    """Two changes of one key may come as one: the second echo never comes, and is not missed."""
    trail.announced("client:a")
    trail.echoed("client:a")
    trail.announced("client:a")
    assert not trail.is_complete()
    for offset in (150, 180):
        trail.cut()
        trail.measure(offset, offset)
    assert trail.is_complete()


def test_offset_clears_nothing_that_was_announced_after_it(trail: Trail) -> None:
    """What came between the cut and the answer may be beyond the offset."""
    trail.cut()
    trail.announced("revoked:a")
    trail.measure(150, 150)
    assert not trail.is_complete()
    trail.cut()
    trail.measure(180, 160)
    assert not trail.is_complete()
    trail.cut()
    trail.measure(180, 179)
    assert not trail.is_complete()
    trail.cut()
    trail.measure(200, 180)
    assert trail.is_complete()


def test_answer_that_does_not_come_clears_nothing(trail: Trail) -> None:
    """Cuts without a measure."""
    trail.announced("revoked:a")
    trail.cut()
    trail.cut()
    assert not trail.is_complete()


def test_more_changes_than_can_be_remembered_wait_for_the_offsets(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory has a bound, and what is past it is not held to have arrived."""
    monkeypatch.setattr("app.trail._MOST", 2)
    for name in "abc":
        trail.announced(name)
    for name in "abc":
        trail.echoed(name)
    assert not trail.is_complete()
    for offset in (150, 150):
        trail.cut()
        trail.measure(offset, offset)
    assert trail.is_complete()
