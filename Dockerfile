# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/mcp-prober
COPY requirements.lock ./
RUN /opt/mcp-prober/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY checks checks
COPY prober prober
COPY dashboard dashboard
COPY alembic alembic
RUN /opt/mcp-prober/bin/pip install --no-cache-dir --no-build-isolation --no-deps .

FROM python:3.13-slim
# Nothing runs as root: the worker and the dashboard need neither a privileged port nor a writable root.
RUN useradd --uid 10001 --create-home --home-dir /var/lib/mcp-prober --shell /usr/sbin/nologin prober
COPY --from=build /opt/mcp-prober /opt/mcp-prober
ENV PATH=/opt/mcp-prober/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PROBER_DATA_DIR=/var/lib/mcp-prober \
    PROBER_STATUS_PORT=9464
USER 10001
WORKDIR /var/lib/mcp-prober
EXPOSE 8080
ENTRYPOINT ["mcp-prober"]
CMD ["--help"]
