"""No message of the device escapes the schemas: each is written by one function, which is watched everywhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

import dsm_device
from dsm_device.wire.service_request import destination_unreachable, render_fault
from tests.message_schema import validate
from tests.watch import message_watch

#: Where elements become text that is no message: references kept, digests, headers that go in, what is stored.
TEXT_OF_ELEMENTS = {
    "runner/scan_order.py",
    "wire/announcing.py",
    "wire/hosting.py",
    "wire/processing.py",
    "wire/references.py",
    "wire/scan_process.py",
    "wire/service_request.py",
    "wire/xml.py",
}
WRITE = """
from lxml import etree
from dsm_device.wire.service_request import render_answer
body = etree.Element("{http://schemas.xmlsoap.org/ws/2004/08/eventing}RenewResponse")
render_answer("urn:a", "urn:uuid:1", "", body)
"""


@pytest.mark.writes_anything("it is to be found out")
def test_what_another_process_writes_is_found_out() -> None:
    done = subprocess.run([sys.executable, "-c", WRITE], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")  # the device itself does not notice
    (report,) = message_watch.reports()
    assert "RenewResponse" in report


def test_messages_are_written_by_one_function_alone() -> None:
    writers = {}
    for path in sorted(Path(dsm_device.__file__).parent.rglob("*.py")):
        found = set(_writers(ast.parse(path.read_text("utf-8"))))
        if found:
            writers[path.relative_to(Path(dsm_device.__file__).parent).as_posix()] = found
    assert {name for name, found in writers.items() if "etree.tostring" in found} == TEXT_OF_ELEMENTS
    calls = {name: found - {"etree.tostring"} for name, found in writers.items() if found - {"etree.tostring"}}
    assert calls == {
        f"wire/{name}.py": {"xml.serialize"} for name in ("announcing", "envelope", "service_request")
    }


def _writers(tree: ast.AST) -> Iterator[str]:
    """Whatever makes octets of elements, by the name by which it is called."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(
                value=ast.Name(id=owner), attr="tostring" | "tostringlist" | "serialize" | "write_c14n"
            ):
                yield f"{owner}.{node.attr}"
            case ast.ImportFrom(names=names):
                yield from (each.name for each in names if each.name in {"serialize", "tostring", "ElementTree"})
            case ast.Attribute(attr="ElementTree"):
                yield "ElementTree"


@pytest.mark.parametrize("name", ["soap:Value", "wsa:MessageID", "wsa:To", "soap:Body", "soap:Fault"])
def test_a_message_with_a_misnamed_element_is_not_valid(name: str) -> None:
    message = render_fault(destination_unreachable(), "urn:uuid:1", "urn:uuid:2")
    validate(message)
    with pytest.raises((AssertionError, etree.DocumentInvalid)):
        validate(message.replace(f"{name}>".encode(), f"{name}s>".encode()))
