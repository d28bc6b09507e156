"""A scan process for trying things out: ten colour pages from the feeder, stored on a share."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

#: What the process is called in the device's list (the file's stem) and in the protocol.
PROCESS_NAME: Final = "Demo, feeder to share"
PROCESS_ID: Final = "D3A0B1C2-5E4F-4A6B-8C7D-9E0F1A2B3C4D"

_FOLDER_SHARE: Final = r"\\files.sim.example\scans"

#: A4 is 8,268 by 11,693 thousandths of an inch.
_TEMPLATE: Final = """\
<?xml version="1.0" encoding="utf-8"?>
<?psp-identifier {identifier}?>
<psp:PostScanProcess xmlns:psp="http://schemas.microsoft.com/windows/2008/02/imaging/postscan/psp"
                     xmlns:wscn="http://schemas.microsoft.com/windows/2006/08/wdp/scan">
  <psp:ScanRepository>{repository}</psp:ScanRepository>
  <psp:ScanTicket>
    <wscn:JobDescription>
      <wscn:JobName>Demo</wscn:JobName>
      <wscn:JobOriginatingUserName/>
    </wscn:JobDescription>
    <wscn:DocumentParameters>
      <wscn:Format wscn:MustHonor="true">jfif</wscn:Format>
      <wscn:CompressionQualityFactor>85</wscn:CompressionQualityFactor>
      <wscn:ImagesToTransfer>0</wscn:ImagesToTransfer>
      <wscn:InputSource wscn:MustHonor="true">ADF</wscn:InputSource>
      <wscn:InputSize>
        <wscn:InputMediaSize>
          <wscn:Width>8268</wscn:Width>
          <wscn:Height>11693</wscn:Height>
        </wscn:InputMediaSize>
      </wscn:InputSize>
      <wscn:MediaSides>
        <wscn:MediaFront>
          <wscn:ColorProcessing>RGB24</wscn:ColorProcessing>
          <wscn:Resolution>
            <wscn:Width>300</wscn:Width>
            <wscn:Height>300</wscn:Height>
          </wscn:Resolution>
        </wscn:MediaFront>
      </wscn:MediaSides>
    </wscn:DocumentParameters>
  </psp:ScanTicket>
  <psp:PostScanInstructions>
    <psp:ContinueOnError>false</psp:ContinueOnError>
    <psp:DocumentRootName>Demo</psp:DocumentRootName>
    <psp:FiltersToProcess>
      <psp:Filter>
        <psp:Dialect>http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/fileshare</psp:Dialect>
        <psp:Instructions>
          <fsf:FileShareConfig xmlns:fsf="http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/fileshare">
            <fsf:FileShares>
              <fsf:ShareUNC>{share}</fsf:ShareUNC>
            </fsf:FileShares>
          </fsf:FileShareConfig>
        </psp:Instructions>
      </psp:Filter>
    </psp:FiltersToProcess>
  </psp:PostScanInstructions>
</psp:PostScanProcess>
"""


def demo_process(repository: str, *, share: str = _FOLDER_SHARE, identifier: str = PROCESS_ID) -> str:
    """The process as XML; ``repository`` is the scan server's ``name`` or ``name:port``."""
    return _TEMPLATE.format(repository=escape(repository), share=escape(share), identifier=identifier)


def write_demo_process(folder: Path, repository: str) -> Path:
    """Writes the process into a folder of scan processes; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{PROCESS_NAME}.xml"
    path.write_text(demo_process(repository), "utf-8")
    return path
