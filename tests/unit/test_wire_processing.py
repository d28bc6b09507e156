"""WS-DSP messages: instructions go out as they came in, answers are read as servers write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from dsm_device.wire import xml
from dsm_device.wire.envelope import MessageError, parse_answer
from dsm_device.wire.names import DSP, PSP, SOAP
from dsm_device.wire.processing import (
    FORMATS,
    CancelPostScanJob,
    CreatePostScanJob,
    EndPostScanJob,
    GetPostScanJobElements,
    SendImage,
)

URIS = ["urn:a", "urn:b", DSP, PSP, SOAP]
PREFIXES = ["", "dsp", "dsp1", "soap", "psp", "a", "wsa", "ns0"]


# ------------------------------------------------------------------------- instructions, as they came


@st.composite
def _elements(draw: st.DrawFn, scope: dict[str, str], depth: int = 0) -> str:
    """An element as text, with declarations, attributes, and content of every kind, valid in ``scope``."""
    declared = draw(st.dictionaries(st.sampled_from(PREFIXES), st.sampled_from(URIS), max_size=2))
    scope = scope | declared
    prefix = draw(st.sampled_from(sorted({"", *scope})))
    name = f"{prefix}:e{depth}" if prefix else f"e{depth}"
    attributes = {f' xmlns:{each}="{uri}"' if each else f' xmlns="{uri}"' for each, uri in declared.items()}
    if scope.keys() - {""}:
        attributes.add(f' {draw(st.sampled_from(sorted(scope.keys() - {""})))}:at="{draw(_texts)}"')
    contents = draw(st.lists(_contents(scope, depth), max_size=3))
    return f"<{name}{''.join(sorted(attributes))}>{''.join(contents)}</{name}>"


_texts = st.sampled_from(["", " ", "\n  ", "a:b", "dsp:Name", "&lt;&amp;&gt;", "é", "&#13;", "]]&gt;", "&#9;x"])


def _contents(scope: dict[str, str], depth: int) -> st.SearchStrategy[str]:
    leaves = _texts | st.sampled_from(["<![CDATA[a<b&c]]>", "<!-- c -->"])
    return leaves if depth > 2 else leaves | _elements(scope, depth + 1)


@st.composite
def stored_processes(draw: st.DrawFn) -> str:
    """A document in which PostScanInstructions stands below a root with declarations of its own."""
    outer = draw(st.dictionaries(st.sampled_from(PREFIXES[1:]), st.sampled_from(URIS), max_size=3))
    prefix = draw(st.sampled_from(["psp", "dsp", "x", ""]))
    inner = {prefix: PSP}
    scope = outer | inner
    name = f"{prefix}:PostScanInstructions" if prefix else "PostScanInstructions"
    children = draw(st.lists(_elements(scope) | _texts, max_size=3))
    declared = "".join(f' xmlns:{each}="{uri}"' for each, uri in outer.items())
    own = f' xmlns:{prefix}="{PSP}"' if prefix else f' xmlns="{PSP}"'
    return f'<root{declared}><{name}{own} at="&gt;&quot;\'">{"".join(children)}</{name}> tail</root>'


def _instructions(document: str) -> etree._Element:
    data = document.encode()
    found = xml.parse(data, limit=len(data)).find(f"{{{PSP}}}PostScanInstructions")
    assert found is not None
    return found


def _sent(stored: etree._Element) -> etree._Element:
    rendered = CreatePostScanJob("S-1-5", "PSP", stored).render("https://x/", "urn:uuid:1")
    root = etree.fromstring(rendered, etree.XMLParser(strip_cdata=False))
    found = root.find(f".//{{{DSP}}}CreatePostScanJobRequest/{{{DSP}}}PostScanInstructions")
    assert found is not None
    return found


def _canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=True, with_tail=False)


@pytest.mark.writes_anything("instructions as administrators have never written them")
@given(stored_processes())
@example(f'<r xmlns:dsp="urn:a"><PostScanInstructions xmlns="{PSP}"><e at="dsp:x"/></PostScanInstructions></r>')
@example(f'<r><p:PostScanInstructions xmlns:p="{PSP}"><q:e xmlns:q="{PSP}">q:x</q:e></p:PostScanInstructions></r>')
@example(f'<r><p:PostScanInstructions xmlns:p="{PSP}"/></r>')
def test_instructions_are_sent_as_they_were_stored(document: str) -> None:
    stored = _instructions(document)
    sent = _sent(stored)
    assert [_canonical(child) for child in sent] == [_canonical(child) for child in stored]
    assert (sent.text or "", [child.tail or "" for child in sent]) == (
        stored.text or "",
        [child.tail or "" for child in stored],
    )
    assert dict(sent.attrib) == dict(stored.attrib)
    # QNames in content are resolved by declarations: all of them must still be in scope.
    assert sent.nsmap.items() >= stored.nsmap.items()


@pytest.mark.writes_anything("instructions as administrators have never written them")
def test_the_very_characters_of_the_children_are_kept() -> None:
    inner = '<p:a  b = "1"\n c="2"/> <!-- <x> --><![CDATA[ <y> ]]>\n<e xmlns="urn:e" xmlns:q="urn:q">q:n</e>'
    stored = _instructions(f'<r><p:PostScanInstructions xmlns:p="{PSP}">{inner}</p:PostScanInstructions></r>')
    rendered = CreatePostScanJob("S", "P", stored).render("https://x/", "urn:uuid:1").decode()
    written = inner.replace('<p:a  b = "1"\n c="2"/>', '<p:a b="1" c="2"/>')
    assert f'<dsp:PostScanInstructions xmlns:p="{PSP}">{written}</dsp:PostScanInstructions>' in rendered


@pytest.mark.writes_anything("instructions as administrators have never written them")
def test_processing_instructions_are_left_out_and_their_surroundings_stay() -> None:
    stored = _instructions(
        f'<r><p:PostScanInstructions xmlns:p="{PSP}">a<?x y?>b<p:c>d<?x y?>e</p:c></p:PostScanInstructions></r>'
    )
    sent = _sent(stored)
    assert not list(sent.iter(etree.ProcessingInstruction))
    assert sent.text == "ab"
    assert sent[0].text == "de"
    assert len(list(stored.iter(etree.ProcessingInstruction))) == 2


@pytest.mark.writes_anything("instructions as administrators have never written them")
def test_text_that_looks_like_the_wrapper_stays_text() -> None:
    stored = _instructions(f'<r><PostScanInstructions xmlns="{PSP}"/></r>')
    rendered = CreatePostScanJob("<dsp:PostScanInstructions/>", "P", stored).render("https://x/", "urn:uuid:1")
    request = etree.fromstring(rendered).find(f".//{{{DSP}}}CreatePostScanJobRequest")
    assert request is not None
    assert [child.text for child in request] == ["<dsp:PostScanInstructions/>", "P", None]


# --------------------------------------------------------------------------------------- send, others


@pytest.mark.parametrize(("number", "format_name"), [(0, "png"), (1, "PNG"), (1, "pdf"), (1, "")])
def test_only_published_formats_and_natural_numbers_are_sent(number: int, format_name: str) -> None:
    with pytest.raises(ValueError, match="not a document to send"):
        SendImage("t", number, format_name)


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_file_is_the_only_thing_in_image_data(format_name: str) -> None:
    package = SendImage("t", 7, format_name).package("https://x/", "urn:uuid:1", boundary="b", origin="o")
    assert re.search(rb"<dsp:ImageData><xop:Include [^>]* href=\"cid:image-7@o\"/></dsp:ImageData>", package.head)
    assert f"Content-Type: {FORMATS[format_name]}\r\n".encode() in package.head
    assert b"Content-ID: <image-7@o>" in package.head


TOKENS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="￾￿")) | (
    st.text(" \t\n\r<&>é", max_size=8)
)


@given(TOKENS.filter(bool))
def test_a_token_goes_back_as_it_came(token: str) -> None:
    escaped = token.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    data = _answer(
        f"<d:CreatePostScanJobResponse><d:JobToken>{escaped}</d:JobToken></d:CreatePostScanJobResponse>"
    )
    received = CreatePostScanJob.parse_answer(parse_answer(data, request_id=""))
    assert received == token
    rendered = [
        EndPostScanJob(received).render("https://x/", "urn:uuid:1"),
        CancelPostScanJob(received).render("https://x/", "urn:uuid:1"),
        GetPostScanJobElements(received, ("JobStatus",)).render("https://x/", "urn:uuid:1"),
        SendImage(received, 1, "png").render("https://x/", "urn:uuid:1", file_id="a@b"),
    ]
    for message in rendered:
        assert etree.fromstring(message).findtext(f".//{{{DSP}}}JobToken") == token


def _answer(body: str, *, prefix: str = "d") -> bytes:
    return (f'<s:Envelope xmlns:s="{SOAP}" xmlns:{prefix}="{DSP}"><s:Body>{body}</s:Body></s:Envelope>').encode()


def _elements_of(body: str) -> bytes:
    return _answer(
        f"<d:GetPostScanJobElementsResponse><d:JobElements>{body}</d:JobElements></d:GetPostScanJobElementsResponse>"
    )


def _data(name: str, content: str, *, qualified: bool = True, valid: str = "true") -> str:
    attribute = "d:" if qualified else ""
    return f'<d:ElementData {attribute}Name="{name}" {attribute}Valid="{valid}">{content}</d:ElementData>'


DOCUMENTS = (
    "<d:Documents><d:Document><d:DocumentDescription><d:DocumentId> 3 </d:DocumentId><d:Format>png</d:Format>"
    "</d:DocumentDescription></d:Document></d:Documents>"
)
STATUS = "<d:JobStatus><d:JobState>Completed</d:JobState><d:ImagesReceived>{}</d:ImagesReceived></d:JobStatus>"


def test_elements_are_matched_by_name_and_may_be_missing() -> None:
    data = _elements_of(_data("d:Documents", DOCUMENTS) + _data("d:JobStatus", STATUS.format(3)))
    found = GetPostScanJobElements.parse_answer(parse_answer(data, request_id=""))
    assert found.description is None
    assert found.status is not None
    assert found.status.is_final
    assert found.status.images_received == 3
    assert found.documents is not None
    assert [(each.document_id, each.format) for each in found.documents] == [(3, "png")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (_data("d:JobStatus", STATUS.format(1), qualified=False), True),
        (_data("d:JobStatus", STATUS.format(1), valid="false"), False),
        (_data("d:JobStatus", STATUS.format(1), valid="0"), False),
        (_data("x:JobStatus", STATUS.format(1)), False),
        (_data("d:JobStatus", "<d:Documents/>"), False),
        (_data("d:JobStatus", ""), False),
        ("", False),
    ],
)
def test_only_what_the_server_vouches_for_counts(data: str, expected: bool) -> None:
    found = GetPostScanJobElements.parse_answer(parse_answer(_elements_of(data), request_id=""))
    assert (found.status is not None) is expected


@pytest.mark.parametrize("count", ["", "-1", "many", "1" * 5000, "٣"])
def test_a_count_that_is_none_is_not_made_up(count: str) -> None:
    data = _elements_of(_data("d:JobStatus", STATUS.format(count)))
    found = GetPostScanJobElements.parse_answer(parse_answer(data, request_id=""))
    assert found.status is not None
    assert found.status.images_received is None


def test_a_document_without_number_makes_the_answer_useless() -> None:
    data = _elements_of(_data("d:Documents", DOCUMENTS.replace(" 3 ", "three")))
    with pytest.raises(MessageError, match="no number"):
        GetPostScanJobElements.parse_answer(parse_answer(data, request_id=""))


@pytest.mark.parametrize("state", ["Creating", "Pending-Held", "Terminating", "vendor:Sleeping", ""])
def test_unknown_states_are_kept_and_not_final(state: str) -> None:
    data = _elements_of(_data("d:JobStatus", STATUS.format(1).replace("Completed", state)))
    found = GetPostScanJobElements.parse_answer(parse_answer(data, request_id=""))
    assert found.status is not None
    assert (found.status.state, found.status.is_final) == (state, False)


@pytest.mark.parametrize(
    "body",
    [
        "<d:CreatePostScanJobResponse/>",
        "<d:CreatePostScanJobResponse><d:JobToken/></d:CreatePostScanJobResponse>",
        "<CreatePostScanJobResponse><JobToken>t</JobToken></CreatePostScanJobResponse>",
        "",
    ],
)
def test_a_response_without_token_is_refused(body: str) -> None:
    with pytest.raises(MessageError):
        CreatePostScanJob.parse_answer(parse_answer(_answer(body), request_id=""))
