"""Checks that relative links in the repository's Markdown files lead to files and headings that exist."""

import pathlib
import re
import subprocess
import sys

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def anchors(markdown: str) -> set[str]:
    """The ids that a heading gets on the usual forges."""
    headings = re.findall(r"^#+\s+(.*)$", FENCE.sub("", markdown), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(file: pathlib.Path) -> list[str]:
    found = []
    for link in LINK.findall(FENCE.sub("", file.read_text())):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path) if path else file
        if not target.exists():
            found.append(f"{file}: {link}: no such file")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
            found.append(f"{file}: {link}: no such heading")
    return found


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "*.md"], check=True, capture_output=True, text=True).stdout
    files = [pathlib.Path(name) for name in listed.splitlines()]
    problems = [problem for file in files for problem in broken(file)]
    print("\n".join(problems) or f"{len(files)} files: all links lead somewhere")
    return 1 if problems else 0


sys.exit(main())
