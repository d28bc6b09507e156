"""Runs a command and notes how many bytes it and its children caused to be written to disk (ru_oublock).

Usage: written.py FILE COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

_BLOCK_BYTES = 512

code = subprocess.run(sys.argv[2:], check=False).returncode
blocks = resource.getrusage(resource.RUSAGE_CHILDREN).ru_oublock
Path(sys.argv[1]).write_text(str(blocks * _BLOCK_BYTES))
sys.exit(code)
