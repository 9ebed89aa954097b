# syntax=docker/dockerfile:1
ARG GO=1.25
FROM --platform=$BUILDPLATFORM golang:${GO} AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.cache go build -o /out/SERVICE .

FROM alpine:3.22
COPY --from=build /out/SERVICE /usr/bin/SERVICE
ENTRYPOINT ["/usr/bin/SERVICE"]
