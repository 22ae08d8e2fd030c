"""A rebuild of the tests' own, which kills itself where DEADWAX_FAULT says: `python -m tests.faults.rebuilder NAME`."""

import os
import sys

from projections.rebuild import rebuild, rollback
from tests.faults.worker import FAULT, install

if __name__ == "__main__":
    if fault := os.environ.get(FAULT):
        install(fault)
    deed, name, processes = sys.argv[1:]
    if deed == "rollback":
        rollback(os.environ["DATABASE_URL"], name)
    else:
        rebuild(os.environ["DATABASE_URL"], int(processes), name=name, verified=True)
