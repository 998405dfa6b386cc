import type { ArtifactStore } from '../contracts/artifacts.ts';
import type { TinkerReduction } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type {
  EngineCallOptions,
  EngineProgress,
  GenerationRequest,
  GradientRequest,
  GradientResult,
  PolicyEngine,
  PolicyRef,
} from '../contracts/policy.ts';
import { manifestFiles } from '../policy/checkpoint/checkpoint-files.ts';
import { readTokenizerFiles } from '../policy/text/special-tokens.ts';
import { createTinkerClient } from './client.ts';
import { exportSaved } from './export-saved.ts';
import { forUsers, isStale } from './refusal.ts';
import { samplePrompts, type Sampler } from './sample-prompts.ts';
import { putSavedWeights, readSavedWeights } from './saved-weights.ts';
import { createServicePolicy, type StoredPolicy } from './service-policy.ts';
import { trainBatch } from './train-batch.ts';
import { activeSequences } from './training-data.ts';
import type { Patience, RequestOptions } from './transport.ts';

export interface TinkerEngineOptions {
  /** Where the tokenizers lie, and the names of what services save. */
  readonly artifacts: ArtifactStore;
  readonly baseUrl: string;
  /** `auto`: the only model that the service has. */
  readonly baseModel: string;
  readonly reduction: TinkerReduction;
  readonly apiKey: string | undefined;
  /** Left out: a minute for a service that is away, half an hour for one that is busy. */
  readonly patience?: Patience;
}

const PATIENCE: Patience = { away: 60_000, busy: 30 * 60_000, pause: 250 };

/** A call is made again so often because the service has lost our model; then Temporal decides. */
const MOST_LOSSES = 2;

/**
 * The policy engine at a training service that speaks the Tinker API. Weights stay there; what is stored here names them. A model that the
 * service has lost, by a restart or because it was not heard of, is loaded again from what was saved last, and the call made again.
 *
 * Calls reject with ToolsampleError `service` when the service is away, `config` when it refuses, `not-found` when it has lost what it saved.
 */
export function createTinkerEngine(options: TinkerEngineOptions): PolicyEngine {
  const { artifacts, baseUrl, apiKey, reduction, patience = PATIENCE } = options;
  const client = createTinkerClient({ baseUrl, apiKey, patience });
  const service = createServicePolicy(client, options.baseModel);
  const closing = new AbortController();
  /** Settles when all earlier calls are done; never rejects. */
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(
    call: EngineCallOptions,
    run: (request: CallRequest) => Promise<T>,
  ): Promise<T> => {
    const turn = queue.then(async () => {
      const signals = call.signal === undefined ? [] : [call.signal];
      const request = callRequest(AbortSignal.any([closing.signal, ...signals]), call.onProgress);
      request.signal.throwIfAborted();
      return untilKept(() => run(request));
    });
    queue = turn.catch(() => undefined);
    return turn;
  };
  /** Makes a call again when the service has lost our model in it. */
  const untilKept = async <T>(run: () => Promise<T>): Promise<T> => {
    for (let losses = 1; ; losses++) {
      try {
        return await run();
      } catch (error) {
        if (!isStale(error) || losses > MOST_LOSSES) throw forUsers(error);
        await service.abandon();
      }
    }
  };
  const stored = async ({ weights }: PolicyRef): Promise<StoredPolicy | null> =>
    weights === null
      ? null
      : { name: weights.sha256, saved: await readSavedWeights(weights, artifacts) };

  const generate = async (asked: GenerationRequest, request: CallRequest) => {
    const { policy, trainable, prompts, sampling } = asked;
    const { eosIds } = await artifacts.reading(async (files) =>
      readTokenizerFiles(await manifestFiles(policy.base, files)),
    );
    const total = prompts.reduce((sum, { seeds }) => sum + seeds.length, 0);
    request.progress({ done: 0, total, unit: 'sequences' });
    const from = await stored(policy);
    const sample = async (sampler: Sampler) =>
      samplePrompts(client, sampler, prompts, sampling, eosIds, {
        ...request,
        onCompletions: (done) => {
          request.progress({ done, total, unit: 'sequences' });
        },
      });
    if (from === null) return sample({ base_model: await service.baseModel(request) });
    try {
      return await sample({ model_path: service.sampler(from) });
    } catch (error) {
      if (!isStale(error)) throw error;
      // Some services sample only from models that are loaded.
      await service.saveAnew(from, trainable, request);
      return sample({ model_path: service.sampler(from) });
    }
  };

  const gradientStep = async (asked: GradientRequest, request: CallRequest) => {
    const started = performance.now();
    const { policy, trainable, objective, optimizer } = asked;
    const sequences = activeSequences(asked.sequences, objective, reduction);
    const total = sequences.length * objective.numIterations;
    request.progress({ done: 0, total, unit: 'sequences' });
    const from = await stored(policy);
    if (from !== null && policy.optimizer === null) throw freshOptimizer();
    const model = await service.standingAt(from, trainable, request);
    try {
      const trained = await trainBatch(model, sequences, objective, optimizer, {
        ...request,
        onSequences: (done) => {
          request.progress({ done, total, unit: 'sequences' });
        },
      });
      const saved = await model.save(request);
      const baseModel = await service.baseModel(request);
      const { loraRank } = trainable;
      const weights = await putSavedWeights({ baseModel, loraRank, ...saved }, artifacts);
      service.movedTo(weights.sha256);
      return {
        ...trained,
        policy: { base: policy.base, weights, optimizer: weights },
        seconds: (performance.now() - started) / 1000,
      } satisfies GradientResult;
    } catch (error) {
      // Gradients or an optimiser step may have come through: nobody knows what it stands at.
      await service.abandon();
      throw error;
    }
  };

  return {
    generate: (asked, call = {}) => inTurn(call, (request) => generate(asked, request)),
    gradientStep: (asked, call = {}) => inTurn(call, (request) => gradientStep(asked, request)),
    gradientShard: () => Promise.reject(ownDivision()),
    applyGradients: () => Promise.reject(ownDivision()),
    supervise: () => Promise.reject(noColdStart()),
    export: (policy, _trainable, folder) =>
      inTurn({}, async (request) => {
        const from = await stored(policy);
        return exportSaved(client, policy.base, from?.saved ?? null, artifacts, folder, request);
      }),
    device: () =>
      inTurn({}, async (request) => ({
        device: 'service' as const,
        url: baseUrl,
        baseModel: await service.baseModel(request),
      })),
    async close() {
      closing.abort(new ToolsampleError('service', 'the policy engine is closed'));
      await queue;
      await service.close();
    },
  };
}

/** A call of the engine, as its requests see it. */
interface CallRequest extends RequestOptions {
  readonly progress: (progress: EngineProgress) => void;
}

/** Whenever the service answers, the call is known to be alive, whether or not it has come further. */
function callRequest(
  signal: AbortSignal,
  onProgress: EngineCallOptions['onProgress'] = () => undefined,
): CallRequest {
  let last: EngineProgress = { done: 0, total: 1, unit: 'sequences' };
  return {
    signal,
    progress(progress) {
      last = progress;
      onProgress(progress);
    },
    onAnswer: () => {
      onProgress(last);
    },
  };
}

function noColdStart(): ToolsampleError {
  return new ToolsampleError('config', 'there is no supervised cold start at a training service', {
    at: { field: 'warm_start' },
    hint: 'use the backend onnx',
  });
}

function ownDivision(): ToolsampleError {
  return new ToolsampleError('config', 'a training service divides a gradient step itself', {
    at: { field: 'gradient_shards' },
    hint: 'use 1, or the backend onnx',
  });
}

function freshOptimizer(): ToolsampleError {
  return new ToolsampleError(
    'config',
    'a training service cannot start a fresh optimiser on trained weights',
    { hint: 'use the backend onnx' },
  );
}
