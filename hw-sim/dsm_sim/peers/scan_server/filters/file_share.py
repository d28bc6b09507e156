"""The file share filter: each document into a folder of the user in each share.

Source: MS-BDSRR 2.2 (FileShareConfig), 3.1; WS-DSP FilterStateReason.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from lxml import etree

from dsm_sim.peers.scan_server.file_names import safe_component, share_components
from dsm_sim.peers.scan_server.filters.delivery import Batch, Place, extension, texts
from dsm_sim.peers.scan_server.names import FSF
from dsm_sim.peers.scan_server.storage import place_copy

REASONS: Final[Mapping[int, str]] = {
    errno.EACCES: "FileShareAccessDenied",
    errno.EPERM: "FileShareAccessDenied",
    errno.EROFS: "FileShareAccessDenied",
    errno.ENOSPC: "FileShareOutOfDiskSpace",
    errno.EDQUOT: "FileShareOutOfDiskSpace",
    errno.EFBIG: "FileShareOutOfDiskSpace",
}


def store_on_shares(config: etree._Element, batch: Batch) -> list[Iterator[Place]]:
    return [_store(unc, batch) for unc in texts(config, FSF, "ShareUNC")]


def _store(unc: str, batch: Batch) -> Iterator[Place]:
    folder = _share_folder(unc, batch) / safe_component(batch.user)
    for document in batch.documents:
        yield place_copy(document.path, folder, batch.stem(document), extension(document))


def _share_folder(unc: str, batch: Batch) -> Path:
    mapped = batch.targets.mapped_share(unc)
    if mapped is None:
        return batch.out.joinpath("shares", *share_components(unc))
    folder, below = mapped
    folder.stat()  # a share that is missing stays missing, unlike the folders in it
    return folder.joinpath(*below)
