# Stand-in for the public Prometheus image: Debian's package, and the wget that the health check uses.
ARG BASE
FROM ${BASE}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends prometheus wget \
 && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["/bin/prometheus"]
