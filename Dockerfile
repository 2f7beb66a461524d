# docker build -t annotation-syncer:0.1.0 .
# docker run --rm --init --read-only --tmpfs /tmp --user "$(id -u):$(id -g)" -v "$PWD":/work \
#   -e LABEL_STUDIO_API_KEY annotation-syncer:0.1.0 sync
# docker run --detach --init --read-only --tmpfs /tmp --user "$(id -u):$(id -g)" -v "$PWD":/work --stop-timeout 60 \
#   -e LABEL_STUDIO_API_KEY -p 127.0.0.1:9464:9464 annotation-syncer:0.1.0 daemon
#
# --init: a SIGTERM before the first line of Python counts too; the first process of a container gets none by default.
#
# The same image again, whatever the tag points to by then: look the digest up once, keep it, and build with it.
# What is installed is pinned by tests/constraints.txt.
#   docker buildx imagetools inspect python:3.11-slim --format '{{.Manifest.Digest}}'
#   docker build --build-arg PYTHON=python:3.11-slim@sha256:... --build-arg REVISION="$(git rev-parse HEAD)" \
#     --build-arg CREATED="$(date -u +%FT%TZ)" -t annotation-syncer:0.1.0 .

# Commands without a shell can't be joined to one.
# hadolint global ignore=DL3059
ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY tests/constraints.txt tests/constraints.txt
COPY syncer syncer
# Without pip of its own: what runs can't install anything. pip builds the wheel and installs it with what it needs.
RUN ["python", "-m", "venv", "--without-pip", "/opt/syncer"]
RUN ["pip", "--python", "/opt/syncer/bin/python", "install", "--no-cache-dir", "--constraint", "tests/constraints.txt", "/src[aws,gcs,multipart,openlabel,otel,parquet,postgres,zstd]"]
RUN ["mkdir", "/work", "/var/lib/syncer"]

# Nothing is run in this stage, so it needs no shell and no root.
FROM ${PYTHON}
COPY --from=build /opt/syncer /opt/syncer
COPY --from=build --chown=10001:10001 /var/lib/syncer /var/lib/syncer
COPY --from=build --chown=10001:10001 /work /work
ENV HOME=/var/lib/syncer PATH=/opt/syncer/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /work
USER 10001:10001
# The daemon's probes and metrics. Its page is on loopback only, until the configuration says otherwise.
EXPOSE 9464
# For the daemon; a pass needs none: docker run --no-healthcheck. Asked without a proxy, whatever the environment says.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD ["python", "-I", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 9464, timeout=5); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["syncer"]
CMD ["--help"]

# Last, so that other words rebuild nothing.
ARG REVISION= CREATED=
LABEL org.opencontainers.image.title="syncer" \
      org.opencontainers.image.description="rclone for annotations: resumable bulk export and sync of finished labels into zip archives and object storage" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11-slim" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
