import { rm } from 'node:fs/promises';
import type { ArtifactReader, ArtifactStore } from '../../contracts/artifacts.ts';
import type { DeviceChoice } from '../../contracts/config.ts';
import type {
  EngineCallOptions,
  GradientResult,
  GradientShardRequest,
  GradientShardResult,
  PolicyEngine,
  PolicyRef,
} from '../../contracts/policy.ts';
import { artifactFile, policyFiles } from './policy-files.ts';
import type { NewPolicyPaths, PolicyFiles, Trained } from './thread-protocol.ts';
import { createThreadHost, type ThreadHost } from './thread-host.ts';

export interface PolicyEngineOptions {
  /** Where policies are read from and written to. The thread sees files only; this side puts them into the store. */
  readonly artifacts: ArtifactStore;
  /** Threads of ONNX Runtime; 0 (default): all cores. Results depend on it in the last digits. */
  readonly threads?: number;
  /** Default: `cpu`. */
  readonly device?: DeviceChoice;
}

/**
 * The policy engine in a worker thread, which starts with the first call and stays warm between calls: the policy that a training
 * call made is not read again by the next call. When the thread dies, the running call rejects with a retryable
 * ToolsampleError `service`, and the next call starts a new thread.
 */
export function createPolicyEngine(options: PolicyEngineOptions): PolicyEngine {
  const { artifacts } = options;
  const host = createThreadHost({ threads: options.threads ?? 0, device: options.device ?? 'cpu' });
  /** Settles when all earlier calls are done; never rejects. */
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(call: EngineCallOptions, run: () => Promise<T>): Promise<T> => {
    const turn = queue.then(() => {
      call.signal?.throwIfAborted();
      return run();
    });
    queue = turn.catch(() => undefined);
    return turn;
  };
  return {
    generate: ({ policy, ...request }, call = {}) =>
      inTurn(call, () =>
        artifacts.reading(async (reader) => {
          const files = await policyFiles(policy, reader, 'weights');
          return host.call('generate', { ...request, policy: files }, call);
        }),
      ),
    gradientStep: ({ policy, reference, ...request }, call = {}) =>
      inTurn(call, () =>
        train(host, artifacts, policy, async (files, paths, reader) => {
          const file = await artifactFile(reference ?? null, reader);
          return host.call(
            'gradientStep',
            { ...request, policy: files, reference: file, paths },
            call,
          );
        }),
      ),
    gradientShard: ({ policy, ...request }, call = {}) =>
      inTurn(call, () => computeShard(host, artifacts, policy, request, call)),
    applyGradients: ({ policy, gradients, ...request }, call = {}) =>
      inTurn(call, () =>
        train(host, artifacts, policy, async (files, paths, reader) => {
          const read = [];
          for (const { artifact, microBatches } of gradients) {
            read.push({ path: await reader.path(artifact), microBatches });
          }
          return host.call(
            'applyGradients',
            { ...request, policy: files, gradients: read, paths },
            call,
          );
        }),
      ),
    supervise: ({ policy, ...request }, call = {}) =>
      inTurn(call, () =>
        train(host, artifacts, policy, (files, paths) =>
          host.call('supervise', { ...request, policy: files, paths }, call),
        ),
      ),
    export: (policy, trainable, folder) =>
      inTurn({}, () =>
        artifacts.reading(async (reader) => {
          const files = await policyFiles(policy, reader, 'weights');
          return host.call('export', { policy: files, trainable, folder }, {});
        }),
      ),
    device: () => inTurn({}, () => host.call('device', null, {})),
    close: () => host.close(),
  };
}

/** A training call: the thread writes two temporary files, which then become artifacts. */
async function train<Outcome>(
  host: ThreadHost,
  artifacts: ArtifactStore,
  policy: PolicyRef,
  run: (
    files: PolicyFiles,
    paths: NewPolicyPaths,
    reader: ArtifactReader,
  ) => Promise<Trained<Outcome>>,
): Promise<Outcome & Pick<GradientResult, 'policy' | 'seconds'>> {
  const started = performance.now();
  const paths = {
    weights: await artifacts.temporaryPath(),
    optimizer: await artifacts.temporaryPath(),
  };
  try {
    const { outcome, weights, optimizer } = await artifacts.reading(async (reader) =>
      run(await policyFiles(policy, reader, 'weights and optimizer'), paths, reader),
    );
    await artifacts.putFile(paths.weights, weights);
    await artifacts.putFile(paths.optimizer, optimizer);
    host.post({ kind: 'stored', weights: weights.sha256, optimizer: optimizer.sha256 });
    return {
      ...outcome,
      policy: { base: policy.base, weights, optimizer },
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    // Gone already when all went well.
    await rm(paths.weights, { force: true });
    await rm(paths.optimizer, { force: true });
  }
}

/** Gradients of some micro-batches: the thread writes a temporary file, which then becomes an artifact. */
async function computeShard(
  host: ThreadHost,
  artifacts: ArtifactStore,
  policy: PolicyRef,
  { reference, ...request }: Omit<GradientShardRequest, 'policy'>,
  call: EngineCallOptions,
): Promise<GradientShardResult> {
  const started = performance.now();
  const path = await artifacts.temporaryPath();
  try {
    const result = await artifacts.reading(async (reader) => {
      const files = await policyFiles(policy, reader, 'weights and optimizer');
      const file = await artifactFile(reference ?? null, reader);
      return host.call('gradientShard', { ...request, policy: files, reference: file, path }, call);
    });
    if (result.gradients !== null) await artifacts.putFile(path, result.gradients);
    return { ...result, seconds: (performance.now() - started) / 1000 };
  } finally {
    await rm(path, { force: true });
  }
}
