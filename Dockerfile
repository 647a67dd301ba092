# syntax=docker/dockerfile:1

# The production image: one static binary without the embedded Temporal server, no shell, not root. It writes nothing,
# so its file system may be read-only.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=0.1.0-dev
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -tags slim -trimpath -ldflags="-s -w -X main.version=${VERSION}" -o /out/posthorn .

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/posthorn /usr/local/bin/posthorn
USER nonroot
EXPOSE 8080 8081
ENTRYPOINT ["/usr/local/bin/posthorn"]
