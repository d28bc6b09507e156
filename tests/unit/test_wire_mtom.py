"""MTOM packages: read back by an independent reader, whatever the boundary and the file."""

from __future__ import annotations

import email
import email.policy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.wire.mtom import package

BOUNDARIES = st.from_regex(r"[A-Za-z0-9-]{1,70}", fullmatch=True)
CONTENT_IDS = st.from_regex(r"[A-Za-z0-9.-]{1,30}@[A-Za-z0-9.-]{1,30}", fullmatch=True)
ENVELOPES = st.binary(max_size=300)
FILES = st.binary(max_size=2000) | st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b"--", b"\r\n--", b"\x00", b"a", b"Content-Type: x"]), max_size=40
).map(b"".join)


def parts(body: bytes, boundary: str) -> list[tuple[bytes, bytes]]:
    """RFC 2046 5.1.1, nothing else: (header, content) between delimiter lines."""
    delimiter = b"\r\n--" + boundary.encode()
    pieces = (b"\r\n" + body).split(delimiter)
    preamble, *middle, epilogue = pieces
    assert preamble == b""
    assert epilogue == b"--\r\n"
    assert all(piece.startswith(b"\r\n") for piece in middle)
    return [tuple(piece[2:].split(b"\r\n\r\n", 1)) for piece in middle]  # type: ignore[misc]  # two by split


@given(envelope=ENVELOPES, file=FILES, boundary=BOUNDARIES, root_id=CONTENT_IDS, file_id=CONTENT_IDS)
def test_both_parts_come_back_unchanged(
    envelope: bytes, file: bytes, boundary: str, root_id: str, file_id: str
) -> None:
    if f"\r\n--{boundary}".encode() in b"\r\n" + envelope + b"\r\n" + file:
        return  # what 128 random bits rule out
    made = package(envelope, boundary=boundary, root_id=root_id, file_id=file_id, file_type="image/png")
    body = made.head + file + made.tail
    assert made.length(len(file)) == len(body)

    (root_header, root), (file_header, content) = parts(body, boundary)
    assert (root, content) == (envelope, file)
    for header, content_id in ((root_header, root_id), (file_header, file_id)):
        fields = email.message_from_bytes(header + b"\r\n\r\n", policy=email.policy.HTTP)
        assert fields["Content-ID"] == f"<{content_id}>"
        assert fields["Content-Transfer-Encoding"] == "binary"


@given(boundary=BOUNDARIES, root_id=CONTENT_IDS)
def test_the_header_names_boundary_root_and_types_on_one_line(boundary: str, root_id: str) -> None:
    made = package(b"", boundary=boundary, root_id=root_id, file_id="f@x", file_type="image/tiff")
    assert "\n" not in made.content_type
    media_type, _, rest = made.content_type.partition("; ")
    assert media_type == "multipart/related"
    assert dict(re.findall(r'([a-z-]+)="([^"]*)"', rest)) == {
        "type": "application/xop+xml",
        "boundary": boundary,
        "start": f"<{root_id}>",
        "start-info": "application/soap+xml",
    }
    assert b'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n' in made.head


@pytest.mark.parametrize(
    ("boundary", "root_id", "file_type"),
    [
        ("", "r@x", "image/png"),
        ("a" * 71, "r@x", "image/png"),
        ('a"; x="', "r@x", "image/png"),
        ("a\r\nb", "r@x", "image/png"),
        ("a\n", "r@x", "image/png"),
        ("a", "r", "image/png"),
        ("a", "r@x>\r\nEvil: 1", "image/png"),
        ("a", "r@x", "image/png\r\nEvil: 1"),
    ],
)
def test_nothing_can_be_smuggled_into_a_header(boundary: str, root_id: str, file_type: str) -> None:
    with pytest.raises(ValueError, match="not"):
        package(b"", boundary=boundary, root_id=root_id, file_id="f@x", file_type=file_type)
