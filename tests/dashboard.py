"""The dashboard in process, as its page would ask."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from falcon import testing

import redis
from app.admin.site import Access
from tests.fake_line import AskingLine
from tests.service import Service, build_service

ADMIN_TOKEN = "an-admin-token-for-tests-0123456789"
HOST = "127.0.0.1:9090"


@dataclass
class Dashboard:
    """A service whose dashboard may change things, and its page's hands."""

    service: Service
    session: str = ""

    def get(self, path: str, headers: dict[str, str] | None = None, **query: str) -> Any:
        """Ask one of the page's questions; return the answer's JSON."""
        answer = self.ask("GET", path, headers=headers, params=query)
        assert 200 == answer.status_code, answer.text
        return answer.json

    def post(self, path: str, document: object = None, expected: int = 200) -> Any:
        """Ask for a change, signed in or not; return the answer's JSON."""
        body = json.dumps({} if document is None else document)
        answer = self.ask("POST", path, body=body, headers={"Content-Type": "application/json"})
        assert expected == answer.status_code, answer.text
        return answer.json

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any
    ) -> testing.Result:
        sent = {"Host": HOST, "X-Real-IP": "127.0.0.1", "X-Request-ID": "r-1"}
        if self.session:
            sent["Authorization"] = f"Bearer {self.session}"
        headers = {**sent, **(headers or {})}
        http = self.service.http
        return http.simulate_request(method, f"/admin/{path}", headers=headers, **more)

    def sign_in(self, token: str = ADMIN_TOKEN) -> None:
        self.session = self.post("api/session", {"token": token})["session"]


def build_dashboard(connection: "redis.Redis", keys_dir: Path) -> Dashboard:
    """Wire the app with a dashboard that may change things; nobody is signed in yet."""
    line = AskingLine(connection)
    access = Access(view=line, change=line, admin_token=ADMIN_TOKEN)
    service = build_service(connection, keys_dir, access=access)
    service.add_client()
    return Dashboard(service)
