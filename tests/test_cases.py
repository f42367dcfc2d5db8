"""`each`: many cases of a test in one trial."""

from __future__ import annotations

import inspect

import pytest

from conformance.kit.cases import each


def test_every_case_is_run_in_order_with_the_fixtures() -> None:
    seen: list[tuple[str, int, str]] = []

    @each("number", [1, 2])
    @each(("letter", "_unused"), [("a", None), ("b", None)])
    def test(fixture: str, number: int, letter: str, _unused: None) -> None:
        seen.append((fixture, number, letter))

    test(fixture="loop")
    assert seen == [("loop", 1, "a"), ("loop", 1, "b"), ("loop", 2, "a"), ("loop", 2, "b")]
    assert list(inspect.signature(test).parameters) == ["fixture"]


@pytest.mark.parametrize(
    ("ids", "note"),
    [(repr, "number: 2"), (lambda number: f"case {number}", "number: case 2"), (["x", "y", "z"], "number: y")],
)
def test_an_exception_tells_its_case_and_ends_the_test(ids: object, note: str) -> None:
    seen: list[int] = []

    @each("number", [1, 2, 3], ids)  # type: ignore[arg-type]
    def test(number: int) -> None:
        seen.append(number)
        assert number != 2

    with pytest.raises(AssertionError) as caught:
        test()
    assert caught.value.__notes__ == [note]
    assert seen == [1, 2]
