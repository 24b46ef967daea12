# Stand-in for the public Envoy image: the same release's binary on Debian.
ARG BASE
FROM ${BASE}
COPY envoy /usr/local/bin/envoy
ENTRYPOINT ["/usr/local/bin/envoy"]
