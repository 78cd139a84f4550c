# reconciler as a container: `docker run --rm -v "$PWD:/repository:ro" -e OC_CLIENT_ID -e OC_CLIENT_SECRET IMAGE drift`.
# The base is pinned to a digest, and the packages are those of requirements.txt, with their hashes.
ARG BASE=python:3.13.5-slim-bookworm@sha256:4c2cf9917bd1cbacc5e9b07320025bdb7cdf2df7b0ceaccb55e9dd7e30987419

FROM ${BASE} AS build
WORKDIR /src
COPY requirements.txt pyproject.toml README.md LICENSE ./
COPY reconciler reconciler
COPY schemas schemas
RUN python -m venv /opt/reconciler \
 && /opt/reconciler/bin/pip install --no-cache-dir --only-binary :all: --require-hashes --requirement requirements.txt \
 && /opt/reconciler/bin/pip install --no-cache-dir --no-index --no-deps --no-build-isolation . \
 && /opt/reconciler/bin/pip uninstall --yes --quiet pip

FROM ${BASE}
COPY --from=build /opt/reconciler /opt/reconciler
ENV PATH=/opt/reconciler/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /repository
ENTRYPOINT ["reconciler"]
CMD ["--help"]
