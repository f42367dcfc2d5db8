"""The tests import their own helpers as `tests.…`; the packages under test come from where they are installed."""

from __future__ import annotations

import sys
from pathlib import Path

# Appended, not inserted: in tox the installed wheel must win over the checkout that lies beside the tests.
sys.path.append(str(Path(__file__).parents[1]))
