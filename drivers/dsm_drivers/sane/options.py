"""The options of a SANE device, by name (SANE standard 1.06, 4.3.7)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag
from typing import Any

from dsm_device.errors import ScannerError, ScannerInvalid, ScannerMismatch
from dsm_device.hardware import OptionValue

from .device import Device
from .option import Capability, Kind, Option, Range, Strings, Unit, Words, same


class _Info(IntFlag):
    INEXACT = 1
    RELOAD_OPTIONS = 2


class Options:
    """All options of an opened device. The descriptors follow what is set."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._by_name: dict[str, Option] = {}
        self.reload()

    def reload(self) -> None:
        found: dict[str, Option] = {}
        for entry in self._device.descriptors():
            option = _option(entry)
            # Backends repeat names between groups of models; the first that can be used counts.
            if option.name and not (option.name in found and found[option.name].settable):
                found[option.name] = option
        self._by_name = found

    def usable(self, name: str) -> Option | None:
        """The option if it exists and can be set now."""
        option = self._by_name.get(name)
        return option if option and option.settable else None

    def is_inactive(self, name: str) -> bool:
        """Whether the option exists and only waits for another one to be set."""
        option = self._by_name.get(name)
        return option is not None and not option.active

    def value(self, option: Option) -> OptionValue | None:
        """The present value, None where the device does not tell."""
        if not option.readable:
            return None
        raw = self._device.option(option.index, option.name)
        value: OptionValue = bool(raw) if option.kind is Kind.BOOL else raw
        return value

    def sense(self, name: str) -> bool | None:
        """What a sensor says; None where there is none. An option of its name that can be set is no sensor."""
        option = self._by_name.get(name)
        if option is None or option.settable or not option.readable:
            return None
        return bool(self.value(option))

    def sensed(self, name: str) -> bool | None:
        """As :meth:`sense`; None also where it does not answer now."""
        try:
            return self.sense(name)
        except ScannerError:
            return None

    def told(self, names: Iterable[str]) -> str:
        """The text of the first of ``names`` that the device tells of itself, "" where it tells none."""
        for name in names:
            option = self._by_name.get(name)
            if option is None or option.kind is not Kind.STRING or option.settable or not option.readable:
                continue
            try:
                text = str(self.value(option) or "").strip()
            except ScannerError:
                continue
            if text:
                return text
        return ""

    def set(self, option: Option, value: OptionValue) -> OptionValue:
        """Set and return what the device made of it."""
        raw = _encoded(option, value)
        info = _Info(self._device.set_option(option.index, option.name, raw) & 3)
        if info & _Info.RELOAD_OPTIONS:
            self.reload()
        # Some backends round without saying INEXACT: always look.
        delivered = self.value(self._by_name.get(option.name, option))
        return value if delivered is None else delivered

    def require(self, name: str, value: OptionValue) -> None:
        """Set ``name`` to exactly ``value`` or raise ``ScannerInvalid`` with what is possible."""
        option = self._by_name.get(name)
        if option is None:
            settable = sorted(each.name for each in self._by_name.values() if each.settable)
            raise _refused(self._device.name, f"has no option {name}", f"it has {', '.join(settable)}")
        if not option.settable:
            raise _refused(self._device.name, f"does not take option {name}", "it can not be set")
        if not option.holds(value):
            raise _refused(self._device.name, f"does not take {name} = {value}", f"possible: {option.possible()}")
        delivered = self.set(option, value)
        if not same(value, delivered):
            raise _refused(
                self._device.name, f"made {delivered} of {name} = {value}", f"possible: {option.possible()}"
            )

    def settle(self, name: str, value: OptionValue) -> None:
        """Set ``name`` to one of its listed values or raise ``ScannerMismatch``."""
        option = self.usable(name)
        if option is None:
            raise ScannerMismatch(f"the scanner {self._device.name} no longer lets {name} be set to {value}")
        delivered = self.set(option, value)
        if not same(value, delivered):
            raise ScannerMismatch(
                f"the scanner {self._device.name} was to set {name} to {value} and chose {delivered}"
            )

    def switch_off(self, names: Iterable[str]) -> None:
        """Turn off those of ``names`` that are on and can be set."""
        for name in names:
            option = self.usable(name)
            off = option.off() if option else None
            if option and off is not None and not same(self.value(option), off):
                self.set(option, off)


def _refused(device: str, what: str, remedy: str) -> ScannerInvalid:
    return ScannerInvalid(f"the scanner {device} {what}", remedy)


def _option(entry: tuple[Any, ...]) -> Option:
    index, name, _title, _description, kind, unit, size, capabilities, constraint = entry
    return Option(
        index=index,
        name=name or "",
        kind=Kind(kind),
        unit=Unit(unit),
        size=size,
        capabilities=Capability(capabilities),
        constraint=_constraint(constraint),
    )


def _constraint(raw: Any) -> Range | Words | Strings | None:
    if isinstance(raw, tuple):
        return Range(*raw)
    return tuple(raw) if raw else None


def _encoded(option: Option, value: OptionValue) -> int | float | str:
    """As python-sane wants it; its conversion to SANE_Fixed cuts off, so round before it does."""
    if isinstance(value, str):
        return value
    return round(value * 65536) / 65536 if option.kind is Kind.FIXED else int(value)
