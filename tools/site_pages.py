"""The pages of docs/ and the README -> the pages of the site: mkdocs calls these hooks (`make site`).

The README becomes the first page. Other links to files outside of docs/ become the names of the files.
"""

import re
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).parent.parent
_LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README as the first page."""
    files.append(File.generated(config, "index.md", content=(ROOT / "README.md").read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:  # noqa: ANN401  # mkdocs passes more than we take
    """Rewrite links for the site."""
    is_first = page.file.src_uri == "index.md"
    source = ROOT / "README.md" if is_first else ROOT / "docs" / page.file.src_uri

    def link(found: re.Match[str]) -> str:
        image, text, target, anchor = found[1], found[2], found[3], found[4] or ""
        file = (source.parent / target).resolve()
        if file == ROOT / "README.md":
            return f"[{text}]({'../' * page.file.src_uri.count('/')}index.md{anchor})"
        if not file.is_relative_to(ROOT / "docs") or file.is_dir():
            return f"{text} (`{file.relative_to(ROOT)}`)"
        path = target.removeprefix("docs/") if is_first else target
        return f"{image}[{text}]({path}{anchor})"

    return _LINK.sub(link, markdown)
