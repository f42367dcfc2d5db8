"""`python -m tests.right_loops [options of pytest]` runs the battery over all right loops."""

from __future__ import annotations

import subprocess
import sys

from tests.right_loops import arguments

# In a process of its own: pytest rewrites the assertions of what nobody has imported before.
command = [sys.executable, "-m", "pytest", "-n", "2", "--loop-shuffle", *arguments(), *sys.argv[1:]]
sys.exit(subprocess.run(command).returncode)
