"""Reading `sentinel://[user:password@]host:port,host:port/SERVICE[/DB]`; `sentinels://` is by TLS.

User and password are those of the Redis that is found; the sentinels' own are in the query, as
`sentinel_user` and `sentinel_password`, and what TLS needs is too, in redis-py's names. redis-py
knows no such URL.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlencode

SCHEMES = ("sentinel://", "sentinels://")
_PORT = 26_379
_LOGIN = frozenset({"sentinel_user", "sentinel_password"})
_TLS = frozenset(
    {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"}
)
_FORM = re.compile(
    r"sentinel(?P<tls>s?)://(?:(?P<user>[^:@/?]*)(?::(?P<password>[^@/?]*))?@)?"
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
    tls: str | None = None
    """Of the query, what redis-py is to know of TLS; None is without."""

    @property
    def base(self) -> str:
        """Any Redis of these, as a URL of redis-py that has yet to be told which."""
        return "redis://" if self.tls is None else f"rediss://?{self.tls}"

    def redis_at(self, address: str) -> str:
        """Return the URL of one Redis, by its host:port."""
        user, password = quote(self.user or "", safe=""), quote(self.password or "", safe="")
        login = f"{user}:{password}@" if password else ""
        scheme, _, query = self.base.partition("://")
        return f"{scheme}://{login}{address}/{self.db}{query}"

    @classmethod
    def parse(cls, text: str) -> "SentinelUrl":
        """Raise ValueError with what is wrong, in words that follow the variable's name."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError("must be sentinel://[user:password@]host:port,host:port/SERVICE[/DB]")
        query = parse_qs(found["query"] or "", keep_blank_values=True)
        possible = _LOGIN | _TLS if found["tls"] else _LOGIN
        if any(name not in possible or not values[0] for name, values in query.items()):
            more = " and redis-py's ssl_ names" if found["tls"] else ""
            raise ValueError(
                f"may have sentinel_user and sentinel_password{more} in its query, no more"
            )
        given = {name: values[0] for name, values in query.items() if name in _TLS}
        tls = urlencode(given) if found["tls"] else None
        user, password = (query.get(f"sentinel_{name}", [""])[0] for name in ("user", "password"))
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password else ""
        return cls(
            sentinels=tuple(_sentinel(login, host, tls) for host in found["hosts"].split(",")),
            service=found["service"],
            user=unquote(found["user"] or "") or None,
            password=unquote(found["password"] or "") or None,
            db=int(found["db"] or 0),
            tls=tls,
        )

    @classmethod
    def problem(cls, text: str) -> str | None:
        """Return what is wrong with a URL, None when nothing is."""
        try:
            cls.parse(text)
        except ValueError as error:
            return str(error)
        return None


def _sentinel(login: str, host: str, tls: str | None) -> str:
    found = _HOST.fullmatch(host)
    port = int(found["port"] or _PORT) if found else 0
    if not found or not 0 < port < 65_536:
        raise ValueError(f"names a sentinel that is no host:port: {host}")
    address = f"{login}{found['host']}:{port}"
    return f"redis://{address}" if tls is None else f"rediss://{address}?{tls}"
