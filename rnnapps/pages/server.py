"""The server of a page: on this machine, for the duration of a `with` block, without requests to other servers."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from types import ModuleType
from typing import Any

from rnnapps.errors import UserError
from rnnapps.extras import from_extra
from rnnapps.pages import gradio_page, markup
from rnnapps.pages.page import Page

# A browser then loads nothing from other servers: neither fonts nor scripts nor pictures.
_POLICY = "; ".join(
    [
        "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'",
        "frame-src 'none'",
        "object-src 'none'",
        "form-action 'self'",
    ]
)
_LARGEST_UPLOAD = "200mb"

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


@contextlib.contextmanager
def running(page: Page, host: str = "127.0.0.1", port: int | None = None, share: bool = False) -> Iterator[str]:
    """Serves a page until the context ends.

    Args:
        page: The page.
        host: The address to listen on; "0.0.0.0" lets other machines in.
        port: The port; None takes the first free one, starting at 7860.
        share: Whether to open a tunnel through Gradio's server, with a public address. Only this uses other servers.

    Yields:
        The address of the page.

    Raises:
        UserError: Gradio is not installed, or nothing can listen on this host and port.
    """
    with tempfile.TemporaryDirectory(prefix="rnnapps-page-") as name:
        folder = Path(name)
        with _settings(folder):
            gradio = from_extra("gradio", extra="try", purpose="the page")
            built = gradio_page.blocks(gradio, page, folder)
            try:
                _, local, public = built.launch(
                    server_name=host,
                    server_port=port,
                    share=share,
                    theme=_theme(gradio),
                    css=markup.STYLE,
                    quiet=True,
                    prevent_thread_lock=True,
                    show_error=False,
                    footer_links=[],
                    ssr_mode=False,
                    mcp_server=False,
                    max_file_size=_LARGEST_UPLOAD,
                    app_kwargs={"middleware": [(_OnlyThisServer, (), {})]},
                )
            except OSError:
                where = f"--host {host}" + ("" if port is None else f" --port {port}")
                raise UserError(f"{where}: in use, or not an address of this machine; choose another one") from None
            try:
                yield public or local
            finally:
                built.close(verbose=False)


def _theme(gradio: ModuleType) -> Any:
    """The theme of the page, with fonts that every machine has."""
    return gradio.themes.Default(
        primary_hue="indigo", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )


@contextlib.contextmanager
def _settings(folder: Path) -> Iterator[None]:
    """Settings that Gradio reads from the environment: no telemetry, and files are kept in `folder`."""
    settings = {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _OnlyThisServer:
    """ASGI middleware that adds a Content-Security-Policy to every answer."""

    def __init__(self, app: Callable[..., Awaitable[None]]):
        self.app = app

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"content-security-policy", _POLICY.encode())]
            await send(message)

        await self.app(scope, receive, guarded)
