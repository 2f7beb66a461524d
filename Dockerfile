# docker build -t annotation-syncer:0.1.0 .
# docker run --rm --init -v "$PWD":/work -e LABEL_STUDIO_API_KEY annotation-syncer:0.1.0 sync
#
# --init: a second signal ends a process at once only where it is not the first one of its container.

FROM python:3.11-slim AS build
WORKDIR /src
RUN ["python", "-m", "venv", "/opt/syncer"]
COPY pyproject.toml README.md LICENSE ./
COPY tests/constraints.txt tests/constraints.txt
COPY syncer syncer
RUN ["/opt/syncer/bin/pip", "install", "--no-cache-dir", "--constraint", "tests/constraints.txt", "/src[postgres]"]

FROM python:3.11-slim
RUN ["useradd", "--uid", "10001", "--create-home", "--home-dir", "/var/lib/syncer", "syncer"]
RUN ["install", "--directory", "--owner", "10001", "--group", "10001", "/work"]
COPY --from=build /opt/syncer /opt/syncer
ENV PATH=/opt/syncer/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /work
USER 10001:10001
ENTRYPOINT ["syncer"]
CMD ["--help"]
