"""Packages that only an extra installs: imported when needed, or refused with the command that installs them."""

from importlib import import_module
from types import ModuleType

from rnnapps.errors import UserError


def from_extra(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Imports a module of an optional dependency.

    Args:
        module: The module to import, such as `"sacrebleu"`.
        extra: The extra of this package that installs it, such as `"translation"`.
        purpose: What needs it, as the subject of the error message, such as `"BLEU"`.

    Returns:
        The imported module.

    Raises:
        UserError: The package is not installed; the message names the pip command.

    Example:
        >>> from_extra("json", extra="demo", purpose="this example").dumps([1])
        '[1]'
        >>> from_extra("no_such_package", extra="demo", purpose="this example")
        Traceback (most recent call last):
        ...
        rnnapps.errors.UserError: this example needs the package no-such-package: pip install "rnnapps[demo]"
    """
    try:
        return import_module(module)
    except ImportError as error:
        missing = (error.name or module).partition(".")[0].replace("_", "-")
        raise missing_package(missing, extra=extra, purpose=purpose) from None


def missing_package(package: str, *, extra: str, purpose: str) -> UserError:
    """The error that `from_extra` raises, for a package that is needed but not imported."""
    return UserError(f'{purpose} needs the package {package}: pip install "rnnapps[{extra}]"')
