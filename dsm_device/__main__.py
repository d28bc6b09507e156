"""``python -m dsm_device`` is ``dsm-device``."""

import sys

from dsm_device.cli import main

if __name__ == "__main__":
    sys.exit(main())
