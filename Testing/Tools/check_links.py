"""Check that the internal links and anchors of all Markdown documents exist.

python Testing/Tools/check_links.py
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(
    r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|<(?:img|a)\b[^>]*?(?:src|href)=\"([^\"]+)\""
)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
EXTERNAL = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
SKIPPED = {".venv", "build", "node_modules", ".git", "runs", "shared"}


def documents(root: Path) -> list[Path]:
    """Return the Markdown files below a folder, except those of tools and outputs."""
    found = sorted(root.rglob("*.md"))
    return [path for path in found if not SKIPPED & set(path.relative_to(root).parts)]


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub derives them."""
    text = document.read_text(encoding="utf-8")
    found: set[str] = set(re.findall(r"<a\s+(?:id|name)=\"([^\"]+)\"", text))
    for heading in HEADING.findall(re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S)):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = sum(1 for other in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", other))
        found.add(f"{slug}-{number}" if number else slug)
    return found


def broken_links(document: Path) -> Iterator[str]:
    """Yield each link of a document whose file or anchor does not exist."""
    text = CODE.sub("", document.read_text(encoding="utf-8"))
    for link in ("".join(groups) for groups in LINK.findall(text)):
        if EXTERNAL.match(link):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = document.parent / name if name else document
        if not target.exists():
            yield f"{link}: no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{link}: no such heading"


def main() -> int:
    """Print the broken links; return 1 if there are any."""
    found = [
        f"{document.relative_to(ROOT)}: {link}"
        for document in documents(ROOT)
        for link in broken_links(document)
    ]
    print("\n".join(found) or f"all links of {len(documents(ROOT))} documents are valid")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
