"""How a worker takes leave at a reload, so that no request is lost. For gunicorn.conf.py.

A worker tells that it serves by its name in the process table; an older one waits until all younger
ones have said so. What is here runs in a worker's main thread, between two requests.
"""

import os
import select
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path

_BETWEEN_S = 0.001
_SERVING = "serving"


def say_serving() -> None:
    """Tell older workers that this one has taken over."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(_SERVING)


def is_relief_coming() -> bool:
    """Tell whether a younger worker is not serving yet: on a busy machine that takes long."""
    arbiter = os.getppid()
    try:
        children = Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()
    except OSError:
        return False
    mine = _birth_of("self")
    return any(_birth_of(pid, other_than=_SERVING) > mine for pid in children)


def _birth_of(pid: str, other_than: str = "") -> int:
    """Return when a process started; 0 when it has ended, or has this name."""
    try:
        head, _, rest = Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(")")
    except OSError:
        return 0
    fields = rest.split()
    is_meant = fields[0] != "Z" and head.partition("(")[2] != other_than
    return int(fields[19]) if is_meant else 0


def stop_listening(listeners: list[int]) -> None:
    """Take the listeners out of the epoll that meinheld leaves them in until something arrives.

    Until then the kernel wakes this process for a new connection, and nobody else.
    """
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if link.readlink() == Path("anon_inode:[eventpoll]"):
                with select.epoll.fromfd(os.dup(int(link.name))) as poll:
                    _unregister(poll, listeners)


def _unregister(poll: select.epoll, listeners: list[int]) -> None:
    for one in listeners:
        with suppress(OSError):
            poll.unregister(one)


def hang_up(address: object) -> None:
    """Close the connections that nobody has used meanwhile, one by one.

    All at once, when the worker ends, nginx would meet several dead ones, and it tries only two.
    """
    for one in _connections(address):
        with one, suppress(OSError):
            if _is_idle(one):
                one.shutdown(socket.SHUT_RDWR)
                time.sleep(_BETWEEN_S)


def is_reachable(address: object) -> bool:
    """Tell whether others may serve there later: an arbiter that ends takes its address away."""
    return not isinstance(address, str) or Path(address).exists()


def is_anybody_there(address: object) -> bool:
    """Tell whether connections are open that were accepted on a listener's address."""
    found = _connections(address)
    for one in found:
        one.close()
    return bool(found)


def _connections(address: object) -> list[socket.socket]:
    """Return second descriptors of them."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if stat.S_ISSOCK(link.stat().st_mode):
                one = socket.socket(fileno=os.dup(int(link.name)))
                if one.getsockname() == address and not _is_listener(one):
                    found.append(one)
                else:
                    one.close()
    return found


def _is_listener(one: socket.socket) -> bool:
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _is_idle(connection: socket.socket) -> bool:
    try:
        connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    return False
