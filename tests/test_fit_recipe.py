"""A number outside its limits is refused with limits that can be typed back."""

import pytest

from edge_melanoma.errors import RecipeError
from edge_melanoma.fitting.recipe import above, within


@pytest.mark.parametrize(
    ("lowest", "highest", "said"),
    [
        (0, 2**31 - 1, "0 to 2147483647 is possible"),
        (1, 10**9, "1 to 1000000000 is possible"),
        (0, 1e7, "0 to 10000000 is possible"),
        (0, 0.99999, "0 to 0.99999 is possible"),
        (0.5, 5, "0.5 to 5 is possible"),
    ],
)
def test_limits_are_said_with_all_their_digits(lowest, highest, said):
    within("x", lowest, lowest, highest)
    within("x", highest, lowest, highest)
    with pytest.raises(RecipeError, match=f"^x is -1; {said}$"):
        within("x", -1, lowest, highest)


def test_a_limit_that_is_not_reached_is_said_so():
    with pytest.raises(RecipeError, match=r"^x is 0; above 0 and up to 1000000 is possible$"):
        above("x", 0, 0, 1e6)
