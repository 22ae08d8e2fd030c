"""What the endpoints for whoever runs this deployment promise."""

from api.openapi.operation import Answered, Operation

_TAG = "Operations"

HEALTH = Operation(
    id="health",
    summary="Is the process up?",
    tag=_TAG,
    is_public=True,
    answers={200: Answered(description="It is.", schema="Health", example={"status": "ok"})},
)
READY = Operation(
    id="ready",
    summary="Can it work?",
    tag=_TAG,
    is_public=True,
    answers={
        200: Answered(
            description="It can.",
            schema="Readiness",
            example={"status": "ready", "checks": {"database": "ok", "rate_limits": "ok", "streams": "ok"}},
        ),
        503: Answered(
            description="It cannot, and why.",
            schema="Readiness",
            example={"status": "not ready", "checks": {"database": "unreachable", "rate_limits": "ok"}},
            headers=("Retry-After",),
        ),
    },
)
METRICS = Operation(
    id="metrics",
    summary="Metrics for Prometheus",
    tag=_TAG,
    is_public=True,
    answers={200: Answered(description="All processes' numbers.", media_type="text/plain")},
)
