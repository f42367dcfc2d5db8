"""One exception per way that what was given can be wrong; the command line prints the sentence and exits with 2."""

from __future__ import annotations


class ReportError(Exception):
    """Something that whoever typed the command can put right. The text is one sentence that says what to do."""


class UnusableFile(ReportError):
    """A file that is missing, foreign, broken or of a newer format."""


class NothingToReport(ReportError):
    """Directories that hold no result file, or files that hold no loop."""


class DifferentCatalogues(ReportError):
    """Runs that asked different questions, where only runs of one catalogue can be used."""


class UnknownLoop(ReportError):
    """A label that no run has."""
