"""Citations: where a sentence of the contract stands, as text and as a link.

The text is `page: place`. A page is one of the documentation (`asyncio-eventloop`), What's New (`whatsnew 3.12`),
a PEP (`PEP 3156`) or an issue (`gh-105288`, `uvloop#482`). A place is a documented name (`loop.call_soon`,
`Runner`) or the title of a section; a title of one word is written `§Examples`, to tell it from a name. The chapter
`ecosystem` cites the libraries' own documentation, as `library/page: place` (`anyio/threads: Context propagation`).
"""

from __future__ import annotations

import re

_DOCS = "https://docs.python.org/3/"
_LIBRARY_PAGES = frozenset(
    [
        "asyncio",
        "asyncio-eventloop",
        "asyncio-future",
        "asyncio-task",
        "asyncio-protocol",
        "asyncio-stream",
        "asyncio-subprocess",
        "asyncio-runner",
        "asyncio-dev",
        "asyncio-exceptions",
        "asyncio-extending",
        "asyncio-policy",
        "asyncio-platforms",
        "asyncio-sync",
        "asyncio-queue",
        "asyncio-api-index",
        "asyncio-llapi-index",
        "contextvars",
        "concurrent.futures",
        "socket",
        "ssl",
        "signal",
        "sys",
        "warnings",
        "subprocess",
        "selectors",
        "exceptions",
        "threading",
        "os",
        "logging",
        "time",
        "gc",
        "weakref",
    ]
)
_REFERENCE_PAGES = frozenset({"expressions", "datamodel", "compound_stmts"})
_TRACKERS = {
    "gh": "https://github.com/python/cpython/issues/",
    "uvloop": "https://github.com/MagicStack/uvloop/issues/",
    "rloop": "https://github.com/gi0baro/rloop/issues/",
    "quamash": "https://github.com/harvimt/quamash/issues/",
    "rsloop": "https://github.com/RustedBytes/rsloop/issues/",
    "zuvloop": "https://github.com/Kludex/zuvloop/issues/",
    "aiohttp": "https://github.com/aio-libs/aiohttp/issues/",
    "uvicorn": "https://github.com/encode/uvicorn/issues/",
    "anyio": "https://github.com/agronholm/anyio/issues/",
    "trio": "https://github.com/python-trio/trio/issues/",
}
_LIBRARIES = {
    "aiohttp": "https://docs.aiohttp.org/en/stable/{}.html",
    "aiosqlite": "https://aiosqlite.omnilib.dev/en/stable/{}.html",
    "anyio": "https://anyio.readthedocs.io/en/stable/{}.html",
    "uvicorn": "https://www.uvicorn.org/{}/",
    "websockets": "https://websockets.readthedocs.io/en/stable/{}.html",
}
_LIBRARY_PAGE = re.compile(r"(?P<library>[a-z]+)/(?P<page>[\w/-]+)\Z")
_ISSUE = re.compile(r"(?P<tracker>[a-z]+)[-#](?P<number>\d+)\Z")
_PEP = re.compile(r"PEP (?P<number>\d+)\Z")
_WHATSNEW = re.compile(r"whatsnew (?P<version>3\.\d+)\Z")
_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*\Z")


class BadCitation(ValueError):
    """A citation that names no page this module knows."""


def url_of(citation: str) -> str:
    """The link of a citation. Raises BadCitation.

    >>> url_of("asyncio-eventloop: loop.call_soon")
    'https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_soon'
    >>> url_of("PEP 3156: Basic Callbacks")
    'https://peps.python.org/pep-3156/#basic-callbacks'
    """
    page, _, place = (part.strip() for part in citation.partition(":"))
    if match := _PEP.fullmatch(page):
        return f"https://peps.python.org/pep-{int(match['number']):04d}/" + _fragment(place, prefix="")
    if match := _WHATSNEW.fullmatch(page):
        return f"{_DOCS}whatsnew/{match['version']}.html" + _fragment(place, prefix="")
    if (match := _ISSUE.fullmatch(page)) and match["tracker"] in _TRACKERS:
        return _TRACKERS[match["tracker"]] + match["number"]
    if page in _LIBRARY_PAGES:
        prefix = "asyncio." if page.startswith("asyncio") else ""
        return f"{_DOCS}library/{page}.html" + _fragment(place, prefix)
    if page in _REFERENCE_PAGES:
        return f"{_DOCS}reference/{page}.html" + _fragment(place, prefix="")
    if (match := _LIBRARY_PAGE.fullmatch(page)) and match["library"] in _LIBRARIES:
        return _LIBRARIES[match["library"]].format(match["page"]) + _fragment(place, prefix="")
    raise BadCitation(f"{citation!r}: write 'page: place', with a page of the documentation, a PEP or an issue")


def _fragment(place: str, prefix: str) -> str:
    """A documented name keeps its dots; a section title becomes the slug that Sphinx makes of it."""
    if not place:
        return ""
    if _NAME.fullmatch(place) and ("." in place or prefix):
        return "#" + (place if place.startswith(prefix) else prefix + place)
    return "#" + re.sub(r"[^a-z0-9]+", "-", place.removeprefix("§").lower()).strip("-")
