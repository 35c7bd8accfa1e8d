"""Messages give the rule, the value met and the fix."""

from fer_core.errors import DataError, FerError


def test_a_message_has_rule_value_and_fix() -> None:
    error = DataError("k must be at least 2", got=1, fix="Choose more folds")
    assert str(error) == "k must be at least 2; got 1. Choose more folds."
    assert isinstance(error, FerError)


def test_value_and_fix_may_be_left_out() -> None:
    assert str(FerError("the store must be open")) == "the store must be open."
