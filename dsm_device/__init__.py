"""An open Distributed Scan Management (DSM) device. ARCHITECTURE.md beside this file draws the house."""

__version__ = "0.1.0"
