"""The SharePoint filter: each document into a folder of the user in each site, by WebDAV or into files.

Source: MS-BDSRR 2.2 (SharePointConfig), 3.1; WS-DSP FilterStateReason.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from lxml import etree

from dsm_sim.peers.scan_server.file_names import safe_component, share_components
from dsm_sim.peers.scan_server.filters.delivery import (
    Batch,
    FilterError,
    Place,
    extension,
    is_true,
    media_type,
    texts,
)
from dsm_sim.peers.scan_server.filters.webdav import put_documents
from dsm_sim.peers.scan_server.names import SPF
from dsm_sim.peers.scan_server.storage import place, place_copy

REASONS: Final[Mapping[int, str]] = {
    errno.EACCES: "SharePointAccessDenied",
    errno.ENOSPC: "SharePointOutOfDiskSpace",
    errno.EDQUOT: "SharePointOutOfDiskSpace",
}


def put_to_sites(config: etree._Element, batch: Batch) -> list[Iterator[Place]]:
    sites = [site.strip() for site in texts(config, SPF, "SaveToSharePointSiteURL")]
    if is_true(config, SPF, "SaveToMySite"):
        sites.append(f"https://my.sim.example/personal/{quote(batch.user, safe='@')}")
    if not sites:
        raise FilterError("InvalidArgs", "no site to put to")
    put = _put_by_webdav if batch.targets.webdav else _put_into_files
    return [put(site, batch) for site in sites]


def _collection(site: str, batch: Batch) -> list[str]:
    """Host, path and user as safe components."""
    parts = urlsplit(site.replace("\\", "/"))
    path = [safe_component(unquote(part)) for part in parts.path.split("/") if part]
    more = [safe_component(part) for part in (parts.query, parts.fragment) if part]
    return [*share_components(parts.netloc), *path, *more, safe_component(batch.user)]


def _put_by_webdav(site: str, batch: Batch) -> Iterator[Place]:
    assert batch.targets.webdav  # noqa: S101 - looked at before
    yield from put_documents(batch.targets.webdav, _collection(site, batch), batch)


def _put_into_files(site: str, batch: Batch) -> Iterator[Place]:
    folder = batch.out.joinpath("sharepoint", *_collection(site, batch))
    requests = []
    for document in batch.documents:
        path = place_copy(document.path, folder, batch.stem(document), extension(document))
        yield path
        requests.append(
            {
                "method": "PUT",
                "url": f"{site.rstrip('/')}/{quote(batch.user, safe='@')}/{quote(path.name)}",
                "headers": {"Content-Type": media_type(document), "Content-Length": str(document.octets)},
                "file": path.name,
            }
        )
    text = json.dumps(requests, indent=2, ensure_ascii=False)
    listing = f"requests-{batch.at:%Y%m%d-%H%M%S}"
    yield place(folder, listing, "json", lambda temporary: _write_text(temporary, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
