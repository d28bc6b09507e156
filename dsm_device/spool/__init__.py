"""Pages and job records on disk: one folder a job, complete or not at all."""

from .spool import JobFolder, Spool

__all__ = ["JobFolder", "Spool"]
