"""HTML as text that a model reads: headings, lists, links, code and tables, in Markdown's signs."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from urllib.parse import urljoin

_DROPPED_ = "script style noscript template svg iframe object canvas select button nav"
_VOID_ = "area base br col embed hr img input link meta source track wbr"
_BLOCKS_ = """
    p div section article main header footer aside ul ol dl dt dd table tr figure figcaption blockquote details
    summary address fieldset form hr pre h1 h2 h3 h4 h5 h6
"""
_DROPPED, _VOID, _BLOCKS = (frozenset(names.split()) for names in (_DROPPED_, _VOID_, _BLOCKS_))
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_DEEPEST = 200  # elements in one another; below that only their text is taken


def markdown(html: str, base: str) -> str:
    """The readable part; links absolute, by `base`. Never raises."""
    reader = _Reader(base)
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self._base, self._out = base, list[str]()
        self._open: list[str] = []  # elements that are not shown, the outermost first
        self._lists: list[int | None] = []  # the next number, None where there are none
        self._links: list[tuple[int, str]] = []
        self._pre = 0
        self.title = ""
        self._in_title = False

    def text(self) -> str:
        text = "".join(self._out)
        text = re.sub(r"[ \t]+\n", "\n", text)
        text = re.sub(r"\n{3,}", "\n\n", text).strip()
        title = " ".join(self.title.split())
        return f"# {title}\n\n{text}" if title and f"# {title}" not in text[:500] else text

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if self._open:
            if tag not in _VOID and len(self._open) < _DEEPEST:
                self._open.append(tag)
            return
        hidden = "hidden" in given or given.get("aria-hidden") == "true" or _HIDDEN.search(given.get("style") or "")
        if (tag in _DROPPED or hidden) and tag not in _VOID:
            self._open.append(tag)
            return
        if tag in _BLOCKS:
            self._out.append("\n\n" if tag != "tr" else "\n")
        self._begin(tag, given)

    def _begin(self, tag: str, given: dict[str, str | None]) -> None:
        match tag:
            case "title":
                self._in_title = True
            case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
                self._out.append("#" * int(tag[1]) + " ")
            case "br":
                self._out.append("\n")
            case "ul" | "ol":
                self._lists = [*self._lists[-20:], 1 if tag == "ol" else None]
            case "li":
                self._item()
            case "pre":
                self._pre += 1
                self._out.append("```\n")
            case "code" if not self._pre:
                self._out.append("`")
            case "a":
                self._links.append((len(self._out), given.get("href") or ""))
            case "td" | "th":
                self._out.append("| ")
            case "img" if given.get("alt"):
                self._out.append(f"[image: {' '.join((given['alt'] or '').split())}]")

    def _item(self) -> None:
        number = self._lists[-1] if self._lists else None
        self._out.append("\n" + "  " * (len(self._lists) - 1) + ("- " if number is None else f"{number}. "))
        if number is not None:
            self._lists[-1] = number + 1

    def handle_endtag(self, tag: str) -> None:
        if self._open:
            if tag in self._open:
                del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]
            return
        match tag:
            case "title":
                self._in_title = False
            case "ul" | "ol" if self._lists:
                self._lists.pop()
            case "pre" if self._pre:
                self._pre -= 1
                self._out.append("\n```")
            case "code" if not self._pre:
                self._out.append("`")
            case "a" if self._links:
                self._link(*self._links.pop())
            case "td" | "th":
                self._out.append(" ")
        if tag in _BLOCKS and tag != "tr":
            self._out.append("\n\n")

    def _link(self, start: int, href: str) -> None:
        label = " ".join("".join(self._out[start:]).split())
        try:
            there = urljoin(self._base, href.strip())
        except ValueError:
            there = ""
        if label and there.startswith(("http://", "https://")) and not href.startswith("#"):
            self._out[start:] = [f"[{label}]({there})"]

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif not self._open:
            self._out.append(data if self._pre else re.sub(r"\s+", " ", data))
