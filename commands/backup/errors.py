"""What can be wrong with a backup."""

from domain.errors import DeadwaxError


class BackupError(DeadwaxError):
    """The backup cannot be made, read or restored."""
