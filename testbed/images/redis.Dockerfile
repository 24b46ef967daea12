# Stand-in for the public Redis image: Debian's package.
ARG BASE
FROM ${BASE}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends redis-server \
 && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["redis-server"]
