"""A fair race between asyncio event loops: `python -m bench list|run|compare|count|gate`.

It measures loops as they are: none is wrapped, patched or subclassed. It draws no pages; `reports` does,
from the files that `bench.files` describes.
"""
