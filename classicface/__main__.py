"""``python -m classicface``: the command line."""

import sys

from classicface.cli import main

sys.exit(main())
