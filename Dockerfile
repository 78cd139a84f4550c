# reconciler as a container: `docker run --rm -v "$PWD:/repository:ro" -e OC_CLIENT_ID -e OC_CLIENT_SECRET IMAGE drift`.
# The base is pinned to an exact version; pin it to a digest with --build-arg BASE=python@sha256:... where your registry
# mirrors it. The packages are those of constraints.txt.
ARG BASE=python:3.13.5-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY reconciler reconciler
COPY schemas schemas
RUN python -m venv /opt/reconciler \
 && /opt/reconciler/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt . \
 && /opt/reconciler/bin/pip uninstall --yes --quiet pip

FROM ${BASE}
COPY --from=build /opt/reconciler /opt/reconciler
ENV PATH=/opt/reconciler/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /repository
ENTRYPOINT ["reconciler"]
CMD ["--help"]
