"""The configuration: one frozen object read from one TOML file, every key optional.

Whatever is wrong with the file ends in one :class:`~dsm_device.errors.ConfigurationError` line that names the
file, the line, the key, and what would be right. Times are seconds.
"""

from __future__ import annotations

import ipaddress
import math
import re
import socket
import tomllib
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from dsm_device.errors import ConfigurationError
from dsm_device.hardware import OptionValue

DEFAULT_PATH = Path("/etc/dsm-device/config.toml")
MAX_FILE_BYTES = 1_000_000

Check = Callable[[Any], str | None]


def _port(value: int) -> str | None:
    return None if 0 <= value <= 65535 else "must be a port number, 0 to 65535"


def _positive(value: float) -> str | None:
    return None if value > 0 else "must be greater than 0"


def _not_negative(value: float) -> str | None:
    return None if value >= 0 else "must not be negative"


def _sid(value: str) -> str | None:
    good = re.fullmatch(r"S-1-(\d{1,10}|0x[0-9a-fA-F]{1,12})(-\d{1,10}){1,15}", value)
    return None if good else 'must be a security identifier such as "S-1-5-21-1-2-3-1000"'


def _probes(value: tuple[str, ...]) -> str | None:
    wrong = [each for each in value if each not in ("https", "udp")]
    return f'knows "https" and "udp", not "{wrong[0]}"' if wrong else None


def _networks(value: tuple[str, ...]) -> str | None:
    return next((problem for problem in map(_network, value) if problem), None)


def _network(text: str) -> str | None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        try:
            meant = ipaddress.ip_network(text, strict=False)
        except ValueError:
            return f'has "{text}", which is no network such as "192.0.2.0/24" or "2001:db8::/32", and no address'
        return f'has "{text}", whose network is written "{meant}"'
    return None


def _right_angle(value: int) -> str | None:
    return None if value in (0, 90, 180, 270) else "must be 0, 90, 180 or 270"


def _checked(default: Any, check: Check) -> Any:
    return field(default=default, metadata={"check": check})


def _host_name() -> str:
    return socket.gethostname() or "dsm-device"


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    name: str = field(default_factory=_host_name)
    state_dir: Path = Path("/var/lib/dsm-device")
    location: str = ""


@dataclass(frozen=True, slots=True)
class ScannerSettings:
    driver: str = "sane"
    device: str = ""
    options: Mapping[str, OptionValue] = field(default_factory=lambda: types.MappingProxyType({}))
    skip_blank_pages: bool = False
    deskew: bool = False
    two_pass_duplex: bool = False
    rotate_back: int = _checked(0, _right_angle)
    shared: bool = False


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    source: Literal["ldap", "files"] = "ldap"
    domain: str = ""
    servers: tuple[str, ...] = ()
    bind: Literal["kerberos", "ntlm"] = "kerberos"
    path: Path = Path("/etc/dsm-device/scan-processes")
    user: str = ""
    sid: str = _checked("S-1-5-21-0-0-0-1000", _sid)
    email: str = ""


@dataclass(frozen=True, slots=True)
class ScanServerSettings:
    port: int = _checked(5362, lambda value: _port(value) if value else "must be a port number, 1 to 65535")
    probe: tuple[str, ...] = _checked(("https", "udp"), _probes)
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""
    events: bool = True
    event_port: int = _checked(0, _port)
    event_address: str = ""
    connect_timeout: float = _checked(10.0, _positive)
    retry_first: float = _checked(1.0, _positive)
    retry_max: float = _checked(300.0, _positive)


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    listen: str = "0.0.0.0"  # noqa: S104 - the console is reached over the network
    http_port: int = _checked(5357, _port)
    https_port: int = _checked(5358, _port)
    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    networks: tuple[str, ...] = _checked((), _networks)
    subscriptions: int = _checked(32, _positive)
    discovery: bool = True
    discovery_port: int = _checked(3702, _port)
    interfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PanelSettings:
    listen: str = "127.0.0.1"
    port: int = _checked(8080, _port)
    certificate: str = ""
    key: str = ""
    idle_logout: float = _checked(120.0, _positive)


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    max_bytes: int = _checked(4_000_000_000, _positive)
    keep_history: int = _checked(200, _not_negative)


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    listen: str = "127.0.0.1"
    port: int = _checked(9464, _port)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; a section that the file leaves out has its defaults."""

    device: DeviceSettings = field(default_factory=DeviceSettings)
    scanner: ScannerSettings = field(default_factory=ScannerSettings)
    directory: DirectorySettings = field(default_factory=DirectorySettings)
    scan_server: ScanServerSettings = field(default_factory=ScanServerSettings)
    console: ConsoleSettings = field(default_factory=ConsoleSettings)
    panel: PanelSettings = field(default_factory=PanelSettings)
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)


def load(path: Path) -> Settings:
    """The settings in the file at ``path``. Raises :class:`ConfigurationError`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the configuration {path}: {error.strerror}",
            "name a readable file with --config or DSM_DEVICE_CONFIG",
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise ConfigurationError(f"the configuration {path} is larger than {MAX_FILE_BYTES:,} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}, line {line}: not UTF-8 text", "save the file as UTF-8") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Settings:
    """The settings in ``text``; ``name`` stands for it in messages. Raises :class:`ConfigurationError`."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is one, an endless number another
        last = len(text.splitlines()) or 1
        problem = str(error).replace("at end of document", f"at line {last}, the end of the file")
        raise ConfigurationError(f"{name}: not valid TOML: {problem}", "correct that line") from error
    reader = _Reader(name, text)
    settings = reader.settings(document)
    reader.check_combinations(settings)
    return settings


class _Reader:
    """Turns the TOML tables into dataclasses and says where in the file a thing is wrong."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._text = text

    def settings(self, document: dict[str, Any]) -> Settings:
        sections = get_type_hints(Settings)
        values: dict[str, Any] = {}
        for key, table in document.items():
            if key not in sections:
                raise self._wrong((key,), f"unknown section [{key}]", _did_you_mean(key, sections))
            if not isinstance(table, dict):
                raise self._wrong((key,), f"{key} must be a section", f"write it as [{key}]")
            values[key] = self._section(key, sections[key], table)
        return Settings(**values)

    def _section(self, section: str, kind: type[Any], table: dict[str, Any]) -> object:
        hints = get_type_hints(kind)
        checks = {each.name: each.metadata.get("check") for each in fields(kind)}
        values: dict[str, Any] = {}
        for key, raw in table.items():
            where = (section, key)
            if key not in hints:
                raise self._wrong(where, f'unknown key "{key}" in [{section}]', _did_you_mean(key, hints))
            values[key] = self._value(where, hints[key], raw)
            check = checks[key]
            problem = check(values[key]) if check else None
            if problem:
                raise self._wrong(where, f"{section}.{key} {problem}", f"it is {raw!r}")
        return kind(**values)

    def _value(self, where: tuple[str, ...], hint: Any, raw: Any) -> object:
        if get_origin(hint) is Mapping:
            return self._options(where, raw)
        wrong, value = _convert(hint, raw)
        if wrong:
            raise self._wrong(where, f"{'.'.join(where)} must be {wrong}", f"it is {_shown(raw)}")
        return value

    def _options(self, where: tuple[str, ...], raw: Any) -> Mapping[str, OptionValue]:
        """Raw backend options: their names are the backend's, their values scalars."""
        if not isinstance(raw, dict):
            raise self._wrong(where, f"{'.'.join(where)} must be a section", f"it is {_shown(raw)}")
        for key, value in raw.items():
            if not isinstance(value, bool | int | float | str) or not _is_finite(value):
                message = f'the backend option "{key}" must be a string, a number, true or false'
                raise self._wrong((*where, key), message, f"it is {_shown(value)}")
        return types.MappingProxyType(dict(raw))

    def check_combinations(self, settings: Settings) -> None:
        """Refuse what no single key shows to be wrong."""
        for section, certificate, key, value in (
            ("scan_server", "client_cert", "client_key", settings.scan_server.client_key),
            ("console", "certificate", "key", settings.console.key),
            ("console", "certificate", "client_ca", settings.console.client_ca),
            ("panel", "certificate", "key", settings.panel.key),
        ):
            if value and not getattr(getattr(settings, section), certificate):
                raise self._wrong(
                    (section, key),
                    f"{section}.{key} is set, {section}.{certificate} is not",
                    f"set {certificate} or remove {key}",
                )
        console = settings.console
        if console.certificate and console.https_port and console.https_port == console.http_port:
            raise self._wrong(
                ("console", "https_port"),
                f"console.https_port and console.http_port are both {console.https_port}",
                "give each a port of its own",
            )
        panel = settings.panel
        if panel.port and not _is_loopback(panel.listen) and not panel.certificate:
            raise self._wrong(
                ("panel", "listen"),
                f"panel.listen {panel.listen} is not loopback and panel.certificate is not set",
                "set certificate and key, or listen on 127.0.0.1",
            )
        server = settings.scan_server
        if server.retry_first > server.retry_max:
            raise self._wrong(
                ("scan_server", "retry_first"),
                f"scan_server.retry_first ({server.retry_first:g}) is above retry_max ({server.retry_max:g})",
                "make it smaller",
            )

    def _wrong(self, where: tuple[str, ...], message: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"{self._name}, line {self._line(where)}: {message}", remedy)

    def _line(self, where: tuple[str, ...]) -> int:
        """The line on which ``where`` is set; that of its section, or 1, where it cannot be told."""
        found = 1
        for number, path in _keys(self._text):
            if path == where:
                return number
            if where[: len(path)] == path:
                found = number
        return found


_HEADER = re.compile(r"\s*\[\[?\s*([^\]#]+?)\s*\]\]?\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def _keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line number and full path of each header and assignment, as far as single lines show them."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _dotted(header[1])
            yield number, table
        elif assignment := _ASSIGNMENT.match(line):
            yield number, table + _dotted(assignment[1])


def _dotted(text: str) -> tuple[str, ...]:
    parts = re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", text)
    return tuple(part.strip("\"'") for part in parts)


def _convert(hint: Any, raw: Any) -> tuple[str, Any]:
    """What ``raw`` should have been ("" if it is right) and its value as ``hint``."""
    if get_origin(hint) is Literal:
        names = [f'"{name}"' for name in get_args(hint)]
        return ("" if raw in get_args(hint) else " or ".join(names)), raw
    if get_origin(hint) is tuple:
        right = isinstance(raw, list) and all(isinstance(each, str) for each in raw)
        return ("" if right else "a list of strings"), tuple(raw) if right else ()
    return _convert_scalar(hint, raw)


def _convert_scalar(hint: Any, raw: Any) -> tuple[str, Any]:
    if hint is bool:
        return ("" if isinstance(raw, bool) else "true or false"), raw
    if hint is int:
        return ("" if type(raw) is int else "a whole number"), raw
    if hint is float:
        right = isinstance(raw, int | float) and not isinstance(raw, bool) and abs(raw) < 1e12
        return ("" if right else "a number of seconds"), float(raw) if right else 0.0
    if hint is Path:
        right = isinstance(raw, str) and raw != "" and "\0" not in raw
        try:
            return ("" if right else "a path"), Path(raw).expanduser() if right else Path()
        except RuntimeError:
            return "a path in the home of a user that exists", Path()
    return ("" if isinstance(raw, str) else "a string in quotes"), raw


def _is_finite(value: OptionValue) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _shown(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else text[:60] + " …"


def _did_you_mean(key: str, known: Mapping[str, Any]) -> str:
    import difflib  # noqa: PLC0415 - only ever needed for a message

    close = difflib.get_close_matches(key, known, n=1)
    return f'did you mean "{close[0]}"?' if close else "known are " + ", ".join(sorted(known))


def _is_loopback(address: str) -> bool:
    return address in ("localhost", "::1") or address.startswith("127.")
