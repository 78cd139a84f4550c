"""Single values of reconciler.yaml -> a base URL or a reference, or what is wrong with them."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from reconciler.manifests.allowed_paths import Confines
from reconciler.manifests.schema import Fault, secret_reference
from reconciler.model.json import Json
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.remote.hosts import is_loopback, origin_of

_EXAMPLE: Final = "write it like https://useast-production.ordercloud.io"


def reference_in(folder: Path, value: Json) -> SecretReference | list[Fault]:
    """Where a secret comes from; a file lies below the folder of the configuration."""
    reference = secret_reference(value, "this", "")
    if isinstance(reference, Fault):
        return [reference]
    if reference.source is SecretSource.ENVIRONMENT:
        return reference
    confines = Confines(folder)
    path = confines.kept(reference.name, str(folder / "reconciler.yaml"))
    if objection := confines.objection(path):
        message = f"fromFile takes a path inside this file's folder, relative to it; this one {objection}"
        return [Fault("/fromFile", message, "secret")]
    return SecretReference(SecretSource.FILE, path)


def base_url(text: str) -> str | list[Fault]:
    """Scheme and host of a URL that has nothing else."""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        return [Fault("", "this is not a URL", "url", _EXAMPLE)]
    if not host or url.scheme not in {"https", "http"} or not text.isascii() or not text.isprintable() or " " in text:
        return [Fault("", "this is not an https:// URL", "url", _EXAMPLE)]
    netloc = url.netloc.lower()
    scheme = url.scheme if port or is_loopback(host) else "https"
    if url.path.strip("/") or "?" in text or "#" in text or "@" in netloc or "\\" in text:
        hint = f"write {scheme}://{netloc.rpartition('@')[2]}"
        return [Fault("", "the URL has more than scheme and host", "url", hint)]
    if scheme != url.scheme:
        hint = f"write https://{netloc}; a host that is allowed for plain http is written with its port"
        return [Fault("", "http:// would send credentials in clear", "plain-http", hint)]
    try:
        origin_of(f"{scheme}://{netloc}")
    except ValueError:
        return [Fault("", f"{netloc} is not a host", "url", _EXAMPLE)]
    return f"{scheme}://{netloc}"
