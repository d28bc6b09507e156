"""What people write themselves: ten bilevel pages by python-sane, saved by Pillow as TIFF G4.

Usage: python_sane_peer.py DEVICE FOLDER
"""

from __future__ import annotations

import sys

import sane

sane.init()
device = sane.open(sys.argv[1])
device.source = "Automatic Document Feeder"
device.mode = "Gray"
device.depth = 1
device.resolution = 200.0
device.br_x, device.br_y = 210.0, 297.0
for number in range(1, 11):
    device.start()
    device.snap(no_cancel=True).convert("1").save(f"{sys.argv[2]}/p{number}.tif", compression="group4")
device.cancel()
device.close()
