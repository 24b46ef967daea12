# The demo upstream: one static program and nothing else.
FROM scratch
COPY weir-upstream /weir-upstream
ENTRYPOINT ["/weir-upstream"]
