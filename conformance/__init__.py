"""An executable contract for asyncio event loops, run by `pytest --loop=module:factory`.

This package never imports a loop by itself, and touches nothing private of one.
"""

__version__ = "0.1.0"
