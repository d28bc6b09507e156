"""Reading by a schema: simple values and children, each failure with the element's name, its line and the remedy.

The values are those of XML Schema 1.0 that scan processes are made of; what is read more liberally says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_device.wire import names, xml
from dsm_device.wire.xml import XmlError

Value = int | str | bool

_WHOLE_NUMBER: Final = re.compile(r"([+-]?)0*([0-9]{1,10})")
#: A vendor's keyword, prefix:name. The schema reads it as NMTOKEN, which leaves no white space.
_VENDOR_KEYWORD: Final = re.compile(r"[^\s:]+:[^\s:]+")


@dataclass(frozen=True, slots=True)
class Keyword:
    """One of ``names``, read without regard to case (the pages capitalise some), or a vendor's own."""

    names: tuple[str, ...]
    vendor: re.Pattern[str] = _VENDOR_KEYWORD

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(self.names)

    def read(self, token: str) -> str:
        """The name in the schema's spelling, or the vendor's value as it stands. Raises ``ValueError``."""
        for name in self.names:
            if name.lower() == token.lower():
                return name
        if not self.vendor.fullmatch(token):
            raise ValueError(self.allowed)
        return token


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number, both ends included."""

    minimum: int
    maximum: int

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.minimum} to {self.maximum}"

    def read(self, token: str) -> int:
        match = _WHOLE_NUMBER.fullmatch(token)
        number = int(match[1] + match[2]) if match else None
        if number is None or not self.minimum <= number <= self.maximum:
            raise ValueError(self.allowed)
        return number


@dataclass(frozen=True, slots=True)
class Flag:
    """xs:boolean."""

    allowed: str = "true or false"

    def read(self, token: str) -> bool:
        if token not in ("true", "1", "false", "0"):
            raise ValueError(self.allowed)
        return token in ("true", "1")


Kind = Keyword | Whole | Flag


def value(element: etree._Element, kind: Kind) -> Value:
    """What ``element`` holds, white space collapsed."""
    _check_simple(element)
    return _read(element, "is", xml.token(element), kind)


def boolean(element: etree._Element) -> bool:
    """The element's xs:boolean."""
    return value(element, Flag()) is True


def boolean_attribute(element: etree._Element, name: str) -> bool:
    """The xs:boolean of the attribute ``name`` (Clark notation); absent = false."""
    token = " ".join(element.get(name, "false").split())
    return _read(element, f"has {etree.QName(name).localname} =", token, Flag()) is True


def string(element: etree._Element, *, limit: int) -> str:
    """The element's text, white space kept, of at most ``limit`` characters."""
    _check_simple(element)
    text = xml.text(element)
    if len(text) > limit:
        raise invalid(element, f"is longer than {limit:,} characters")
    return text


def the_child(parent: etree._Element, namespace: str, local: str) -> etree._Element:
    """The one child of that name; none and several are failures."""
    found = optional_child(parent, namespace, local)
    if found is None:
        raise invalid(parent, f"lacks {local}")
    return found


def optional_child(parent: etree._Element, namespace: str, local: str) -> etree._Element | None:
    """The child of that name or None; several are a failure."""
    found = parent.findall(names.qname(namespace, local))
    if len(found) > 1:
        raise invalid(found[1], "stands twice")
    return found[0] if found else None


def invalid(element: etree._Element, problem: str) -> XmlError:
    """The failure of ``element``, with its name and line."""
    return XmlError(f"{xml.local_name(element)} (line {element.sourceline}) {problem}", element)


def _read(element: etree._Element, verb: str, token: str, kind: Kind) -> Value:
    try:
        return kind.read(token)
    except ValueError as error:
        shown = token if len(token) <= 60 else f"{token[:60]} …"
        raise invalid(element, f'{verb} "{shown}", allowed is {error}') from error


def _check_simple(element: etree._Element) -> None:
    if next(xml.elements(element), None) is not None:
        raise invalid(element, "holds elements where a value is due")
