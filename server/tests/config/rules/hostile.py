"""Documents made to hurt: each is below the size limit and would cost a careless parser all memory or all time."""

from __future__ import annotations

from collections.abc import Iterator

MEGABYTE = 1 << 20


def _fill(piece: str, size: int = MEGABYTE) -> str:
    return piece * (size // len(piece.encode()))


def _laughs() -> str:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    return "\n".join(lines)


def _deepening() -> str:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 5000)]
    return "\n".join(lines)


def _merges() -> str:
    lines = [f"base: &b {{{', '.join(f'k{n}: 1' for n in range(1000))}}}"]
    lines += [f"m{n}: {{<<: [{', '.join(['*b'] * 100)}]}}" for n in range(1000)]
    return "\n".join(lines)


def hostile() -> Iterator[tuple[str, str, str]]:
    """Give format, name and text of each."""
    yield "yaml", "billion laughs", _laughs()
    yield "yaml", "one long text a thousand times", f"a: &a {'x' * 200_000}\nb: [{', '.join(['*a'] * 1000)}]"
    yield "yaml", "depth by aliases", _deepening()
    yield "yaml", "merges", _merges()
    for piece in (
        "[",
        "{",
        "{a: ",
        "- ",
        "? ",
        "&a ",
        "!a ",
        "*a ",
        "a: ",
        '"',
        "'",
        "#",
        "%",
        "|\n",
        "-",
        ":",
        ",",
        "&a [",
        "\\",
    ):
        yield "yaml", f"filled with {piece!r}", _fill(piece)
    yield "yaml", "indents", "\n".join(" " * n + "a:" for n in range(1400))
    yield "yaml", "flow entries", "[" + _fill("a,", MEGABYTE - 10)
    yield "yaml", "flow pairs", "{" + "".join(f"k{n}: 1," for n in range(90_000))
    yield "yaml", "anchors", "\n".join(f"k{n}: &a{n} 1" for n in range(50_000))
    yield "yaml", "digits", "1" * MEGABYTE
    yield "yaml", "hexadecimal digits", "0x" + "f" * (MEGABYTE - 2)
    yield "yaml", "blank lines", "a: |\n" + "\n" * (MEGABYTE - 10)
    yield "yaml", "escapes", '"' + _fill("\\n", MEGABYTE - 2) + '"'
    for piece in ("[", '{"a":', '"', "\\", "1", "-", "[1,", " ", "\n", "[[],", "e"):
        yield "json", f"filled with {piece!r}", _fill(piece)
    yield "json", "escapes", '"' + _fill("\\n", MEGABYTE - 2) + '"'
    yield "json", "unfinished text", '"' + "a" * (MEGABYTE - 1)
    yield "json", "digits of an exponent", "1e" + "1" * (MEGABYTE - 2)
    yield "json", "digits of a fraction", "0." + "1" * (MEGABYTE - 2)
    yield "json", "places of many values", "[" + _fill("1,\n", 250_000) + "1]"
    for piece in (
        "[",
        "a.",
        '""',
        "'",
        '"',
        "a",
        "{",
        "[a]\n",
        "[[a]]\n",
        "#\n",
        "a=[",
        "a={a=",
        "a=1\n",
        '"""',
        "'''",
        "\\",
        "= ",
    ):
        yield "toml", f"filled with {piece!r}", _fill(piece)
    yield "toml", "dotted key", _fill("a.", MEGABYTE - 10) + "a = 1"
    yield "toml", "dotted key in quotes", _fill('"a" . ', MEGABYTE - 10) + "a = 1"
    yield "toml", "dotted table", "[" + _fill("a.", MEGABYTE - 10) + "a]"
    yield "toml", "arrays", "a = " + _fill("[", MEGABYTE - 10)
    yield "toml", "inline tables", "a = " + _fill("{a = ", MEGABYTE - 10)
    yield "toml", "digits", "a = " + "1" * (MEGABYTE - 10)
    yield "toml", "escapes", 'a = "' + _fill("\\n", MEGABYTE - 10) + '"'
    yield "toml", "many keys", "\n".join(f"k{n} = 1" for n in range(60_000))
    yield "toml", "many deep keys", "\n".join(f"k{n}.{'a.' * 60}a = 1" for n in range(7_000))
    yield "toml", "many tables", "\n".join(f"[[t.{'a.' * 30}b]]" for _ in range(15_000))
    for piece in ("\\\n", "a", "\\", "#\n", "\\u0041", "\n", " ", "=", "a=1\n"):
        yield "properties", f"filled with {piece!r}", _fill(piece)
