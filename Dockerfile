# The client alone: measures an endpoint that runs elsewhere, analyses, reports. No engine, no GPU, no root.
#   docker build -t breakeven .
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" breakeven run chat --url http://HOST:8000
# Loopback inside a container is the container's own: add --network host to reach an engine on this machine.
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY harness harness
COPY scenarios scenarios
COPY infra/compose infra/compose
RUN python -m venv /opt/breakeven && /opt/breakeven/bin/pip install --no-cache-dir ".[tasks]"

FROM python:3.12-slim
COPY --from=build /opt/breakeven /opt/breakeven
RUN useradd --create-home --uid 10001 breakeven && mkdir /work && chown breakeven /work
ENV PATH=/opt/breakeven/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1
USER 10001
WORKDIR /work
ENTRYPOINT ["breakeven"]
CMD ["--help"]
