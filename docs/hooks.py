"""Pages of the site that lie elsewhere in the project: applications, notebooks, CONTRIBUTING, CHANGELOG."""

from __future__ import annotations

import os.path
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parents[1]
# File in the project -> page of the site.
ELSEWHERE = {
    **{
        f"apps/{path.parent.name}/README.md": f"applications/{path.parent.name}.md"
        for path in ROOT.glob("apps/*/README.md")
    },
    **{f"notebooks/{path.name}": f"notebooks/{path.stem}.md" for path in ROOT.glob("notebooks/*.ipynb")},
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "README.md": "index.md",
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages, and the pictures beside them."""
    for source, page in ELSEWHERE.items():
        if source.endswith(".ipynb"):
            _add_notebook(files, config, ROOT / source)
        elif page != "index.md":
            files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for picture in ROOT.glob("apps/*/*.png"):
        files.append(File.generated(config, f"applications/{picture.name}", abs_src_path=str(picture)))
    return files


def _add_notebook(files: Files, config: MkDocsConfig, path: Path) -> None:
    """Adds a notebook with its stored outputs as a page."""
    names = {"unique_key": path.stem, "output_files_dir": "pictures"}
    markdown, resources = MarkdownExporter().from_filename(str(path), resources=names)
    files.append(File.generated(config, f"notebooks/{path.stem}.md", content=markdown))
    for name, content in resources["outputs"].items():
        files.append(File.generated(config, f"notebooks/{name}", content=content))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Makes links between files of the project links between pages. Those to other files become plain text."""
    sources = {target: source for source, target in ELSEWHERE.items() if target != "index.md"}
    here = Path(sources.get(page.file.src_uri, f"docs/{page.file.src_uri}"))

    def rewritten(match: re.Match[str]) -> str:
        mark, label, target, anchor = match.groups(default="")
        if not target or "://" in target:
            return match.group()
        path = os.path.normpath(here.parent / target)
        on_site = ELSEWHERE.get(path, path.removeprefix("docs/") if path.startswith("docs/") else None)
        if mark and path.startswith("notebooks/"):
            return match.group()
        if mark and path.startswith("apps/"):
            on_site = f"applications/{Path(path).name}"
        if on_site is None:
            return label
        return f"{mark}[{label}]({os.path.relpath(on_site, Path(page.file.src_uri).parent)}{anchor})"

    return _LINK.sub(rewritten, markdown)
