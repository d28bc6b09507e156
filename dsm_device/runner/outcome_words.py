"""What became of a job at the server, in words."""

from __future__ import annotations

from dsm_device.wire.processing import JobStatus


def in_words(status: JobStatus) -> str:
    """The job's reasons; "" where there is nothing more to say than its state."""
    return " ".join(reason for reason in status.reasons if reason != "None")
