"""Does a replica have all that its primary has announced?"""

import pytest

from app.trail import Trail, Trails


@pytest.fixture
def trail() -> Trail:
    """Of a replica that has been seen to be up to date."""
    trail = Trail()
    for offset in (100, 100):
        trail.cut()
        trail.measure(offset, offset)
    assert set() == trail.missing()
    return trail


def test_replica_of_which_nothing_is_known_may_lack_anything() -> None:
    """It must have been past an offset that the primary had before."""
    trail = Trail()
    assert trail.missing() is None
    trail.cut()
    trail.measure(100, 100)
    assert trail.missing() is None
    trail.cut()
    trail.measure(120, 99)
    assert trail.missing() is None
    trail.cut()
    trail.measure(120, 100)
    assert set() == trail.missing()


def test_replica_has_what_it_has_announced(trail: Trail) -> None:
    """A change counts as lost until the replica tells of it."""
    trail.announced("revoked:a")
    trail.announced("revoked:b")
    trail.echoed("revoked:a")
    assert {"revoked:b"} == trail.missing()
    trail.echoed("revoked:b")
    assert set() == trail.missing()


def test_order_in_which_sockets_are_looked_into_makes_no_difference(trail: Trail) -> None:
    """The replica's word may be read first."""
    trail.echoed("revoked:a")
    trail.announced("revoked:a")
    assert set() == trail.missing()
    trail.announced("revoked:a")
    assert {"revoked:a"} == trail.missing()


def test_change_that_follows_another_of_the_same_key_counts_for_itself(trail: Trail) -> None:
    """Of two the replica has one, or has told of one twice."""
    trail.announced("client:a")
    trail.announced("client:a")
    trail.echoed("client:a")
    assert {"client:a"} == trail.missing()
    trail.echoed("client:a")
    trail.echoed("client:a")
    trail.drained()
    trail.announced("client:a")
    assert {"client:a"} == trail.missing()


def test_what_a_replica_catches_up_with_at_first_counts_for_nothing() -> None:
    """Its primary told of that before we listened; a later change of that key is another one."""
    trail = Trail()
    trail.cut()
    trail.measure(100, 90)
    trail.announced("client:a")
    trail.echoed("client:a")
    trail.cut()
    trail.measure(120, 100)
    assert {"client:a"} == trail.missing()


def test_offset_clears_what_was_announced_before_it_was_read(trail: Trail) -> None:
    """Two changes of one key may come as one: the second echo never comes, and is not missed."""
    trail.announced("client:a")
    trail.echoed("client:a")
    trail.announced("client:a")
    assert {"client:a"} == trail.missing()
    for offset in (150, 180):
        trail.cut()
        trail.measure(offset, offset)
    assert set() == trail.missing()


def test_offset_clears_nothing_that_was_announced_after_it(trail: Trail) -> None:
    """What came between the cut and the answer may be beyond the offset."""
    trail.cut()
    trail.announced("revoked:a")
    trail.measure(150, 150)
    assert {"revoked:a"} == trail.missing()
    trail.cut()
    trail.measure(180, 160)
    assert {"revoked:a"} == trail.missing()
    trail.cut()
    trail.measure(180, 179)
    assert {"revoked:a"} == trail.missing()
    trail.cut()
    trail.measure(200, 180)
    assert set() == trail.missing()


def test_answer_that_does_not_come_clears_nothing(trail: Trail) -> None:
    """Cuts without a measure."""
    trail.announced("revoked:a")
    trail.cut()
    trail.cut()
    assert {"revoked:a"} == trail.missing()


def test_more_changes_than_can_be_remembered_wait_for_the_offsets(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory has a bound, and what is past it is not held to have arrived."""
    monkeypatch.setattr("app.trail._MOST", 2)
    for name in "abc":
        trail.announced(name)
    for name in "abc":
        trail.echoed(name)
    assert trail.missing() is None
    for offset in (150, 150):
        trail.cut()
        trail.measure(offset, offset)
    assert set() == trail.missing()


def test_replica_that_takes_over_lacks_what_its_primary_lacked_before() -> None:
    """Two in a row are lost; what the first had not made good yet goes on to the next."""
    trails = Trails()
    trails.lack("a", {"revoked:1"})
    trails.lack("a", {"revoked:2"})
    assert {"a": {"revoked:1", "revoked:2"}} == trails.behind
    trails.lack("a", None)
    trails.lack("a", {"revoked:3"})
    assert {"a": None} == trails.behind
    trails.judge("a", "b")
    assert {"b": None} == trails.behind


def test_what_somebody_may_lack_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past it, anything may be missing."""
    monkeypatch.setattr("app.trail._MOST", 2)
    trails = Trails()
    trails.lack("a", {"revoked:1", "revoked:2"})
    trails.lack("a", {"revoked:3"})
    assert {"a": None} == trails.behind
