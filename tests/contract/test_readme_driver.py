"""The example in the drivers' README is a driver that passes the contract, as it stands there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from dsm_device.hardware import Driver
from dsm_drivers.contract import ScannerContract

README = Path(__file__).parents[2] / "drivers" / "README.md"


@pytest.fixture(scope="module")
def examples() -> Iterator[dict[str, ModuleType]]:
    """The README's Python blocks as modules: the driver, and the test that uses it by its name."""
    driver, test = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    modules = {}
    for name, source in (("board_driver", driver), ("test_board", test)):
        modules[name] = sys.modules[name] = ModuleType(name)
        exec(compile(source, f"{README}:{name}", "exec"), modules[name].__dict__)
    yield modules
    for name in modules:
        del sys.modules[name]


class TestReadmeExampleKeepsTheContract(ScannerContract):
    @pytest.fixture
    def driver(self, examples: dict[str, ModuleType]) -> Driver:
        driver: Driver = examples["board_driver"].BoardDriver()
        return driver


def test_the_test_of_the_readme_is_a_contract_suite(examples: dict[str, ModuleType]) -> None:
    assert issubclass(examples["test_board"].TestBoard, ScannerContract)
