"""The service as the pipeline sees it: a protocol, its httpx implementation, and the login."""

import sys

# httpx imports its own command line where the libraries for it happen to be there: 30 ms that nobody here needs.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None: "there is no such module", says the manual
