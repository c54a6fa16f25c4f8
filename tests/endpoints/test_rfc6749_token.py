"""RFC 6749, the client credentials grant at `/token` and `/ott`: the request and the answer."""

import itertools

import pytest

from tests.forgery import claims_of
from tests.service import SECRET, Service, basic, build_service, client_fields

GRANT = "grant_type=client_credentials"
CREDENTIALS = f"client_id=demo&client_secret={SECRET}"
MINTS = pytest.mark.parametrize("path", ["/token", "/ott"])


@MINTS
def test_s5_1_answer_has_token_type_lifetime_and_scope(service: Service, path: str) -> None:
    """Exactly these members, and the scope even when it is what was asked for."""
    answer = service.asked_by(path, grant_type="client_credentials", scope="orders:read")
    assert {"access_token", "token_type", "expires_in", "scope"} == set(answer.json)
    assert ["Bearer", 3600, "orders:read"] == [
        answer.json[name] for name in ("token_type", "expires_in", "scope")
    ]
    assert "application/json" == answer.headers["Content-Type"]


@MINTS
def test_s5_1_answer_is_not_stored(service: Service, path: str) -> None:
    """`Cache-Control: no-store` and `Pragma: no-cache`, with a token and with an error."""
    for fields in ({"grant_type": "client_credentials"}, {"grant_type": "password"}, {}):
        answer = service.asked_by(path, **fields)
        assert ["no-store", "no-cache"] == [
            answer.headers[name] for name in ("Cache-Control", "Pragma")
        ]


@MINTS
def test_s4_4_3_no_refresh_token_is_given(service: Service, path: str) -> None:
    """The client can always ask again by itself."""
    answer = service.asked_by(path, grant_type="client_credentials", scope="orders:read")
    assert "refresh_token" not in answer.json


@MINTS
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_s3_2_only_post_is_served(service: Service, path: str, method: str) -> None:
    """405 names what is allowed."""
    answer = service.http.simulate_request(method, f"{path}?{GRANT}", headers=basic())
    assert (405, {"POST", "OPTIONS"}) == (
        answer.status_code,
        set(answer.headers["Allow"].split(", ")),
    )


@pytest.mark.parametrize(
    "query",
    [
        CREDENTIALS,
        GRANT,
        "client_id=demo",
        f"client_secret={SECRET}",
        f"x=1&client_secret={SECRET}",
        f"client%5Fsecret={SECRET}",
        f"%63lient_secret={SECRET}",
        "client_secret=",
        "client_secret",
        "token=x",
    ],
)
def test_s2_3_1_credentials_in_the_uri_are_refused(service: Service, query: str) -> None:
    """They would be in every log on the way, however they are spelled."""
    answer = service.form(f"/token?{query}", f"{GRANT}&{CREDENTIALS}")
    assert (400, "invalid_request") == (answer.status_code, answer.json["error"])
    assert SECRET not in answer.text


@pytest.mark.parametrize("query", ["", "x=1", "utm=client", "my_client_id=1", "scope_=x"])
def test_s3_2_other_query_parameters_are_ignored(service: Service, query: str) -> None:
    """The endpoint URI may have a query of its own (RFC 6749 §3.2)."""
    answer = service.form(f"/token?{query}", f"{GRANT}&{CREDENTIALS}")
    assert 200 == answer.status_code


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (f"{GRANT}&{CREDENTIALS}", 200, None),
        (f"{GRANT}&{CREDENTIALS}&unknown=1&another=", 200, None),
        (f"{GRANT}&{CREDENTIALS}&scope=", 200, None),
        (f"{GRANT}&{CREDENTIALS}&resource=", 200, None),
        (f"{GRANT}&{CREDENTIALS}&scope=orders%3Aread+orders:write", 200, None),
        (f"{GRANT}&{GRANT}&{CREDENTIALS}", 400, "invalid_request"),
        (f"{GRANT}&{CREDENTIALS}&client_id=demo", 400, "invalid_request"),
        (f"{GRANT}&{CREDENTIALS}&scope=a&scope=a", 400, "invalid_request"),
        (f"{GRANT}&{CREDENTIALS}&scope=&scope=", 400, "invalid_request"),
        (f"{GRANT}&{CREDENTIALS}&x=1&x=2", 400, "invalid_request"),
        (f"{GRANT}&{CREDENTIALS}&x=&x=", 400, "invalid_request"),
        (CREDENTIALS, 400, "invalid_request"),
        (f"grant_type=&{CREDENTIALS}", 400, "invalid_request"),
        (f"grant_type=password&{CREDENTIALS}", 400, "unsupported_grant_type"),
        (f"grant_type=refresh_token&{CREDENTIALS}", 400, "unsupported_grant_type"),
        (f"grant_type=Client_Credentials&{CREDENTIALS}", 400, "unsupported_grant_type"),
        (f"grant_type=+client_credentials&{CREDENTIALS}", 400, "unsupported_grant_type"),
        (f"{GRANT}&{CREDENTIALS}&scope=orders:delete", 400, "invalid_scope"),
        (f"{GRANT}&{CREDENTIALS}&scope=orders:read+orders:delete", 400, "invalid_scope"),
        (f"{GRANT}&{CREDENTIALS}&scope=orders:read++orders:write", 400, "invalid_scope"),
        (f"{GRANT}&{CREDENTIALS}&scope=+", 400, "invalid_scope"),
        (f"{GRANT}&{CREDENTIALS}&scope=%00", 400, "invalid_scope"),
        (f"{GRANT}&{CREDENTIALS}&resource=https://other.example", 400, "invalid_target"),
        (f"{GRANT}&client_id=&client_secret=", 401, "invalid_client"),
        (f"{GRANT}&client_id=demo", 401, "invalid_client"),
        (GRANT, 401, "invalid_client"),
        ("", 401, "invalid_client"),
    ],
)
@MINTS
def test_s3_2_request_gets_its_answer(
    service: Service, path: str, body: str, status: int, error: str | None
) -> None:
    """Repeated: refused. Empty: absent. Unknown: ignored. Who asks is settled first."""
    answer = service.form(path, body)
    assert (status, error) == (answer.status_code, answer.json.get("error"))


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (None, "orders:read orders:write"),
        ("orders:write", "orders:write"),
        ("orders:write orders:read", "orders:write orders:read"),
        ("orders:read orders:read", "orders:read"),
    ],
)
def test_s3_3_token_has_the_scope_that_the_answer_names(
    service: Service, asked: str | None, granted: str
) -> None:
    """Absent scope: all that the client is allowed."""
    fields = {"scope": asked} if asked else {}
    answer = service.asked_by("/token", grant_type="client_credentials", **fields)
    token = answer.json["access_token"]
    assert [granted, granted] == [answer.json["scope"], claims_of(token)["scope"]]


def test_s3_3_scope_too_long_for_a_header_is_refused(service: Service) -> None:
    """Named or not: such a token could never pass the gate."""
    scopes = " ".join(f"scope-number-{n:04}" for n in range(150))
    service.add_client("broad", scopes=scopes)
    for fields in ({}, {"scope": scopes}):
        answer = service.asked_by("/token", "broad", grant_type="client_credentials", **fields)
        assert (400, "invalid_scope") == (answer.status_code, answer.json["error"])
    assert service.mint("broad", scope="scope-number-0007")


@pytest.mark.parametrize(
    ("ttl_s", "expires_in"), [("", 3600), ("60", 60), ("86400", 86400), ("99999999", 86400)]
)
def test_s5_1_lifetime_is_the_clients_own_within_a_day(
    service: Service, ttl_s: str, expires_in: int
) -> None:
    """`expires_in` is what `exp` says, and no token outlives a not-before."""
    service.add_client("brief", ttl_s=ttl_s)
    answer = service.asked_by("/token", "brief", grant_type="client_credentials")
    claims = claims_of(answer.json["access_token"])
    assert [expires_in, expires_in] == [answer.json["expires_in"], claims["exp"] - claims["iat"]]


def test_s3_2_json_is_taken_with_the_same_names(service: Service) -> None:
    """A convenience beside the RFC's form: the same request, the same answer."""
    fields = {"grant_type": "client_credentials", "client_id": "demo", "client_secret": SECRET}
    answer = service.http.simulate_post("/token", json={**fields, "scope": "orders:read"})
    assert (200, "orders:read") == (answer.status_code, answer.json["scope"])


def test_s2_3_disabled_client_is_enabled_again_at_once(service: Service) -> None:
    """Nothing about a client is remembered from one mint to the next."""
    statuses = []
    for status in ("active", "disabled", "active"):
        service.redis.hset("client:demo", "status", status)
        statuses.append(service.asked_by("/token", grant_type="client_credentials").status_code)
    assert [200, 401, 200] == statuses


@pytest.mark.parametrize("key", ["notbefore:demo", "notbefore:*"])
def test_token_minted_after_a_not_before_that_was_typed_is_good_at_once(
    service: Service, key: str
) -> None:
    """All of that second is dead but for what was minted in it by who knew."""
    before = service.mint()
    service.redis.set(key, int(service.clock.now))
    after = service.mint()
    assert ["revoked", "ok"] == [service.reason(token) for token in (before, after)]
    service.redis.set(key, f"{int(service.clock.now) + 1}.000")
    assert "revoked" == service.reason(after)


@pytest.mark.parametrize("key", ["notbefore:demo", "notbefore:*"])
def test_nothing_is_minted_until_a_not_before_that_lies_ahead(service: Service, key: str) -> None:
    """503 says when to come again; then the token is good."""
    before = service.mint()
    service.redis.set(key, int(service.clock.now) + 1)
    answer = service.asked_by("/token", grant_type="client_credentials")
    assert (503, "1") == (answer.status_code, answer.headers["Retry-After"])
    assert "temporarily_unavailable" == answer.json["error"]
    service.clock.now += 1
    assert ["revoked", "ok"] == [service.reason(token) for token in (before, service.mint())]


@pytest.mark.parametrize("kills", list(itertools.product(["demo", "*"], repeat=3)))
def test_token_minted_between_two_kills_of_one_moment_survives_only_the_first(
    service: Service, kills: tuple[str, ...]
) -> None:
    """No time passes at all, and the kills are a millisecond apart: the order alone decides."""
    found = []
    for number, name in enumerate(kills):
        token = service.mint()
        found.append(service.reason(token))
        service.redis.set(f"notbefore:{name}", f"{int(service.clock.now)}.{number:03}")
        found.append(service.reason(token))
    assert ["ok", "revoked"] * len(kills) == found
    assert int(service.clock.now) == claims_of(service.mint())["iat"]


def test_s10_10_tokens_of_one_moment_differ(service: Service) -> None:
    """Each has a `jti` of its own, that nobody can guess."""
    assert 50 == len({claims_of(service.mint())["jti"] for _ in range(50)})


def test_client_that_came_a_moment_ago_is_served(service: Service) -> None:
    """There is no negative cache either."""
    unknown = service.asked_by("/token", "fresh", grant_type="client_credentials")
    service.redis.hset("client:fresh", mapping=client_fields())  # type: ignore[arg-type]
    known = service.asked_by("/token", "fresh", grant_type="client_credentials")
    assert [401, 200] == [unknown.status_code, known.status_code]


@MINTS
def test_keys_that_may_not_sign_yet_are_503(service: Service, path: str) -> None:
    """A keyring of keys to come is a state that passes: try again, says the answer."""
    (service.keys_dir / "keyring").write_text("es-1 ES256 99999999999\n")
    answer = build_service(service.redis, service.keys_dir).asked_by(
        path, grant_type="client_credentials"
    )
    assert (503, "temporarily_unavailable") == (answer.status_code, answer.json["error"])
    assert "1" == answer.headers["Retry-After"]
