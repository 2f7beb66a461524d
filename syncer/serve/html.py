"""HTML that is escaped by construction: text becomes markup only through `element`, which escapes it."""

from collections.abc import Iterable
from html import escape


class Markup(str):
    """Text that is HTML already. Only `element`, `join` and constants of this package make any."""

    __slots__ = ()


#: What an element may hold: text (escaped), markup (as it stands), or nothing.
Content = str | int | None | Iterable["Content"]

#: Value of an attribute: text (escaped), True for a bare one, None or False to leave it out.
Value = str | int | float | bool | None

_VOID = frozenset({"br", "hr", "input", "link", "meta"})


def element(tag: str, *content: Content, **attributes: Value) -> Markup:
    """Return an element. `class_` is `class`, `aria_label` is `aria-label`; names of tags and attributes are ours."""
    inside = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{inside}>")
    return Markup(f"<{tag}{inside}>{join(content)}</{tag}>")


def join(content: Content, between: str = "") -> Markup:
    """Return contents one after the other, each escaped unless it is markup."""
    if content is None:
        return Markup()
    if isinstance(content, Markup):
        return content
    if isinstance(content, str | int):
        return Markup(escape(str(content)))
    parts = [join(each) for each in content]
    return Markup(escape(between).join(part for part in parts if part))


def document(title: str, head: Content, body: Content) -> Markup:
    """Return a whole page."""
    meta = (
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
    )
    return Markup(f"<!doctype html>\n{element('html', element('head', meta, head), body, lang='en')}")


def _attribute(name: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
