"""Paper for the simulated scanner: page images that the project draws itself, and files of the user's own.

A page file is PNM (netpbm's pbm(5), pgm(5), ppm(5), raw variants): P4 for bilevel, P5 for gray, P6 for colour,
8 bits a sample, with the comment line ``# dpi N`` after the magic number. Everything drawn is a function of its
parameters: the same ones give the same pixels in every process.
"""

from .description import Paper
from .originals import COLORS, KINDS, Color, Kind, draw
from .printing import PrintedSheet, print_sheets, write_page
from .sizes import SIZES, size_mm

__all__ = [
    "COLORS",
    "KINDS",
    "SIZES",
    "Color",
    "Kind",
    "Paper",
    "PrintedSheet",
    "draw",
    "print_sheets",
    "size_mm",
    "write_page",
]
