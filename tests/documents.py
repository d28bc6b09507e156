"""Documents of scanned pages in their smallest form, put together octet by octet from their specifications."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageCms

XMP = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">'
    "<pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>"
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)


def encoded(image: Image.Image, kind: str, **parameters: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **parameters)
    return target.getvalue()


def g4_code(image: Image.Image) -> bytes:
    """T.6 code of a bilevel image, in one piece."""
    data = encoded(image, "TIFF", compression="group4", strip_size=10_000_000)
    with Image.open(io.BytesIO(data)) as file:
        (start,), (count,) = file.tag_v2[273], file.tag_v2[279]
        assert file.tag_v2[262] == 1  # black is zero: what is coded white is black
    return data[start : start + count]


@dataclass
class PdfPage:
    """``strips``: images one below the other, each as wide as the page."""

    strips: Sequence[Image.Image]
    dpi: tuple[float, float] = (100, 100)


def _image_object(image: Image.Image) -> tuple[str, bytes]:
    size = f"/Type /XObject /Subtype /Image /Width {image.width} /Height {image.height}"
    if image.mode == "1":
        parms = f"/DecodeParms << /K -1 /Columns {image.width} /Rows {image.height} /BlackIs1 true >>"
        return f"{size} /ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /CCITTFaxDecode {parms}", g4_code(
            image
        )
    space = "/DeviceGray" if image.mode == "L" else "[/ICCBased 4 0 R]"
    return f"{size} /ColorSpace {space} /BitsPerComponent 8 /Filter /DCTDecode", encoded(image, "JPEG", quality=95)


def _page_content(page: PdfPage) -> tuple[bytes, float, float]:
    width = page.strips[0].width / page.dpi[0] * 72
    height = sum(each.height for each in page.strips) / page.dpi[1] * 72
    top, lines = height, []
    for number, each in enumerate(page.strips):
        strip = each.height / page.dpi[1] * 72
        top -= strip
        lines.append(f"q {width:.4f} 0 0 {strip:.4f} 0 {top:.4f} cm /I{number} Do Q")
    return "\n".join(lines).encode(), width, height


def pdf_a(
    pages: Sequence[PdfPage], *, xmp: str = XMP, trailer: str = "/ID [<00> <00>]", intent: bool = True
) -> bytes:
    """PDF/A-1b, as far as it can be told by its structure."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    objects: dict[int, bytes] = {}
    intents = "/OutputIntents [5 0 R]" if intent else ""
    objects[1] = f"<< /Type /Catalog /Pages 2 0 R /Metadata 3 0 R {intents} >>".encode()
    objects[3] = _stream("/Type /Metadata /Subtype /XML", xmp.encode())
    objects[4] = _stream("/N 3", profile)
    objects[5] = (
        b"<< /Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB) /DestOutputProfile 4 0 R >>"
    )
    kids = []
    for page in pages:
        names = []
        for number, each in enumerate(page.strips):
            objects[at := max(objects) + 1] = _stream(*_image_object(each))
            names.append(f"/I{number} {at} 0 R")
        content, width, height = _page_content(page)
        objects[at := max(objects) + 1] = _stream("", content)
        box = f"/MediaBox [0 0 {width:.4f} {height:.4f}] /Resources << /XObject << {' '.join(names)} >> >>"
        objects[at + 1] = f"<< /Type /Page /Parent 2 0 R {box} /Contents {at} 0 R >>".encode()
        kids.append(f"{at + 1} 0 R")
    objects[2] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>".encode()
    return _with_tables(objects, trailer)


def _stream(about: str, data: bytes) -> bytes:
    return f"<< {about} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _with_tables(objects: Mapping[int, bytes], trailer: str) -> bytes:
    out, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), {}
    for number in sorted(objects):
        places[number] = len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, objects[number])
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % places[number] for number in sorted(objects))
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


# ------------------------------------------------------------------------------------------------ XPS

_XPS = "http://schemas.microsoft.com/xps/2005/06"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = f"""<Types xmlns="{_PACKAGE}/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="fdseq" ContentType="application/vnd.ms-package.xps-fixeddocumentsequence+xml"/>
<Default Extension="fdoc" ContentType="application/vnd.ms-package.xps-fixeddocument+xml"/>
<Default Extension="fpage" ContentType="application/vnd.ms-package.xps-fixedpage+xml"/>
<Default Extension="jpg" ContentType="image/jpeg"/><Default Extension="tif" ContentType="image/tiff"/>
<Default Extension="png" ContentType="image/png"/></Types>"""


def _relations(*pairs: tuple[str, str]) -> str:
    each = (f'<Relationship Id="R{n}" Type="{kind}" Target="{target}"/>' for n, (kind, target) in enumerate(pairs))
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{"".join(each)}</Relationships>'


def xps_parts(pages: Sequence[Image.Image], dpi: float = 100) -> dict[str, str | bytes]:
    """The parts by their names, to be changed before :func:`xps` packs them."""
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": _relations((f"{_XPS}/fixedrepresentation", "/FixedDocSeq.fdseq")),
        "FixedDocSeq.fdseq": f'<FixedDocumentSequence xmlns="{_XPS}">'
        '<DocumentReference Source="Documents/1/FixedDoc.fdoc"/></FixedDocumentSequence>',
    }
    contents = []
    for number, image in enumerate(pages, start=1):
        suffix, data = (
            ("tif", encoded(image, "TIFF", compression="group4"))
            if image.mode == "1"
            else ("jpg", encoded(image, "JPEG", quality=95))
        )
        width, height = (side / dpi * 96 for side in image.size)
        source = f"/Resources/{number}.{suffix}"
        parts[source[1:]] = data
        parts[f"Documents/1/Pages/{number}.fpage"] = (
            f'<FixedPage xmlns="{_XPS}" Width="{width}" Height="{height}" xml:lang="und">'
            f'<Path Data="M0,0 L{width},0 {width},{height} 0,{height} Z"><Path.Fill>'
            f'<ImageBrush ImageSource="{source}" Viewbox="0,0,{image.width},{image.height}"'
            f' ViewboxUnits="Absolute" Viewport="0,0,{width},{height}"'
            ' ViewportUnits="Absolute" TileMode="None"/></Path.Fill></Path></FixedPage>'
        )
        parts[f"Documents/1/Pages/_rels/{number}.fpage.rels"] = _relations((f"{_XPS}/required-resource", source))
        contents.append(f'<PageContent Source="Pages/{number}.fpage"/>')
    parts["Documents/1/FixedDoc.fdoc"] = f'<FixedDocument xmlns="{_XPS}">{"".join(contents)}</FixedDocument>'
    return parts


def xps(parts: Mapping[str, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return target.getvalue()
