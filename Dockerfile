# Three images from one file: `worker` (production: no sandbox inside), `sandbox` (the AWS stand-in for trying things out).
# docker build --target worker -t idhub-aws .

FROM python:3.11-slim-bookworm AS build
COPY --from=ghcr.io/astral-sh/uv:0.13.9 /uv /usr/local/bin/uv
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/idhub-aws
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-dev --no-install-project --no-editable
COPY avro avro
COPY connector connector
COPY streams streams
COPY sandbox sandbox
RUN uv sync --locked --no-dev --no-editable

FROM python:3.11-slim-bookworm AS sandbox
RUN useradd --system --uid 10001 --no-create-home idhub
COPY --from=build /opt/idhub-aws /opt/idhub-aws
ENV PATH=/opt/idhub-aws/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
ENTRYPOINT ["python", "-m", "sandbox.aws"]

FROM sandbox AS without-sandbox
USER 0
RUN rm -r /opt/idhub-aws/lib/python3.11/site-packages/sandbox

FROM python:3.11-slim-bookworm AS worker
RUN useradd --system --uid 10001 --no-create-home idhub
COPY --from=without-sandbox /opt/idhub-aws /opt/idhub-aws
ENV PATH=/opt/idhub-aws/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    IDHUB_AWS_LOG_JSON=true IDHUB_AWS_ALIVE_FILE=/tmp/idhub-aws.alive
USER 10001
# Alive is not ready: the loop of the process turns. A remote that is away is no reason to restart it.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["idhub-aws", "alive"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["idhub-aws"]
CMD ["worker"]
