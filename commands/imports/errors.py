from domain.errors import DeadwaxError


class UnreadableFile(DeadwaxError):
    """The file cannot be imported. The message is one line for the person who gave it."""
