"""connect_read_pipe() of a regular file, which no system can poll: is that an exception?"""

import asyncio
import importlib
import sys

module, _, factory = (sys.argv[1] if len(sys.argv) > 1 else "uvloop:new_event_loop").partition(":")
loop = getattr(importlib.import_module(module), factory)()

try:
    loop.run_until_complete(loop.connect_read_pipe(asyncio.Protocol, open(__file__)))  # noqa: SIM115 (it is the loop's)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    sys.exit("no exception")
