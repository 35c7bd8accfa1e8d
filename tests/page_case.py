"""What tests of pages do with a page: read its texts, find its buttons, press one."""

from streamlit.testing.v1 import AppTest

TEXTS = ("markdown", "caption", "info", "warning", "success")


def words(app: AppTest, *kinds: str) -> str:
    """Return all texts of a page, or those of some kinds; it must have been drawn without an exception."""
    assert not app.exception
    return "\n".join(str(one.value) for kind in kinds or TEXTS for one in app.get(kind))


def labels(app: AppTest) -> list[str]:
    """Return the labels of a page's buttons."""
    return [button.label for button in app.button]


def press(app: AppTest, label: str, *, timeout: float = 120) -> AppTest:
    """Press the first button whose label begins so, and return the page after it."""
    found = next(button for button in app.button if button.label.startswith(label))
    assert not found.disabled
    app = found.click().run(timeout=timeout)
    assert not app.exception
    return app
