"""``dsm-device sim demo``: the main job once, from a feeder to a scan server."""

from __future__ import annotations

import argparse
from pathlib import Path

from dsm_sim.demo import run_demo


def add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser(
        "demo",
        help="the main job once, from a feeder to a scan server",
        description="Starts a scan server, scans with the device's own program, shows what arrived.",
    )
    demo.add_argument(
        "--scanner", default="", metavar="DEVICE", help="a SANE device (default: a simulated feeder)"
    )
    demo.add_argument(
        "--out", type=Path, default=Path("demo-out"), metavar="DIR", help="output (default: ./%(default)s)"
    )
    demo.set_defaults(run=lambda arguments: run_demo(arguments.out.absolute(), arguments.scanner))
