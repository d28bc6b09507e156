"""What happens at a server, as it is told to whoever watches: an ``event`` and its values, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping

from dsm_sim.peers.scan_server.connection import Request
from dsm_sim.peers.scan_server.jobs import Document, Job
from dsm_sim.peers.scan_server.notifier import Delivery
from dsm_sim.peers.scan_server.rules import Violation
from dsm_sim.peers.scan_server.subscriptions import Subscription

Happening = Mapping[str, object]


def of_job(job: Job) -> Happening:
    """A new state of a job, of a filter of it, or of the number of its images."""
    return {
        "event": "job",
        "job": job.token,
        "state": job.state.value,
        "reason": job.reason,
        "user": job.user,
        "process": job.psp_name or job.psp_identifier,
        "images": len(job.documents),
        "octets": job.octets,
    }


def of_page(job: Job, document: Document) -> Happening:
    return {
        "event": "page",
        "job": job.token,
        "page": document.document_id,
        "format": document.format,
        "octets": document.octets,
        "width_px": document.facts.width_px,
        "height_px": document.facts.height_px,
    }


def of_violation(violation: Violation) -> Happening:
    return {
        "event": "violation",
        "rule": violation.rule,
        "level": violation.level,
        "operation": violation.operation,
        "text": violation.text,
        "detail": violation.detail,
        "source": violation.source,
    }


def of_internal_error(operation: str, error: Exception) -> Happening:
    """Something that is not the client's fault. ``operation`` is "" where it was not known yet."""
    return {"event": "internal-error", "operation": operation, "detail": f"{type(error).__name__}: {error}"}


def of_request(request: Request, answered_s: float) -> Happening:
    """A request that is over. Moments are seconds of CLOCK_MONOTONIC.

    ``head_s``: its head had arrived; ``body_s``: its body was complete (None: it never was); ``answered_s``: the
    answer had been written, or the connection was given up. ``status`` is 0 where there was no answer.
    """
    return {
        "event": "request",
        "operation": request.operation,
        "job": request.job_token,
        "page": request.document_id,
        "octets": request.octets,
        "status": request.status,
        "head_s": request.head_s,
        "body_s": request.body_s,
        "answered_s": answered_s,
    }


def of_subscription(subscription: Subscription) -> Happening:
    return {
        "event": "subscription",
        "subscription": subscription.identifier,
        "sink": subscription.notify_to.address,
        "granted_s": subscription.granted_s,
        "ended": subscription.ended,
    }


def of_delivery(subscription: Subscription, delivery: Delivery) -> Happening:
    """An event that was delivered or given up; ``problem`` is "" for success."""
    return {
        "event": "notification",
        "subscription": subscription.identifier,
        "name": delivery.notification.name,
        "job": delivery.notification.job_token,
        "status": delivery.status,
        "problem": delivery.problem,
    }
