# syntax=docker/dockerfile:1
# Two images from one build, with the repository as context:
#   docker build -f docker/orchestrator.Dockerfile -t avtomatika-orchestrator .
#   docker build -f docker/orchestrator.Dockerfile --target echo-worker -t avtomatika-echo-worker .

FROM node:24-slim AS build
RUN npm install --global pnpm@12
WORKDIR /src
COPY . .
RUN pnpm install --frozen-lockfile
RUN pnpm --filter "@avtomatika/orchestrator..." --filter "@avtomatika/worker-sdk..." --filter "@avtomatika/client..." run build
RUN pnpm --filter @avtomatika/orchestrator deploy --prod --legacy /out/orchestrator
RUN pnpm --filter @avtomatika-examples/quickstart deploy --prod --legacy /out/echo-worker

# The worker of examples/quickstart.
FROM node:24-slim AS echo-worker
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /out/echo-worker .
USER node
CMD ["node", "worker.ts"]

FROM node:24-slim AS orchestrator
ENV NODE_ENV=production \
    API_HOST=0.0.0.0 \
    API_PORT=8080 \
    BLUEPRINTS_DIR=/app/blueprints
WORKDIR /app
COPY --from=build /out/orchestrator .
# Blueprints are mounted here, or copied by an image built on this one. From here they can import
# @avtomatika/core and zod.
RUN mkdir blueprints
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --start-interval=1s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.API_PORT}/_public/status`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/main.js"]
