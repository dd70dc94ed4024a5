# syntax=docker/dockerfile:1
# One image for all of Pando; what runs is its argument: `docker run … pando user`. Node 26 is one of the packages, and pinned with them.

FROM node:24-bookworm-slim AS packages
RUN apt-get update && apt-get install -y --no-install-recommends libatomic1 && rm -rf /var/lib/apt/lists/*
WORKDIR /pando
COPY . .
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev

FROM debian:bookworm-slim
# Node 26 needs it; the base does not have it.
RUN apt-get update && apt-get install -y --no-install-recommends libatomic1 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --home-dir /data --shell /usr/sbin/nologin pando && install -d -m 0700 -o pando /data
COPY --from=packages /pando /pando
WORKDIR /pando
# All addresses, because whoever speaks to a container comes from another one.
ENV PATH=/pando/node_modules/.bin:$PATH HOST=0.0.0.0 DATA_DIR=/data
USER 10001
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/api/health/ready`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1 and gets SIGTERM. All of Pando in one container: `--entrypoint node … pando start.ts`, with a volume at /data.
ENTRYPOINT ["node", "tools/service.ts"]
CMD ["gateway"]
