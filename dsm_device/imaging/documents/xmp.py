"""The XMP packet of a PDF/A-1b file. (XMP 2004; ISO 19005-1 6.7, as corrected)"""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from .model import DocumentInfo

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_PACKET: Final = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
<pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/">
<xmp:CreateDate>{time}</xmp:CreateDate><xmp:ModifyDate>{time}</xmp:ModifyDate>
<xmp:CreatorTool>{producer}</xmp:CreatorTool><pdf:Producer>{producer}</pdf:Producer>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:format>application/pdf</dc:format><dc:identifier>{identifier}</dc:identifier>{title}
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""
_TITLE: Final = '\n<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:title>'


def packet(info: DocumentInfo, producer: str) -> bytes:
    """It says the same as the document information dictionary (6.7.3), and the identifier."""
    title = info.xml_title
    return _PACKET.format(
        time=info.created_utc.strftime(_TIME),
        producer=escape(producer),
        identifier=escape(info.identifier),
        title=_TITLE.format(escape(title)) if title else "",
    ).encode()
