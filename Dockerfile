# The command line of poolctl as an image: docker build -t poolctl .
FROM node:22.20-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY bin ./bin
COPY commands ./commands
COPY src ./src
COPY docs ./docs
COPY man ./man
COPY schemas ./schemas
COPY README.md CHANGELOG.md LICENSE ./
# The build needs no native package, and SQLite is part of this Node.
RUN npm ci --ignore-scripts && npm run build && npm pack --ignore-scripts --pack-destination /tmp

FROM node:22.20-bookworm-slim
COPY --from=build /tmp/poolctl-*.tgz /tmp/poolctl.tgz
RUN npm install --global --ignore-scripts --omit=optional /tmp/poolctl.tgz && npm cache clean --force
USER node
WORKDIR /src
ENTRYPOINT ["poolctl"]
CMD ["--help"]
