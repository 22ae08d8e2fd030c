"""What the server's main process tells its others."""

import signal

END_STREAMS = signal.SIGUSR1
"""Answers without end are to end: the server is about to."""
