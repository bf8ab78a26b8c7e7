"""`serve --workers`: one process that watches over those that answer, on one port.

It is forked and not started anew: the workers share the code that was loaded, the socket and, where the
city is a file, the lock of it. For that this process has neither threads nor an open store.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Final, NoReturn

import structlog

from cityloom.cli.console import err
from cityloom.cli.logs import flush_logs
from cityloom.model.errors import CityloomError, ConfigurationError

_log = structlog.get_logger("workers")

STOP_SECONDS: Final = 60.0
"""How long workers may take to finish what they have taken, when they are told to stop."""
_WAIT_FIRST, _WAIT_LAST = 1.0, 30.0
_STEADY: Final = 30.0
"""Seconds after which a worker that ends counts as one that had worked."""


class Lifeline:
    """What a worker knows of the process that started it.

    `ready` tells that the worker answers. `parent` can be read from (and has nothing in it) once the
    parent is gone.
    """

    def __init__(self, number: int, parent: int, ready: int) -> None:
        self.number = number
        self.parent = parent
        self._ready = ready

    def ready(self) -> None:
        """Tells that this worker answers."""
        os.write(self._ready, b"1")
        os.close(self._ready)


class _Worker:
    """A place among the workers, and the process that has it now."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid = 0
        self.ready: int | None = None
        self.answers = False
        self.since = 0.0
        self.wait = 0.0
        self.due = 0.0


class Supervisor:
    """Starts workers, starts those that end again, and stops all of them.

    Args:
        work: what a worker does until it is told to stop; it returns or raises in the worker.
        listening: closed here when all is to stop, so that nobody waits in vain.
        started: called once when all workers answer.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[Lifeline], None],
        listening: socket.socket,
        started: Callable[[], None],
    ) -> None:
        self._workers = [_Worker(number) for number in range(count)]
        self._work = work
        self._listening = listening
        self._started: Callable[[], None] | None = started
        self._begun = self._stopping = False
        # Its other end closes with this process, however that ends.
        self._life, self._hold = os.pipe()
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def run(self) -> None:
        """Watches until SIGTERM or SIGINT.

        Raises:
            SystemExit: the first worker did not start, and said why.
        """
        before = {each: signal.signal(each, self._told) for each in (signal.SIGTERM, signal.SIGINT)}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake)
        try:
            # The first one makes or brings up the store: the others find it ready.
            self._start(self._workers[0])
            if not self._until_ready(self._workers[0]) and not self._stopping:
                raise SystemExit(1)  # it said why
            self._begun = True
            for worker in self._workers[1:]:
                self._start(worker)
            while not self._stopping:
                self._look(self._next_due())
        finally:
            self._stop()
            signal.set_wakeup_fd(-1)
            for each, handler in before.items():
                signal.signal(each, handler)

    def _told(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _start(self, worker: _Worker) -> None:
        ready, tell = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(ready)
            self._become(worker, tell)
        os.close(tell)
        worker.pid, worker.ready, worker.since = pid, ready, time.monotonic()

    def _become(self, worker: _Worker, tell: int) -> NoReturn:
        """What the new process does; it never returns to what called the parent."""

        def become() -> None:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, _end)
            for each in (signal.SIGINT, signal.SIGCHLD):
                signal.signal(each, signal.SIG_DFL)
            # Ctrl-C is for the parent, which tells the workers.
            os.setpgid(0, 0)
            for descriptor in (self._hold, self._woken, self._wake):
                os.close(descriptor)
            for other in self._workers:
                if other.ready is not None:
                    os.close(other.ready)
            self._work(Lifeline(worker.number, self._life, tell))

        os._exit(_done(become))

    def _until_ready(self, worker: _Worker) -> bool:
        while worker.pid and not worker.answers and not self._stopping:
            self._look(None)
        return worker.answers

    def _next_due(self) -> float | None:
        dues = [worker.due for worker in self._workers if not worker.pid]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def _look(self, patience: float | None) -> None:
        """Waits for the next thing to happen, and deals with it."""
        waiting = {worker.ready: worker for worker in self._workers if worker.ready is not None}
        readable, _, _ = select.select([self._woken, *waiting], [], [], patience)
        for descriptor in readable:
            if descriptor == self._woken:
                os.read(self._woken, 4096)
            else:
                self._hear(waiting[descriptor])
        self._bury()
        if self._started is not None and all(one.answers for one in self._workers):
            self._started()
            self._started = None
        for worker in self._workers if self._begun else ():
            if not worker.pid and worker.since and not self._stopping and worker.due <= time.monotonic():
                self._start(worker)

    def _hear(self, worker: _Worker) -> None:
        assert worker.ready is not None
        worker.answers = bool(os.read(worker.ready, 1))  # nothing where it ended before that
        os.close(worker.ready)
        worker.ready = None

    def _bury(self) -> None:
        for worker in self._workers:
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid == 0:
                continue
            lived = time.monotonic() - worker.since
            if worker.ready is not None:
                self._hear(worker)
            worker.pid, worker.answers = 0, False
            alone = not any(other.pid for other in self._workers)
            worker.wait = wait_after(worker.wait, lived, alone)
            worker.due = time.monotonic() + worker.wait
            if not self._stopping:
                code = os.waitstatus_to_exitcode(status)
                told: dict[str, Any] = (
                    {"signal": signal.Signals(-code).name} if code < 0 else {"status": code}
                )
                if self._begun:
                    told["again_in"] = worker.wait
                _log.error("worker ended", worker=worker.number, pid=pid, **told)

    def _stop(self) -> None:
        self._stopping = True
        self._listening.close()
        self._tell_all(signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        while any(worker.pid for worker in self._workers):
            left = end - time.monotonic()
            if left <= 0:
                _log.error("workers did not stop and are ended")
                self._tell_all(signal.SIGKILL)
                left = STOP_SECONDS
            self._look(left)
        for descriptor in (self._life, self._hold, self._woken, self._wake):
            os.close(descriptor)

    def _tell_all(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, number)


def wait_after(before: float, lived: float, alone: bool) -> float:
    """Seconds until a worker that ended is started again.

    Args:
        before: seconds that it waited the last time.
        lived: seconds that it was there.
        alone: no other worker is there, so nobody would answer meanwhile.
    """
    if lived >= _STEADY:
        return 0.0
    return _WAIT_FIRST if alone else min(max(before * 2, _WAIT_FIRST), _WAIT_LAST)


def apart(work: Callable[[], None]) -> None:
    """Does something in a process of its own and waits for it.

    Raises:
        SystemExit: it failed, and said why.
    """
    refuse_where_no_fork()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os._exit(_done(work))
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(1)


def _done(work: Callable[[], None]) -> int:
    """Does it, and returns the status to end with; why it failed is told."""
    status = 1
    try:
        work()
        status = 0
    except SystemExit:
        status = 0  # it was told to
    except CityloomError as error:
        err.print(f"cityloom: {error.detail}", markup=False)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    with suppress(Exception):
        flush_logs()
        sys.stdout.flush()
        sys.stderr.flush()
    return status


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def refuse_where_no_fork() -> None:
    """Raises ConfigurationError where processes cannot be forked."""
    if not hasattr(os, "fork"):
        raise ConfigurationError("workers is invalid: this system has one worker alone")
