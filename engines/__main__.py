"""`python -m engines FOLDER`: the embedded engines alone, for the shell commands and for the tests."""

import sys
from pathlib import Path

from msgspec.structs import replace

from commands.settings import Settings, SettingsError
from engines.program import EngineError
from engines.supervisor import Supervisor

if __name__ == "__main__":
    try:
        Supervisor(replace(Settings.load(), data=Path(sys.argv[1]))).run()
    except (EngineError, SettingsError) as error:
        sys.exit(str(error))
