"""The words for what became of a job at the server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.runner import outcome_words as words
from dsm_device.runner.outcome_words import Verdict, outcome_lines, verdict
from dsm_device.wire.names import EMLF, FSF, SPF
from dsm_device.wire.processing import FilterStatus, JobStatus

#: As the pages of WS-DSP and MS-BDSRR print them, misspellings included.
STATES = [
    "Creating",
    "Pending",
    "Pending-Held",
    "Started",
    "Processing",
    "Terminating",
    "Aborted",
    "Canceled",
    "Completed",
]
REASONS = [
    "None",
    "PostScanJobTimedOut",
    "NoValidPostScanInstructionsFound",
    "CreatePostScanJobFailed",
    "SendImageFailed",
    "SendImangeFailed",
    "PostScanJobCanceled",
    "PostScanJobProcessingFailed",
    "PostScanJobCompletedSuccessfully",
    "PostScanJobCompletedWithErrors",
    "PostScanJobCompletedWithWarnings",
]
FILTER_STATES = [
    "Pending",
    "Processing",
    "Canceled",
    "CompletedSuccessfully",
    "CompletedWithErrors",
    "CompletedWithWarnings",
]
FILTER_REASONS = [
    "InvalidArgs",
    "OutOfDiskSpace",
    "ServerOutOfMemory",
    "FileShareAccessDenied",
    "FileShareOutOfDiskSpace",
    "SharePointAccessDenied",
    "SharePointOutOfDiskSpace",
    "SharepointAccessDenied",
    "SharepointOutOfDiskSpace",
    "InvalidSMTPServer",
    "UnableToSendEmail",
    "UnknownError",
]
KINDS = [
    (words.state_words, STATES),
    (words.reason_words, REASONS),
    (words.filter_state_words, FILTER_STATES),
    (words.filter_reason_words, FILTER_REASONS),
]
CASES = [(translate, keyword) for translate, keywords in KINDS for keyword in keywords]


def status(state: str = "Completed", *reasons: str, filters: tuple[FilterStatus, ...] = ()) -> JobStatus:
    return JobStatus("token", state, reasons, filters, 1, "", "")


@pytest.mark.parametrize(("translate", "keyword"), CASES, ids=lambda each: each if isinstance(each, str) else "")
def test_every_keyword_has_words_in_any_case(translate, keyword):
    said = translate(keyword)
    assert said != keyword
    assert said == translate(keyword.upper()) == translate(f" {keyword.lower()}\n")


@pytest.mark.parametrize("translate", [translate for translate, _ in KINDS])
def test_what_nobody_knows_is_shown_as_it_is(translate):
    assert translate("acme:Shredded") == "acme:Shredded"


@given(st.text(max_size=300))
def test_whatever_comes_is_one_short_printable_line(text):
    for translate, _ in KINDS:
        said = translate(text)
        assert said.isprintable()
        assert len(said) <= 130


def test_the_whole_of_it_with_a_line_for_each_filter():
    mail = FilterStatus(EMLF, "CompletedWithErrors", ("UnableToSendEmail",))
    share = FilterStatus(FSF, "CompletedSuccessfully", ())
    site = FilterStatus(SPF, "CompletedWithErrors", ("SharepointOutOfDiskSpace", "acme:Odd"))
    own = FilterStatus("urn:acme", "Processing", ("None",))
    lines = outcome_lines(status("Completed", "PostScanJobCompletedWithErrors", filters=(mail, share, site, own)))
    assert lines == (
        "the scan server has finished the job: not everything was delivered",
        "e-mail: failed (the mail server refused the message)",
        "file share: delivered",
        "SharePoint: failed (the SharePoint site is full, acme:Odd)",
        "urn:acme: at work",
    )
    assert outcome_lines(status("Processing", "None")) == ("the scan server is processing the job",)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (status("Completed", "PostScanJobCompletedSuccessfully"), Verdict.SUCCESS),
        (status("Completed"), Verdict.SUCCESS),
        (status("completed", "PostScanJobCompletedWithWarnings"), Verdict.WARNINGS),
        (status("Completed", "postscanjobcompletedwitherrors"), Verdict.ERRORS),
        (status("Completed", filters=(FilterStatus(EMLF, "CompletedWithErrors", ()),)), Verdict.ERRORS),
        (status("Completed", filters=(FilterStatus(EMLF, "CompletedWithWarnings", ()),)), Verdict.WARNINGS),
        (status("Completed", "PostScanJobTimedOut"), Verdict.FAILED),
        (status("Completed", "SendImangeFailed"), Verdict.FAILED),
        (status("Aborted", "NoValidPostScanInstructionsFound"), Verdict.FAILED),
        (status("Canceled", "PostScanJobCanceled"), Verdict.CANCELED),
        (status("Aborted", "PostScanJobCanceled"), Verdict.CANCELED),
        (status("acme:Done"), Verdict.UNKNOWN),
    ],
)
def test_what_it_comes_to(told, expected):
    assert verdict(told) is expected
