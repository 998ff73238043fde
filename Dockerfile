# The image of a server: PART is its folder. (client/ has a Dockerfile of its own.) Build context: this folder.
#   docker build --build-arg PART=posts --target production -t blog-posts .

FROM node:26.10.0-slim AS base
WORKDIR /app
# Only the files that npm reads, so that an edit of a source file leaves the layer with the packages valid.
COPY package.json package-lock.json ./
COPY --chown=node:node common/package.json common/
ARG PART
RUN : "${PART:?is missing: add --build-arg PART=posts}"
COPY --chown=node:node $PART/package.json $PART/

# The target of `skaffold dev`. Its first process is the supervisor. The user it runs as owns the sources, because file
# sync writes as that user.
FROM base AS development
ARG PART
COPY --chown=node:node scripts/package.json scripts/
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev -w $PART -w scripts
COPY --chown=node:node scripts scripts
COPY --chown=node:node common common
COPY --chown=node:node $PART $PART
RUN mkdir /data && chown node:node /data
ENV NODE_ENV=development HOST=0.0.0.0 DATA_DIR=/data PART=$PART
USER 1000:1000
CMD ["node", "scripts/run/container.ts"]

FROM base AS dependencies
ARG PART
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev -w $PART

# Only Node, the sources and the packages of one server. It runs with a read-only root file system.
FROM node:26.10.0-slim AS production
ARG PART
LABEL org.opencontainers.image.title="blog-$PART" org.opencontainers.image.version="1.0.0"
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY common common
# A tool for people: kubectl exec … node /app/scripts/data/tables.ts (docs/kubernetes.md).
COPY scripts/package.json scripts/
COPY scripts/data/tables.ts scripts/data/
COPY $PART $PART
# A named volume takes over the owner of the folder that it covers.
RUN mkdir /data && chown node:node /data
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data
# A small heap; scripts/lib/part-process.ts says why.
ENV NODE_OPTIONS="--max-semi-space-size=8 --max-old-space-size=192 --v8-pool-size=1"
USER 1000:1000
# CMD expands no variable, but WORKDIR does: node itself is the first process, and gets SIGTERM.
WORKDIR /app/$PART
CMD ["node", "src/main.ts"]
