"""`python -m tests.golden`: record the events that are new, and the fields that have come to others with a default."""

import sys

from tests.golden.record import add, wrong

if problems := wrong():
    sys.exit("\n".join([*problems, "A changed meaning is a new topic: see docs/upcasting.md."]))
print("\n".join(add()) or "Everything is recorded.")  # noqa: T201 - it is a command
