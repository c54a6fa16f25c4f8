"""Reading `sentinel://[user:password@]host:port,host:port/SERVICE[/DB]`.

User and password are those of the Redis that is found; the sentinels' own are in the query, as
`sentinel_user` and `sentinel_password`. redis-py knows no such URL.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote

SCHEME = "sentinel://"
_PORT = 26_379
_IN_QUERY = ("sentinel_user", "sentinel_password")
_FORM = re.compile(
    r"sentinel://(?:(?P<user>[^:@/?]*)(?::(?P<password>[^@/?]*))?@)?"
    r"(?P<hosts>[^@/?]+)/(?P<service>[A-Za-z0-9._-]+)(?:/(?P<db>[0-9]{1,5}))?(?:\?(?P<query>.*))?"
)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """Where the sentinels are, as URLs of redis-py, and how the Redis that they name is reached."""

    sentinels: tuple[str, ...]
    service: str
    user: str | None
    password: str | None
    db: int

    @classmethod
    def parse(cls, text: str) -> "SentinelUrl":
        """Raise ValueError with what is wrong, in words that follow the variable's name."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError("must be sentinel://[user:password@]host:port,host:port/SERVICE[/DB]")
        query = parse_qs(found["query"] or "", keep_blank_values=True)
        if any(name not in _IN_QUERY or not values[0] for name, values in query.items()):
            raise ValueError("may have sentinel_user and sentinel_password in its query, no more")
        user, password = (query.get(f"sentinel_{name}", [""])[0] for name in ("user", "password"))
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password else ""
        return cls(
            sentinels=tuple(_sentinel(login, host) for host in found["hosts"].split(",")),
            service=found["service"],
            user=unquote(found["user"] or "") or None,
            password=unquote(found["password"] or "") or None,
            db=int(found["db"] or 0),
        )

    @classmethod
    def problem(cls, text: str) -> str | None:
        """Return what is wrong with a URL, None when nothing is."""
        try:
            cls.parse(text)
        except ValueError as error:
            return str(error)
        return None


def _sentinel(login: str, host: str) -> str:
    found = _HOST.fullmatch(host)
    port = int(found["port"] or _PORT) if found else 0
    if not found or not 0 < port < 65_536:
        raise ValueError(f"names a sentinel that is no host:port: {host}")
    return f"redis://{login}{found['host']}:{port}"
