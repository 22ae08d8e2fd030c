"""What every test server has in common: requests counted, violations counted, faults on demand, an admin's path.

It is a double and says so: each answer carries `X-Sandbox`.
"""

import json
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.clock import Clock, utc
from sandbox.wire import Fault, Refusal, Reply, Request, answered

ADMIN = "/_sandbox"
_PAGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser.</body></html>"


class Vendor(ABC):
    """`handle` is called by many threads, one at a time. `calls` counts requests by method and path's first parts."""

    name: str
    kinds_of_fault: frozenset[str] = frozenset()

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.calls: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """Do what is asked. Raises Refusal."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return all there is, for whoever inspects it."""

    @abstractmethod
    def deeds(self) -> Mapping[str, Callable[[dict[str, Any]], Any]]:
        """Return what the admin may do, by the last part of the path."""

    @abstractmethod
    def failing(self, status: int) -> Any:
        """Return the body of an error of theirs."""

    def close(self) -> None:  # noqa: B027 - most have nothing to end
        """End what goes on beside the answers."""

    def dressed(self, request: Request, reply: Reply) -> Reply:  # noqa: ARG002 - what vendors add headers by
        """Return the reply with what the vendor says with each."""
        return reply

    def handle(self, request: Request) -> Reply:
        if request.path == ADMIN or request.path.startswith(f"{ADMIN}/"):
            with self._lock:
                return self._admin(request)
        fault = self._fault(request)
        if fault is not None and fault.kind == "slow":
            time.sleep(fault.seconds)
        with self._lock:
            reply = self._counted(request, fault)
        if fault is not None and fault.kind == "garbled":
            return reply._replace(body=reply.body[: len(reply.body) // 2])
        if fault is not None and fault.kind == "lost":
            return reply._replace(hangs=fault.seconds)
        return reply

    def _fault(self, request: Request) -> Fault | None:
        with self._lock:
            for place, fault in enumerate(self._faults):
                if fault.fits(request):
                    self._faults[place : place + 1] = [fault._replace(times=fault.times - 1)] if fault.times > 1 else []
                    return fault
        return None

    def _counted(self, request: Request, fault: Fault | None) -> Reply:
        self.calls[f"{request.method} {request.path}"] += 1
        try:
            if fault is not None and fault.kind == "status":
                headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
                reply = answered(self.failing(fault.status), fault.status, headers)
            elif fault is not None and fault.kind == "html":
                reply = Reply(403, _PAGE, content_type="text/html; charset=UTF-8")
            else:
                reply = self.answer(request._replace(fault=fault.kind if fault else None))
        except Refusal as refusal:
            if refusal.violation is not None:
                self.violations[refusal.violation] += 1
            reply = refusal.reply
        return self.dressed(request, reply)

    def _admin(self, request: Request) -> Reply:
        deed = request.path[len(ADMIN) :].strip("/")
        if request.method == "GET":
            return answered(self.state() if deed == "state" else self._summary())
        if request.method == "DELETE" and deed == "faults":
            self._faults.clear()
            return answered(self._summary())
        deeds = {**self.deeds(), "faults": self._add_fault, "clock": self._move_clock, "forget": self._forget}
        if request.method != "POST" or deed not in deeds:
            return answered({"error": f"POST {ADMIN}/ and one of {', '.join(sorted(deeds))}"}, 404)
        try:
            return answered(deeds[deed](json.loads(request.body or b"{}")))
        except (KeyError, TypeError, ValueError) as error:
            return answered({"error": f"{type(error).__name__}: {error}"}, 400)

    def _summary(self) -> dict[str, Any]:
        return {
            "sandbox": self.name,
            "now": utc(self.clock.now()),
            "calls": dict(self.calls),
            "violations": dict(self.violations),
            "faults": [fault._asdict() for fault in self._faults],
        }

    def _add_fault(self, body: dict[str, Any]) -> Any:
        fault = Fault(**body)
        known = {"status", "html", "lost", "slow", "garbled", *self.kinds_of_fault}
        if fault.kind not in known:
            raise ValueError(f"kind: one of {', '.join(sorted(known))}")
        self._faults.append(fault)
        return fault._asdict()

    def _move_clock(self, body: dict[str, Any]) -> Any:
        self.clock.move(float(body["seconds"]))
        return {"now": utc(self.clock.now())}

    def _forget(self, _: dict[str, Any]) -> Any:
        """Begin counting anew."""
        self.calls.clear()
        self.violations.clear()
        return self._summary()
