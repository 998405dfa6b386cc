# A worker, or any other command of toolsample: docker run IMAGE worker --task-queue gpu
FROM node:20-bookworm-slim
WORKDIR /opt/toolsample
COPY package.json package-lock.json .npmrc ./
# The CPU and WebGPU providers come with the package; docs/operating.md says what CUDA takes.
RUN ONNXRUNTIME_NODE_INSTALL=skip npm ci --omit=dev
COPY . .
RUN mkdir -p /var/lib/toolsample && chown node:node /var/lib/toolsample
USER node
# Copies of artifacts, logs, finished policies: nothing that another worker needs.
ENV TOOLSAMPLE_HOME=/var/lib/toolsample
VOLUME /var/lib/toolsample
ENTRYPOINT ["node", "bin/toolsample.js"]
CMD ["worker"]
