"""Any scanner that SANE knows, as a driver of the port."""

from .device import Delays
from .driver import SaneDriver, SaneScanner

__all__ = ["Delays", "SaneDriver", "SaneScanner"]
