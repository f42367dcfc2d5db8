"""Random programs for a loop, and whether what the loop made of them is anything that the contract allows.

`programs` says what a program is, `source` writes it as Python that needs nothing but asyncio, `model` is the loop that
keeps the contract and no more, `search` asks it whether it could have run a program as the loop under test did, and
`explore` draws programs and shrinks the one that fails. The chapter `schedules` of the battery is their only user.
"""
