"""What a simulated scanner is, and how it misbehaves. Both decode straight from the tables of a scenario."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

Source = Literal["Flatbed", "ADF", "ADF Duplex", "Transparency Unit"]
Mode = Literal["Lineart", "Halftone", "Gray", "Color"]
Depth = Literal[1, 8, 16]
#: A status of SANE by its name. ``warming-up`` (12) is an extension that sane.h has switched off and that some
#: backends return all the same.
Status = Literal[
    "unsupported",
    "device-busy",
    "inval",
    "jammed",
    "no-docs",
    "cover-open",
    "io-error",
    "no-mem",
    "access-denied",
    "warming-up",
]
What = Status | Literal["double-feed", "hang", "hang-until-cancel", "crash", "replay"]

_Millimetres = Annotated[float, Meta(ge=10, le=3000)]
_Count = Annotated[int, Meta(ge=0, le=1_000_000)]
_Seconds = Annotated[float, Meta(ge=0, le=3600)]
_Resolution = Annotated[int, Meta(ge=10, le=4800)]
#: A line of the configuration, as SANE passes it on in fixed fields.
_Text = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[\x20-\x7e]+$")]

_LARGEST_BYTE: Final = 1 << 62


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Something that happens in a call.

    - A status: the call returns it. ``jammed`` and ``cover-open`` last until somebody clears or closes.
    - ``double-feed``: two sheets at once, of which the second is never seen. It stops the feeder as a jam, or,
      with ``Quirks.double_feed_options``, only if the option ``df-action`` says ``Stop``.
    - ``hang``: the call never returns. ``hang-until-cancel``: until sane_cancel.
    - ``crash``: SIGSEGV.
    - ``replay`` (at ``start``): the image before ``image`` is delivered once more in between. The first image
      after an opening or a sane_cancel has none before it: there it does not happen.
    """

    what: What
    at: Literal["open", "start", "read", "cancel", "close"] = "read"
    #: The load of paper, counted from 1 over the scanner's life; 0: any.
    load: _Count = 0
    #: The image within the load, counted from 1, both sides if both are scanned; 0: any.
    image: _Count = 0
    #: In ``read``: so many bytes of the image come first (of all planes, in three-pass colour).
    byte: Annotated[int, Meta(ge=0, le=_LARGEST_BYTE)] = 0
    #: How often it happens; 0: always.
    times: _Count = 1

    def __post_init__(self) -> None:
        if self.byte and self.at != "read":
            raise ValueError(f'byte = {self.byte} goes with at = "read" only')
        if self.what == "replay" and self.at != "start":
            raise ValueError('what = "replay" goes with at = "start" only')
        if self.what == "double-feed" and self.at not in ("start", "read"):
            raise ValueError('what = "double-feed" goes with at = "start" or "read" only')
        if self.what == "hang-until-cancel" and self.at not in ("start", "read"):
            raise ValueError('what = "hang-until-cancel" goes with at = "start" or "read" only')
        if self.at in ("open", "close") and (self.load or self.image):
            raise ValueError(f'load and image do not go with at = "{self.at}"')


class Quirks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Habits of real backends, all off."""

    #: So many openings fail after each sleep.
    opening_fails: _Count = 0
    opening_fails_with: Status = "io-error"
    #: sane_start answers ``warming_up_with`` for so long after each sleep.
    warming_up_s: _Seconds = 0
    warming_up_with: Status = "device-busy"
    #: Devices are looked for in sane_init only.
    frozen_list: bool = False
    #: Each listing begins with another scanner. Counts of the first scanner in the configuration.
    rotating_list: bool = False
    #: An empty feeder shows in sane_read, after sane_start said GOOD.
    no_docs_late: bool = False
    #: sane_start sooner than this after an image says NO_DOCS, though there are sheets.
    hasty_start_s: _Seconds = 0
    #: Back sides come turned by 180 degrees.
    backs_upside_down: bool = False
    #: Always this resolution, whatever is set and read back; 0: what is set.
    delivered_dpi: Annotated[int, Meta(ge=0, le=4800)] = 0
    #: In the feeder no more than 215.9 by 279.4 mm can be set until page-width and page-height are raised.
    page_size_first: bool = False
    #: So many octets of rubbish after each line.
    line_padding: Annotated[int, Meta(ge=0, le=65_536)] = 0
    #: Colour comes as frames RED, GREEN and BLUE, each in a pass of its own.
    three_pass: bool = False
    #: SANE_Parameters.lines is -1; the image ends with the sheet ...
    unknown_length: bool = False
    #: ... or so much later, in the background's grey.
    grey_tail_mm: Annotated[float, Meta(ge=0, le=1000)] = 0
    #: Lengths are rounded down to multiples of this, and each setting reports INEXACT, RELOAD_OPTIONS and
    #: RELOAD_PARAMS; 0: off.
    inexact_mm: Annotated[float, Meta(ge=0, le=50)] = 0
    #: Values of options outlive sane_close, until sane_exit.
    keeps_options: bool = False
    #: The first sane_start after another source was chosen takes so long.
    source_change_s: _Seconds = 0
    #: There are ``df-action`` and a sensor ``double-feed``.
    double_feed_options: bool = False
    #: Memory lost with each image.
    leaked_bytes: Annotated[int, Meta(ge=0, le=1 << 30)] = 0
    faults: Annotated[tuple[Fault, ...], Meta(max_length=64)] = ()


class ScannerModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A scanner that is sold. The default is a fast duplex feeder with an A3 glass."""

    vendor: _Text = "DSM"
    model: _Text = "Sim Feeder 140"
    #: SANE_Device.type.
    kind: _Text = "scanner"
    serial: _Text = "SIM-000001"
    sources: Annotated[tuple[Source, ...], Meta(min_length=1)] = (
        "Flatbed",
        "ADF",
        "ADF Duplex",
        "Transparency Unit",
    )
    modes: Annotated[tuple[Mode, ...], Meta(min_length=1)] = ("Lineart", "Halftone", "Gray", "Color")
    #: 1 is offered for Gray; Lineart and Halftone have it anyway.
    depths: tuple[Depth, ...] = (1, 8, 16)
    #: dpi, ascending. With ``resolution_range`` first and last are the ends of a range of whole numbers.
    resolutions: Annotated[tuple[_Resolution, ...], Meta(min_length=1, max_length=32)] = (
        *(75, 100, 150, 200, 240, 300, 400, 600, 1200),
    )
    resolution_range: bool = False
    #: ``x-resolution`` and ``y-resolution`` besides ``resolution``, which sets both.
    separate_resolutions: bool = False
    glass_width_mm: _Millimetres = 304.8
    glass_height_mm: _Millimetres = 431.8
    feeder_width_mm: _Millimetres = 304.8
    feeder_height_mm: _Millimetres = 1000.0
    film_width_mm: _Millimetres = 106.0
    film_height_mm: _Millimetres = 240.0
    #: What the feeder sees beside the paper, 0 black to 255 white. On the glass it is the lid's white.
    feeder_background: Annotated[int, Meta(ge=0, le=255)] = 192
    #: As makers rate it: A4 upright, both sides in one pass, so that 140 are 70 sheets; one side alone comes at
    #: the same pace of the paper, 70 images. The glass is scanned as fast as paper moves. 0: as fast as is read.
    images_per_minute: Annotated[int, Meta(ge=0, le=10_000)] = 0
    #: Images that fit the scanner's memory: so far the host may fall behind before the paper waits for it.
    buffered_images: Annotated[int, Meta(ge=0, le=1000)] = 8
    quirks: Quirks = Quirks()

    def __post_init__(self) -> None:
        for name in ("sources", "modes", "depths", "resolutions"):
            listed = getattr(self, name)
            if len(set(listed)) != len(listed):
                raise ValueError(f"{name} names something twice")
        if list(self.resolutions) != sorted(self.resolutions):
            raise ValueError("resolutions are not in ascending order")
        if self.resolution_range and len(self.resolutions) < 2:
            raise ValueError("resolution-range needs two resolutions, the lowest and the highest")
        if not set(self.depths) - {1}:
            raise ValueError("depths has neither 8 nor 16")
