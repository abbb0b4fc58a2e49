"""The model that a client asks, and what to say when asking it fails: server, model, problem and remedy in one line."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from rnnapps.serving.clients.address import Address
from rnnapps.serving.clients.errors import LARGEST_ANSWER, BadAnswer, BadRequest, ServerError, reason
from rnnapps.terminal import printable


class Target(NamedTuple):
    """One model of one server.

    Attributes:
        address: The server's address.
        model: The name under which the server knows the model.
        version: Which of the model's versions; None is the server's newest.
        timeout: Longest wait for an answer, in seconds.
    """

    address: Address
    model: str
    version: int | None
    timeout: float

    def error(self, problem: str, kind: Any = ServerError) -> Any:
        """An error that names the server and the model, and keeps the address's password to itself.

        Args:
            problem: What is wrong, and how to fix it.
            kind: The class of the error.

        Returns:
            The error, to be raised.
        """
        # A server may send back what it was sent.
        for secret in filter(None, (self.authorization, self.address.password)):
            problem = problem.replace(secret, "…")
        return kind(printable(f"{self.address}: model {self.model!r}: {problem}"))

    @property
    def authorization(self) -> str:
        """User and password as HTTP's basic authentication sends them; empty without a user."""
        if self.address.user is None:
            return ""
        return base64.b64encode(f"{self.address.user}:{self.address.password}".encode()).decode()

    def unreachable(self, message: str, hint: str = "") -> ServerError:
        """The error for a server that does not answer, with what the system says about it."""
        return self.error(f"no model server answers there ({reason(message)}); {hint or 'check --server'}")

    def untrusted(self, message: str) -> ServerError:
        """The error for a TLS certificate that nobody known has signed."""
        return self.error(
            f"the server's certificate is not trusted ({reason(message)}); "
            "name the file of its authority's certificate in the environment variable SSL_CERT_FILE"
        )

    def too_late(self) -> ServerError:
        """The error for an answer that does not come in time."""
        return self.error(f"no answer within {self.timeout:g} s; give it more time with --timeout")

    def too_large(self) -> ServerError:
        """The error for an answer that is larger than any a model gives."""
        return self.error(f"the answer is larger than {LARGEST_ANSWER // 2**20} MiB; use a smaller --batch-size")

    def unknown(self, message: str) -> ServerError:
        """The error for a model that the server does not have."""
        which = "no such model" if self.version is None else f"no version {self.version} of it"
        return self.error(f"the server has {which} ({reason(message)}); name one with --model and --model-version")

    def refused(self, message: str) -> BadRequest:
        """The error for a request that the server refuses."""
        return self.error(f"the server refuses the request: {reason(message)}", BadRequest)

    def failed(self, message: str, code: str) -> ServerError:
        """The error for a server that reports a failure of its own."""
        return self.error(f"the server failed: {reason(message)} ({code}); see its log")

    def bad_request(self, problem: object) -> BadRequest:
        """The error for inputs that cannot be sent."""
        return self.error(f"the request cannot be sent: {reason(str(problem))}", BadRequest)

    def bad_answer(self, problem: object) -> BadAnswer:
        """The error for an answer that is not the signature's."""
        return self.error(
            f"the answer does not fit the model's signature: {reason(str(problem))}; "
            "check that --server and --model name a model of TensorFlow Serving",
            BadAnswer,
        )

    def no_model_server(self, problem: str) -> ServerError:
        """The error for a server that does not speak TensorFlow Serving's protocol."""
        return self.error(f"not TensorFlow Serving: {reason(problem)}; check --server")

    def check_signature(
        self, signature: str, inputs: Collection[str], signatures: Mapping[str, Collection[str]]
    ) -> None:
        """Checks that the model has a signature and that the signature takes the inputs: no row is at fault.

        Args:
            signature: The name of the signature.
            inputs: The names of the inputs that it is to be asked with.
            signatures: The names of the inputs that each of the model's signatures takes.

        Raises:
            ServerError: The model has no such signature, or the signature takes other inputs.
        """
        if signature not in signatures:
            known = ", ".join(repr(name) for name in signatures if not name.startswith("__"))
            raise self.error(f"no signature {signature!r}; it has {reason(known)}; is it the wrong kind of model?")
        if set(inputs) != set(signatures[signature]):
            wanted, given = (reason(", ".join(sorted(names)) or "none") for names in (signatures[signature], inputs))
            raise self.error(
                f"wrong kind of model: it takes the inputs {wanted}, got {given}; name a model with --model"
            )
