"""The command line: ``dsm-device``."""

from .main import main

__all__ = ["main"]
