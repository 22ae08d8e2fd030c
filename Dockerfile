# syntax=docker/dockerfile:1
FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/deadwax
COPY requirements-runtime.lock /src/
RUN /opt/deadwax/bin/pip install --require-hashes --no-deps -r /src/requirements-runtime.lock
COPY . /src
RUN /opt/deadwax/bin/pip install --no-deps --no-build-isolation /src

# The S3 server of `make serve`, for a deployment that has none of its own. A folder is a bucket.
FROM rclone/rclone:1.75 AS s3
RUN mkdir -p /var/lib/s3/deadwax && chown -R 10001:10001 /var/lib/s3
USER 10001:10001
VOLUME /var/lib/s3
CMD ["serve", "s3", "--addr", ":9000", "--vfs-cache-mode", "off", "--config", "", "/var/lib/s3"]

FROM python:3.13-slim-bookworm AS deadwax
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin deadwax
COPY --from=build /opt/deadwax /opt/deadwax
ENV PATH=/opt/deadwax/bin:$PATH DEADWAX_HOST=0.0.0.0 DEADWAX_LOG_FORMAT=json
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["deadwax"]
CMD ["api"]
