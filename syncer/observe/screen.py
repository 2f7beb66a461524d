"""Texts from a platform, made harmless for a terminal: what it might obey is spelt out. Pure."""

import unicodedata

#: Control, format (zero width, direction marks), surrogate, private use; line and paragraph separators.
_SPELT_OUT = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""Return the text on one line, with everything a terminal might obey spelt out: `\x1b[2J`, `\u202e`, `\n`.

    Markup of our own output (rich) is not known here: hand the result over as plain text, never as markup.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelt(character) for character in text)


def _spelt(character: str) -> str:
    if unicodedata.category(character) not in _SPELT_OUT:
        return character
    code = ord(character)
    if character in "\n\r\t":
        return {"\n": r"\n", "\r": r"\r", "\t": r"\t"}[character]
    if code < 0x100:  # noqa: PLR2004  # two hex digits
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004  # four hex digits
