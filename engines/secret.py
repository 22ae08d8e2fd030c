"""The secret that a data folder has where none is given."""

import os
import secrets
from pathlib import Path

_NAME = "secret-key"


def kept_secret(folder: Path) -> str:
    """Return the folder's secret, which its first start makes. Links that were sent work as long as it is kept."""
    path = folder / _NAME
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    text = secrets.token_urlsafe(32)
    # Whole or not at all, and for nobody else to read.
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    return text
