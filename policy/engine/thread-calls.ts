import type { ArtifactRef } from '../../contracts/artifacts.ts';
import type { EngineProgress, TrainableOptions } from '../../contracts/policy.ts';
import type { PolicyArchitecture } from '../checkpoint/architecture.ts';
import { writeSafetensors } from '../checkpoint/safetensors.ts';
import { writePolicyFolder } from '../checkpoint/write-folder.ts';
import type { Weights } from '../models/initial-weights.ts';
import { totalElements } from '../models/model-traits.ts';
import { UNLIMITED } from '../training/step-plan.ts';
import type { Trainer } from '../training/trainer.ts';
import { trainableSpecs, trainingModel } from '../training/training-graph.ts';
import type { TrainingCall } from '../training/training-state.ts';
import { decodeRequests } from './decode-requests.ts';
import { makeRoomToGenerate, makeRoomToTrain } from './memory-room.ts';
import { readMicroGradients, writeMicroGradients } from './micro-gradient-files.ts';
import {
  completeWeights,
  dropTrainer,
  loadBase,
  markChanged,
  takeTrainer,
  weightsKey,
  type PolicyMemory,
} from './policy-memory.ts';
import { takeReference } from './reference-weights.ts';
import type {
  CallName,
  NewPolicyPaths,
  ThreadCalls,
  ThreadResults,
  Trained,
} from './thread-protocol.ts';

/** How a running call is watched and stopped. */
export interface CallWatch {
  readonly progress: (progress: EngineProgress) => void;
  /** Throws when the call is to stop. */
  readonly check: () => void;
}

/** Runs one call in the policy thread. @throws ToolsampleError, or what `watch.check` throws */
export async function runCall<Name extends CallName>(
  memory: PolicyMemory,
  name: Name,
  request: ThreadCalls[Name],
  watch: CallWatch,
): Promise<ThreadResults[Name]> {
  return CALLS[name](memory, request, watch);
}

const CALLS: {
  readonly [Name in CallName]: (
    memory: PolicyMemory,
    request: ThreadCalls[Name],
    watch: CallWatch,
  ) => Promise<ThreadResults[Name]>;
} = {
  generate,
  gradientStep,
  gradientShard,
  applyGradients,
  supervise,
  export: exportFolder,
  decode: decodeRequests,
  device,
};

async function generate(
  memory: PolicyMemory,
  request: ThreadCalls['generate'],
  watch: CallWatch,
): Promise<ThreadResults['generate']> {
  const { policy, trainable, prompts, sampling } = request;
  const { precision = 'float32', memory: limits = UNLIMITED } = request;
  const weights = await completeWeights(memory, policy, trainable);
  const { generator } = await loadBase(memory, policy);
  return generator.generate(weights, prompts, sampling, {
    weightsKey: weightsKey(policy, trainable),
    precision,
    checkAbort: watch.check,
    makeRoom: (growth, choice) => makeRoomToGenerate(memory, growth, limits, { generator, choice }),
    onTokens: (done, total) => {
      watch.progress({ done, total, unit: 'tokens' });
    },
  });
}

async function gradientStep(
  memory: PolicyMemory,
  { policy, reference, trainable, paths, ...batch }: ThreadCalls['gradientStep'],
  watch: CallWatch,
): Promise<ThreadResults['gradientStep']> {
  const { trainer, base } = await takeTrainer(memory, policy, trainable);
  const measuredTo = await takeReference(memory, base, policy, trainable, reference);
  return training(memory, trainer, paths, () =>
    trainer.gradientStep({ ...batch, ...measuredTo }, watched(memory, watch)),
  );
}

async function gradientShard(
  memory: PolicyMemory,
  { policy, reference, trainable, path, shard, shards, ...batch }: ThreadCalls['gradientShard'],
  watch: CallWatch,
): Promise<ThreadResults['gradientShard']> {
  const { trainer, base } = await takeTrainer(memory, policy, trainable);
  const size = gradientSize(base.architecture, trainable);
  const measuredTo = await takeReference(memory, base, policy, trainable, reference);
  const { plan, microBatches, micros, tokens } = await trainer.gradientShard(
    { ...batch, ...measuredTo },
    { shard, shards },
    watched(memory, watch),
  );
  const gradients =
    microBatches === 0 ? null : await writeMicroGradients(path, microBatches, size, micros);
  return { plan, microBatches, gradients, tokens };
}

async function applyGradients(
  memory: PolicyMemory,
  { policy, trainable, gradients, objective, optimizer, paths }: ThreadCalls['applyGradients'],
): Promise<ThreadResults['applyGradients']> {
  const { trainer, base } = await takeTrainer(memory, policy, trainable);
  const micros = readMicroGradients(gradients, gradientSize(base.architecture, trainable));
  return training(memory, trainer, paths, () => trainer.applyShards(micros, objective, optimizer));
}

/** Numbers of a gradient: of all tensors that train. */
function gradientSize({ traits }: PolicyArchitecture, trainable: TrainableOptions): number {
  return totalElements(trainableSpecs(trainingModel(traits, trainable)));
}

function watched(memory: PolicyMemory, watch: CallWatch): Required<TrainingCall> {
  return {
    checkAbort: watch.check,
    makeRoom: (growth, limits) => makeRoomToTrain(memory, growth, limits),
    onTokens: (done, total) => {
      watch.progress({ done, total, unit: 'tokens' });
    },
  };
}

async function supervise(
  memory: PolicyMemory,
  { policy, trainable, paths, batches, ...budget }: ThreadCalls['supervise'],
  watch: CallWatch,
): Promise<ThreadResults['supervise']> {
  const { trainer, base } = await takeTrainer(memory, policy, trainable);
  await takeReference(memory, base, policy, trainable, null);
  const { checkAbort, makeRoom } = watched(memory, watch);
  return training(memory, trainer, paths, async () => {
    const losses: number[] = [];
    let tokens = 0;
    for (const batch of batches) {
      const outcome = await trainer.supervise({ ...batch, ...budget }, { checkAbort, makeRoom });
      losses.push(outcome.loss);
      tokens += outcome.tokens;
      watch.progress({ done: losses.length, total: batches.length, unit: 'steps' });
    }
    const tenth = Math.ceil(losses.length / 10);
    return {
      firstLoss: mean(losses.slice(0, tenth)),
      lastLoss: mean(losses.slice(losses.length - tenth)),
      meanLoss: mean(losses),
      tokens,
    };
  });
}

async function exportFolder(
  memory: PolicyMemory,
  { policy, trainable, folder }: ThreadCalls['export'],
): Promise<ThreadResults['export']> {
  const weights = await completeWeights(memory, policy, trainable);
  const { architecture } = await loadBase(memory, policy);
  return writePolicyFolder(folder, policy.base, architecture.traits, weights);
}

async function device({ runtime }: PolicyMemory): Promise<ThreadResults['device']> {
  const graphs = [...runtime.placements].map(([graph, placement]) => ({ graph, ...placement }));
  return { device: runtime.device, graphs };
}

/** Trains, then writes what came of it. A call cut short leaves parameters that belong to no policy: they are forgotten. */
async function training<T>(
  memory: PolicyMemory,
  trainer: Trainer,
  paths: NewPolicyPaths,
  run: () => Promise<T>,
): Promise<Trained<T>> {
  markChanged(memory);
  try {
    const outcome = await run();
    // Side by side: while the disk flushes one, the other is hashed.
    const [weights, optimizer] = await Promise.all([
      writeTensors(paths.weights, trainer.trainedTensors()),
      writeTensors(paths.optimizer, trainer.optimizerState()),
    ]);
    return { outcome, weights, optimizer };
  } catch (error) {
    await dropTrainer(memory);
    throw error;
  }
}

function writeTensors(path: string, tensors: Weights): Promise<ArtifactRef> {
  const list = [...tensors].map(([name, { dims, data }]) => ({ name, shape: dims, data }));
  return writeSafetensors(path, list);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
