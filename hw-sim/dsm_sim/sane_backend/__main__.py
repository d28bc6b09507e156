"""Builds the simulated scanner's SANE backend; says something only if that fails."""

from __future__ import annotations

import sys

from dsm_sim.sane_backend import BackendError, library

try:
    library()
except BackendError as error:
    sys.exit(f"dsm_sim.sane_backend: {error}")
