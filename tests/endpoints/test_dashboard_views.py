"""What the dashboard shows of clients and trails: no hash, and never more than is quick."""

import json
from pathlib import Path
from typing import Any

import fakeredis
import pytest

from app.admin.history import History
from app.admin.site import Access
from tests.dashboard import Dashboard
from tests.fake_line import AskingLine
from tests.service import build_service, client_fields, secret_entry


def all_clients(dashboard: Dashboard, part: str = "") -> tuple[dict[str, Any], int]:
    """Every client by its id, and how many questions that took."""
    found: dict[str, Any] = {}
    cursor, asked = "0", 0
    while cursor != "0" or not asked:
        page = dashboard.get("api/clients", cursor=cursor, part=part)
        found |= {one["client_id"]: one for one in page["clients"]}
        cursor, asked = page["cursor"], asked + 1
    return found, asked


def shown_secret(secret_id: str, state: str, **dates: int) -> dict[str, object]:
    """Return all that is shown of a secret."""
    no_dates = {"not_before_s": 0, "not_after_s": None, "last_used_s": None}
    return {"id": secret_id, "state": state, **no_dates, **dates}


def test_client_is_shown_without_what_opens_a_door(looking: Dashboard) -> None:
    """Secrets by id and date; neither salt nor hash, in no answer."""
    redis, now = looking.service.redis, int(looking.service.clock.now)
    entries = [
        secret_entry(secret_id="bbbb0002", not_before_s=now),
        secret_entry(secret_id="aaaa0001", not_after_s=now),
    ]
    redis.hset("client:two", mapping=client_fields(*entries, name="Two", ttl_s="60"))  # type: ignore[arg-type]
    redis.hset("used:two", "bbbb0002", str(now - 5))
    redis.set("notbefore:two", "7")
    expected = {
        "client_id": "two",
        "name": "Two",
        "status": "active",
        "scopes": "orders:read orders:write",
        "audiences": "",
        "token_endpoint_auth_method": "",
        "ttl_s": 60,
        "rate_per_s": None,
        "created_at": 1,
        "updated_at": 1,
        "not_before_s": 7,
        "secrets": [
            shown_secret("bbbb0002", "live", not_before_s=now, last_used_s=now - 5),
            shown_secret("aaaa0001", "ended", not_after_s=now),
        ],
    }
    assert expected == looking.get("api/clients/two")
    assert expected == all_clients(looking)[0]["two"]


@pytest.mark.parametrize("field", ["salt", "hash"])
def test_no_answer_has_a_salt_or_a_hash(dashboard: Dashboard, field: str) -> None:
    """Whatever is asked, signed in or not."""
    dashboard.sign_in()
    dashboard.post("api/clients/demo/rotate")
    stored = json.loads(dashboard.service.redis.hget("client:demo", "secrets") or "")
    answers = [
        dashboard.ask("GET", path).text
        for path in ("api/about", "api/clients", "api/clients/demo", "api/audit", "api/samples")
    ]
    for secret in stored:
        assert not any(secret[field] in answer for answer in answers)


def test_thousands_of_clients_come_in_bounded_answers(looking: Dashboard) -> None:
    """Each client comes, and no answer is long, however many other keys there are."""
    pipe = looking.service.redis.pipeline()
    fields: Any = client_fields()
    for number in range(2000):
        pipe.hset(f"client:c{number}", mapping=fields)
        pipe.set(f"revoked:{number}", "x")
    pipe.execute()
    found, asked = all_clients(looking)
    assert {"demo"} | {f"c{number}" for number in range(2000)} == set(found)
    assert asked >= 5


def test_part_of_an_id_finds_its_clients(looking: Dashboard) -> None:
    """And what is no part of an id finds nothing strange."""
    for client_id in ("billing", "bill", "orders"):
        looking.service.add_client(client_id)
    assert {"billing", "bill"} == set(all_clients(looking, part="bill")[0])
    assert {"billing"} == set(all_clients(looking, part="lling")[0])
    assert 400 == looking.ask("GET", "api/clients", params={"part": "b*"}).status_code


@pytest.mark.parametrize("cursor", ["x", "-1", "1" * 21, "\u0661"])
def test_cursor_that_nobody_named_is_refused(looking: Dashboard, cursor: str) -> None:
    """It would be Redis's to complain about otherwise."""
    assert 400 == looking.ask("GET", "api/clients", params={"cursor": cursor}).status_code


def test_client_that_the_gateway_cannot_read_is_shown_as_such(looking: Dashboard) -> None:
    """Somebody's hand has spoilt it; the others are shown all the same."""
    redis = looking.service.redis
    redis.hset("client:spoilt", mapping={"status": "active", "secrets": "{", "name": b"\xff"})
    redis.set("client:string", "x")
    redis.hset("client:a b", mapping={"status": "active"})
    found, _ = all_clients(looking)
    assert {"demo", "spoilt", "string"} == set(found)
    assert "unreadable" == found["spoilt"]["status"] == found["string"]["status"]


def test_cluster_has_no_list_but_each_client_by_its_id(
    redis_server: fakeredis.FakeServer, keys_dir: Path
) -> None:
    """A SCAN of one node would show some of them as if they were all."""
    connection = fakeredis.FakeRedis(server=redis_server, decode_responses=True)
    access = Access(view=AskingLine(connection), can_list=False)
    dashboard = Dashboard(build_service(connection, keys_dir, access=access))
    dashboard.service.add_client()
    answer = dashboard.ask("GET", "api/clients")
    assert (501, "cannot_list") == (answer.status_code, answer.json["error"])
    assert "demo" == dashboard.get("api/clients/demo")["client_id"]


def test_client_that_is_not_there_is_404(looking: Dashboard) -> None:
    """And an id that none can have is 400."""
    assert 404 == looking.ask("GET", "api/clients/nobody").status_code
    assert 400 == looking.ask("GET", "api/clients/a*").status_code


def add_entries(dashboard: Dashboard, count: int, **fields: str) -> None:
    entry: Any = {"event": "mint", **fields}
    pipe = dashboard.service.redis.pipeline()
    for number in range(count):
        pipe.xadd("audit", entry | {"number": str(number)})
    pipe.execute()


def test_trail_is_shown_newest_first_and_goes_back_to_its_beginning(looking: Dashboard) -> None:
    """Page by page, each entry once."""
    add_entries(looking, 250, client_id="demo")
    found, before = [], ""
    while True:
        page = looking.get("api/audit", before=before)
        assert len(page["entries"]) <= 100
        found += [int(entry["number"]) for entry in page["entries"]]
        if page["next_id"] is None:
            break
        before = page["next_id"]
    assert list(reversed(range(250))) == found


def test_trail_shows_what_came_since(looking: Dashboard) -> None:
    """The page asks with the newest id that it has."""
    add_entries(looking, 3)
    newest = looking.get("api/audit")["entries"][0]["id"]
    assert [] == looking.get("api/audit", after=newest)["entries"]
    add_entries(looking, 2, client_id="demo")
    news = looking.get("api/audit", after=newest)["entries"]
    assert ["1", "0"] == [entry["number"] for entry in news]


def test_filter_finds_what_is_rare(looking: Dashboard) -> None:
    """By client and by event, past any number of others."""
    add_entries(looking, 3, client_id="demo")
    add_entries(looking, 600, client_id="other")
    found, before = [], ""
    while before is not None:
        page = looking.get("api/audit", client_id="demo", event="mint", before=before)
        found += page["entries"]
        before = page["next_id"]
    assert ["2", "1", "0"] == [entry["number"] for entry in found]
    assert [] == looking.get("api/audit", client_id="demo", event="revoke")["entries"]


@pytest.mark.parametrize(
    "query",
    [{"before": "x"}, {"after": "1"}, {"after": "1-1 COUNT"}, {"event": "x" * 129}],
    ids=str,
)
def test_question_of_another_form_is_refused(looking: Dashboard, query: dict[str, str]) -> None:
    """Nothing else reaches Redis."""
    assert 400 == looking.ask("GET", "api/audit", params=query).status_code


@pytest.mark.parametrize("path", ["api/clients", "api/clients/demo", "api/audit", "api/refusals"])
def test_redis_away_is_503_and_the_page_still_comes(
    looking: Dashboard, redis_server: Any, path: str
) -> None:
    """The page says what it cannot show."""
    redis_server.connected = False
    answer = looking.ask("GET", path)
    assert (503, "temporarily_unavailable") == (answer.status_code, answer.json["error"])
    assert 200 == looking.ask("GET", "").status_code


def test_no_answer_is_larger_than_a_sockets_buffer(looking: Dashboard) -> None:
    """Neither clients nor entries, however long they are; and none of them is left out."""
    scopes = " ".join(f"scope:{number:04}" for number in range(180))
    for number in range(300):
        looking.service.add_client(f"c{number}", scopes=scopes, name="\u00e9" * 64)
        looking.service.redis.xadd("audit", {"event": "x", "detail": scopes, "n": str(number)})
    clients, cursor = set(), None
    while cursor != "0":
        answer = looking.ask("GET", "api/clients", params={"cursor": cursor or "0"})
        assert len(answer.content) < 200_000
        clients |= {one["client_id"] for one in answer.json["clients"]}
        cursor = answer.json["cursor"]
    assert {"demo"} | {f"c{number}" for number in range(300)} == clients
    entries, before = [], ""
    while before is not None:
        answer = looking.ask("GET", "api/audit", params={"before": before})
        assert len(answer.content) < 200_000
        entries += [entry["n"] for entry in answer.json["entries"]]
        before = answer.json["next_id"]
    assert [str(number) for number in reversed(range(300))] == entries
    assert scopes == looking.get("api/clients/c7")["scopes"]


def test_samples_come_in_parts_until_they_are_all_there(
    redis_server: fakeredis.FakeServer, keys_dir: Path, tmp_path: Path
) -> None:
    """The page asks again with the time of the newest that it has."""
    connection = fakeredis.FakeRedis(server=redis_server, decode_responses=True)
    service = build_service(connection, keys_dir, metrics_dir=tmp_path)
    history = History(tmp_path / "history")
    names = [f"a_long_name_of_a_series_{number}" for number in range(200)]
    now = service.clock.now
    for number in range(300):
        name = names[number // 100]
        history.add(now - 600 + 2 * number + 1, dict.fromkeys([name, *names], 1_000_000 + number))
    dashboard, seen, after, is_all = Dashboard(service), [], "0", False
    while not is_all:
        answer = dashboard.ask("GET", "api/samples", params={"after": after})
        assert len(answer.content) < 200_000
        seen += [row[1] for part in answer.json["parts"] for row in part["rows"]]
        after, is_all = str(answer.json["parts"][-1]["rows"][-1][0]), answer.json["is_all"]
    assert [1_000_000 + number for number in range(300)] == seen
    assert {"parts": [], "is_all": True} == dashboard.get("api/samples", after=after)


def test_dashboard_shows_how_a_client_authenticates_and_not_with_what(looking: Dashboard) -> None:
    """Neither its keys nor the name in its certificate are anybody's business there."""
    looking.service.add_client(
        "keyed",
        token_endpoint_auth_method="private_key_jwt",
        jwks='{"keys": [{"kty": "EC", "kid": "only-the-app-knows"}]}',
        secrets="[]",
    )
    told = looking.get("api/clients/keyed")
    assert ("private_key_jwt", "active") == (told["token_endpoint_auth_method"], told["status"])
    assert "only-the-app-knows" not in str(told)
