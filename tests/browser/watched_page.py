"""A page of the dashboard and everything that it complains about."""

from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Page, Request

from tests.dashboard import ADMIN_TOKEN
from tests.stack import Stack

_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
"""


@dataclass
class Watched:
    """`complaints` are errors and warnings of the page, and requests that leave the gateway."""

    page: Page
    stack: Stack
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    requests: list[Request] = field(default_factory=list)

    def go(self, view: str = "live") -> Page:
        """Open a view as somebody does who types its address."""
        self.page.goto(f"{self.stack.ops_url}/admin/#{view}")
        return self.page

    def sign_in(self) -> None:
        """Sign in by hand."""
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_label("Admin token").fill(ADMIN_TOKEN)
        self.page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
        self.page.get_by_role("button", name="Sign out").wait_for()

    def note_message(self, message: ConsoleMessage) -> None:
        is_expected = any(one in message.text for one in self.expected)
        if message.type in {"error", "warning"} and not is_expected:
            self.complaints.append(f"{message.type}: {message.text}")

    def note_request(self, request: Request) -> None:
        self.requests.append(request)
        if not request.url.startswith((self.stack.ops_url, "data:")):
            self.complaints.append(f"asked {request.url}")


def watch(page: Page, stack: Stack) -> Watched:
    """Listen to a page that has not gone anywhere yet."""
    watched = Watched(page, stack)
    page.add_init_script(_TELL_VIOLATIONS)
    page.on("console", watched.note_message)
    page.on("pageerror", lambda error: watched.complaints.append(f"thrown: {error}"))
    page.on("request", watched.note_request)
    return watched
