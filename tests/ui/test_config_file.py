"""The Streamlit configuration that speed, privacy and safety rest on."""

import tomllib

from fer_core import ROOT

CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


def test_reruns_do_not_pay_for_a_forced_garbage_collection() -> None:
    assert CONFIG["runner"]["postScriptGC"] is False


def test_visitors_are_protected_and_not_tracked() -> None:
    assert CONFIG["server"]["enableXsrfProtection"] is True
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["client"]["showErrorDetails"] == "none"


def test_both_themes_have_one_accent_of_their_own() -> None:
    light, dark = CONFIG["theme"]["light"], CONFIG["theme"]["dark"]
    assert light["primaryColor"] != dark["primaryColor"]
    assert light.keys() == dark.keys()
