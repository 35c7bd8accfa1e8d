"""What every definition is built on: frozen and validated fields, and the digest that is its identity."""

import hashlib
import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fer_core.errors import ConfigError

#: The seven classes of SFEW in the order of its 1-7 codes; a label is an index into this tuple.
CLASSES: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")

KEY_LENGTH = 16

#: Raised by one when the result of a step changes for the same settings: part of that step's key and of the keys of all
#: that rests on it.
STEP_VERSIONS: dict[str, int] = {"detections": 1, "crops": 1, "activations": 1, "descriptors": 1, "run": 1}

T = TypeVar("T", bound="Config")


def digest(value: Any) -> str:
    """Return the key of a JSON-able value: the first 16 hex digits of SHA-256 over its canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def step(name: str, *before: str) -> list[Any]:
    """Return what a key says of its step: name, version, and versions of the steps `before` it that aren't its parent.

    Those count from 2 on: keys made while all were 1 don't name them, and runs stored under such keys keep their ids.
    """
    raised = {other: STEP_VERSIONS[other] for other in before if STEP_VERSIONS[other] > 1}
    return [name, STEP_VERSIONS[name], *([raised] if raised else [])]


def chained(name: str, parent: str, settings: Any, *before: str) -> str:
    """Return the key of what step `name` makes from its `parent`'s key and its settings (`before` as in `step`)."""
    return digest({"step": step(name, *before), "parent": parent, "own": settings})


def where(default: Any, **kwargs: Any) -> Any:
    """Declare a field that says where something is or what people call it: stored, never hashed."""
    return Field(default, json_schema_extra={"where": True}, **kwargs)


def later(default: Any, **kwargs: Any) -> Any:
    """Declare a field that joined after runs had been stored: at its default it stays out of every key.

    The default must mean what the step did before the field was there, so that those runs keep their ids.
    """
    return Field(default, json_schema_extra={"later": True}, **kwargs)


class Config(BaseModel):
    """Base of every definition: immutable, no unknown fields, equal exactly when the fields are equal."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        """Refuse what can't be stored: a path whose bytes are no UTF-8 comes as half characters."""
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise ValueError("a name or path must be valid UTF-8; rename it") from error
        return value

    def hashed(self) -> dict[str, Any]:
        """Return the fields that decide the result, as plain JSON values."""
        found: dict[str, Any] = {}
        plain = self.model_dump(mode="json")
        for name, field in type(self).model_fields.items():
            extra = field.json_schema_extra
            marks = extra if isinstance(extra, dict) else {}
            value = getattr(self, name)
            if marks.get("where") or (marks.get("later") and value == field.default):
                continue
            found[name] = value.hashed() if isinstance(value, Config) else plain[name]
        return found

    def key(self) -> str:
        """Return the identity of this definition, 16 hex digits."""
        return digest(self.hashed())


def parse(kind: type[T], values: dict[str, Any]) -> T:
    """Build a definition from plain values.

    Raises:
        ConfigError: a field is unknown or out of range; the message names the field and the rule.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise refused(error, kind.__name__) from error


def refused(error: ValidationError, name: str) -> ConfigError:
    """Return what is wrong with the values of `name`, in words: the first field and its rule."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or name
    return ConfigError(
        f"{place}: {first['msg'].removeprefix('Value error, ')}",
        got=repr(first.get("input")),
        fix="Change that value",
    )
