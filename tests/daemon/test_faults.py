"""Where a fault was raised is said."""

from __future__ import annotations

from hlomm.daemon.faults import PLACES_MAX, where


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_each_leaf_names_the_place_that_raised_it() -> None:
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [raised(KeyError("a"))]), raised(ValueError("b"))])
    places = where(group)
    assert len(places) == 2
    assert all(place.startswith("test_faults.py:") and place.endswith(" raised") for place in places)


def test_a_storm_of_them_stays_one_line() -> None:
    assert len(where(ExceptionGroup("many", [raised(KeyError(n)) for n in range(50)]))) == PLACES_MAX
    assert where(KeyError("never raised")) == [""]
