"""Views of result files: terminal tables, HTML page, Markdown, JUnit, badge, difference, gate, the contract as a book.

Reads what `pytest --loop-results=` and `bench run -o` wrote. Runs no loop, and knows nothing that is not in the files.
"""
