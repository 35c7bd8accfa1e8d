"""Who may do what: everyone everything on a private machine, nothing to change on a hosted demo, roles by sign-in.

Sign-in is Streamlit's (`st.login`, OpenID Connect) and is on exactly where the secrets have an `[auth]`
section. `[fer.roles]` says who is a runner, who starts and changes things, and who a viewer, who looks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError
from streamlit.runtime.scriptrunner import get_script_run_ctx

from fer_core.config.settings import Settings
from fer_core.errors import ConfigError
from fer_core.ui.parts.widgets import escaped

from .uploads import address

Role = Literal["runner", "viewer", "visitor"]

ROLES: tuple[Role, ...] = ("runner", "viewer")
INSTALL = "pip install -r requirements-auth.txt"


@dataclass(frozen=True)
class Access:
    """What the one who looks at a page may do.

    Attributes:
        role: 'runner' starts and changes things, 'viewer' sees everything, 'visitor' what a demo shows.
        person: the address signed in with; '' without sign-in.
        owner: whether a demo tells this person what it has counted.
    """

    role: Role
    person: str = ""
    owner: bool = False

    @property
    def closed(self) -> str:
        """Why nothing can be started or changed, as the start of a sentence; '' where it can."""
        return {
            "runner": "",
            "viewer": "You are signed in as a viewer",
            "visitor": "This is a hosted demo",
        }[self.role]


def enter(settings: Settings) -> Access:
    """Return the access of the person who opens a page; before a sign-in that is asked for, draw that alone and stop.

    Raises:
        ConfigError: sign-in is set up in part only, or this person has no role.
    """
    auth = _section("auth")
    if not auth:
        return Access("visitor" if settings.demo else "runner")
    if not settings.data_roots and not settings.demo:
        raise ConfigError(
            "With sign-in, FER_DATA_ROOTS must name the folders that data sets may lie in",
            got="none, which would open every file that this server may read",
            fix="Set it, such as FER_DATA_ROOTS=/srv/data, and start again",
        )
    for package in ("authlib", "httpx"):
        if find_spec(package) is None:
            raise ConfigError(
                "Sign-in needs the packages Authlib and httpx", got=f"no {package}", fix=INSTALL
            )
    roles = _section("fer").get("roles") or {}
    if not roles:
        raise ConfigError(
            "With sign-in, the secrets must say who has which role",
            got="no [fer.roles]",
            fix='Add it: runner = ["you@your.org"], viewer = "*"',
        )
    user = st.user.to_dict()
    if not user.get("is_logged_in"):
        _sign_in(auth)
    role = role_of(user, roles)
    person = str(user.get("email") or "")
    if role is None:
        st.button("Sign in as someone else", on_click=st.logout, icon=":material/logout:")
        raise ConfigError(
            "Only people whom its owner has given a role may use this FER Lab",
            got=_unknown(user),
            fix="Ask the owner, or sign in as someone else",
        )
    return Access("visitor" if settings.demo else role, person, bool(settings.demo) and role == "runner")


def _unknown(user: Mapping[str, Any]) -> str:
    """Return what to call someone without a role."""
    email = str(user.get("email") or "")
    if not email:
        return "an account without an e-mail address"
    return f"{email}, which its provider has not confirmed" if _unconfirmed(user) else email


def _unconfirmed(user: Mapping[str, Any]) -> bool:
    return user.get("email_verified") is not True


def role_of(user: Mapping[str, Any], roles: Mapping[str, Any]) -> Role | None:
    """Return a signed-in person's role, the higher of two; None for none.

    Args:
        user: claims of the identity: email, which counts where email_verified is the boolean true alone.
        roles: role -> '*', an address, '@domain', or a list of them; case plays no part.

    Raises:
        ConfigError: a role that does not exist.
    """
    if unknown := set(roles) - set(ROLES):
        raise ConfigError(f"The roles are {' and '.join(ROLES)}", got=", ".join(sorted(unknown)))
    email = str(user.get("email") or "").strip().casefold()
    if _unconfirmed(user) or email.count("@") != 1:
        email = ""  # a name that anyone could have given
    for role in ROLES:
        given = roles.get(role, ())
        listed: Iterable[str] = [given] if isinstance(given, str) else given
        for entry in (str(one).strip().casefold() for one in listed):
            if email and (entry in ("*", email) or (entry.startswith("@") and email.endswith(entry))):
                return role
    return None


def account(access: Access) -> None:
    """Draw who is signed in and the way out."""
    if access.person:
        st.caption(f"Signed in as {escaped(access.person)}, {access.role}")
        st.button("Sign out", on_click=st.logout, icon=":material/logout:", type="tertiary")


def visitor(access: Access, settings: Settings) -> str:
    """Return who counts as one visitor for limits: an account, else an address, else a browser's session.

    Behind a proxy that is named by FER_BEHIND_PROXY=1 the address is the last one it has written into
    X-Forwarded-For; without that the header, which anyone can send, plays no part.
    """
    if access.person:
        return access.person
    forwarded = st.context.headers.get("X-Forwarded-For") if settings.behind_proxy else None
    context = get_script_run_ctx()
    return address(forwarded, st.context.ip_address, settings.behind_proxy) or (
        context.session_id if context else "local"
    )


def _sign_in(auth: Mapping[str, Any]) -> None:
    """Draw the sign-in and nothing else: no page of the app has drawn anything yet."""
    st.title("FER Lab")
    st.write("Facial-expression recognition by transfer learning. Sign in to continue.")
    providers = [str(name) for name, value in auth.items() if isinstance(value, Mapping)]
    for name in [""] if auth.get("client_id") else providers:
        label = f"Sign in with {name}" if name else "Sign in"
        arguments = [name] if name else []
        st.button(
            label,
            on_click=st.login,
            args=arguments,
            type="primary",
            icon=":material/login:",
            key=f"in-{name}",
        )
    st.stop()


def _section(name: str) -> Mapping[str, Any]:
    """Return a section of the secrets; empty where there are none.

    Raises:
        ConfigError: there is a file of secrets that can't be read; Streamlit would continue as if there were none,
            and let everyone in.
    """
    try:
        section = st.secrets.get(name, {})
    except StreamlitSecretNotFoundError as error:
        if any(Path(path).exists() for path in st.config.get_option("secrets.files")):
            raise ConfigError(
                "The secrets must be readable before anyone gets in",
                got=type(error.__cause__ or error).__name__,
                fix="Correct .streamlit/secrets.toml; the server's log says where",
            ) from error
        return {}
    return section if isinstance(section, Mapping) else {}
