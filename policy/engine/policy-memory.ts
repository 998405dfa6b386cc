import type { TrainableOptions } from '../../contracts/policy.ts';
import type { PolicyArchitecture } from '../checkpoint/architecture.ts';
import { loadBaseWeights, readArchitecture } from '../checkpoint/base-weights.ts';
import { loadTensors } from '../checkpoint/load-tensors.ts';
import { createGenerator, type Generator } from '../generation/generator.ts';
import { openDevice } from '../graph/devices.ts';
import type { Placement } from '../graph/placement.ts';
import type { Runtime } from '../graph/session.ts';
import type { Weights } from '../models/initial-weights.ts';
import { mergeAdapters } from '../models/merged-weights.ts';
import { readTokenizerFiles } from '../text/special-tokens.ts';
import { createTrainer, type Trainer } from '../training/trainer.ts';
import { trainableSpecs, trainingModel } from '../training/training-graph.ts';
import type { ArtifactFile, PolicyFiles, ThreadOptions } from './thread-protocol.ts';

/** A base checkpoint in memory, with what completes prompts in its architecture. */
export interface LoadedBase {
  readonly architecture: PolicyArchitecture;
  readonly weights: Weights;
  readonly generator: Generator;
}

/** The one trainer in memory, and what it holds. */
interface HeldTrainer {
  readonly trainer: Trainer;
  readonly baseSha256: string;
  readonly trainable: string;
  /** Hashes of what it holds; null while that is not stored. */
  weights: string | null;
  optimizer: string | null;
  state: 'stored' | 'changed';
}

/** What the policy thread keeps between calls, by hash: a base or two, merged weights, one trainer, what its KL is measured to. */
export interface PolicyMemory {
  /** Its placements are those of all graphs that ran. */
  readonly runtime: Required<Runtime>;
  /** Oldest first. */
  readonly bases: Map<string, LoadedBase>;
  /** Complete weights of the trained policy that was asked for last. */
  readonly complete: Map<string, Weights>;
  held: HeldTrainer | null;
  /** Trained tensors of the policy that KL is measured to; null where that is a base, or none. */
  reference: { readonly key: string; readonly weights: Weights } | null;
}

const MAX_BASES = 2;

/** @throws ToolsampleError `config` when the device does not open. */
export async function createPolicyMemory({
  device,
  threads,
}: ThreadOptions): Promise<PolicyMemory> {
  const placements = new Map<string, Placement>();
  const runtime = { device: await openDevice(device), threads, placements };
  return { runtime, bases: new Map(), complete: new Map(), held: null, reference: null };
}

/** Loads a base checkpoint, or finds it. @throws ToolsampleError `checkpoint`, `tokenizer` */
export async function loadBase(memory: PolicyMemory, policy: PolicyFiles): Promise<LoadedBase> {
  const known = memory.bases.get(policy.baseSha256);
  if (known !== undefined) {
    touch(memory.bases, policy.baseSha256, known);
    return known;
  }
  while (memory.bases.size >= MAX_BASES) {
    const [oldest, base] = memory.bases.entries().next().value!;
    memory.bases.delete(oldest);
    await base.generator.close();
  }
  const architecture = await readArchitecture(policy.base);
  const { eosIds } = await readTokenizerFiles(policy.base);
  const base = {
    architecture,
    weights: await loadBaseWeights(policy.base, architecture),
    generator: createGenerator({ ...architecture, eosIds, runtime: memory.runtime }),
  };
  memory.bases.set(policy.baseSha256, base);
  return base;
}

/**
 * All tensors of a policy as it completes prompts, adapters merged. Those of the trainer are live views: use them before the
 * next training call.
 */
export async function completeWeights(
  memory: PolicyMemory,
  policy: PolicyFiles,
  trainable: TrainableOptions,
): Promise<Weights> {
  const base = await loadBase(memory, policy);
  if (policy.weights === null) return base.weights;
  const held = holds(memory, policy, trainable) ? memory.held : null;
  if (held !== null && trainable.mode === 'full') return held.trainer.trainedTensors();
  const key = weightsKey(policy, trainable);
  let complete = memory.complete.get(key);
  if (complete === undefined) {
    // One at a time: two are what a large policy's memory is short of.
    const [spare] = memory.complete.values();
    memory.complete.clear();
    const trained =
      held?.trainer.trainedTensors() ?? (await loadTrained(base, policy.weights, trainable));
    complete =
      trainable.mode === 'full'
        ? trained
        : await mergeAdapters(
            base.architecture.traits,
            base.weights,
            trained,
            trainable.loraAlpha / trainable.loraRank,
            memory.runtime.threads,
            spare,
          );
    memory.complete.set(key, complete);
  }
  return complete;
}

/** Names the complete weights of a policy. */
export function weightsKey(policy: PolicyFiles, { loraAlpha }: TrainableOptions): string {
  return [policy.baseSha256, policy.weights?.sha256, loraAlpha].join();
}

/** A trainer that holds exactly this policy: the one in memory, or a new one from the artifacts. */
export async function takeTrainer(
  memory: PolicyMemory,
  policy: PolicyFiles,
  trainable: TrainableOptions,
): Promise<{ readonly trainer: Trainer; readonly base: LoadedBase }> {
  const base = await loadBase(memory, policy);
  // Training needs the memory, and what it changes has another name.
  await base.generator.forgetWeights();
  if (trainable.mode === 'full') memory.complete.clear();
  const { held } = memory;
  if (
    held !== null &&
    holds(memory, policy, trainable) &&
    held.optimizer === (policy.optimizer?.sha256 ?? null)
  ) {
    return { trainer: held.trainer, base };
  }
  const trainer = await trainerOf(memory, base, policy, trainable);
  if (policy.optimizer !== null) {
    const specs = trainableSpecs(trainingModel(base.architecture.traits, trainable));
    const moments = ['m', 'v'].flatMap((moment) =>
      specs.map(({ name, dims }) => ({ name: `${moment}.${name}`, dims })),
    );
    const names = [...moments, { name: 'step', dims: [1] }];
    trainer.loadOptimizerState(await loadTensors(policy.optimizer.path, names, 'optimizer'));
  }
  memory.held = {
    trainer,
    baseSha256: policy.baseSha256,
    trainable: trainableKey(trainable),
    weights: policy.weights?.sha256 ?? null,
    optimizer: policy.optimizer?.sha256 ?? null,
    state: 'stored',
  };
  return { trainer, base };
}

/** A trainer with the policy's trained tensors. Where another worker took the last step, its adapters are put into the graphs at hand. */
async function trainerOf(
  memory: PolicyMemory,
  base: LoadedBase,
  policy: PolicyFiles,
  trainable: TrainableOptions,
): Promise<Trainer> {
  const { held } = memory;
  const trained =
    policy.weights === null ? null : await loadTrained(base, policy.weights, trainable);
  if (
    held !== null &&
    fits(held, policy, trainable) &&
    trainable.mode === 'lora' &&
    trained !== null &&
    policy.optimizer !== null
  ) {
    markChanged(memory);
    held.trainer.loadTrained(trained);
    return held.trainer;
  }
  await dropTrainer(memory);
  return createTrainer({
    traits: base.architecture.traits,
    weights: base.weights,
    trainable,
    ...(trained === null ? {} : { trained }),
    runtime: memory.runtime,
  });
}

/** Training is about to change what the trainer holds: until {@link markStored} it is nobody's policy. */
export function markChanged(memory: PolicyMemory): void {
  if (memory.held !== null) memory.held.state = 'changed';
}

/** What the trainer holds is now stored under these hashes. */
export function markStored(memory: PolicyMemory, weights: string, optimizer: string): void {
  if (memory.held === null) return;
  memory.held.weights = weights;
  memory.held.optimizer = optimizer;
  memory.held.state = 'stored';
}

/** Forgets the trainer, e.g. when a training call was cut short. */
export async function dropTrainer(memory: PolicyMemory): Promise<void> {
  const { held } = memory;
  memory.held = null;
  await held?.trainer.close();
}

/** Whether the trainer holds exactly this policy's weights. */
function holds({ held }: PolicyMemory, policy: PolicyFiles, trainable: TrainableOptions): boolean {
  return (
    held !== null &&
    fits(held, policy, trainable) &&
    held.weights === (policy.weights?.sha256 ?? null)
  );
}

/** Whether the trainer is undisturbed and its graphs are this policy's, whatever it was trained to. */
function fits(held: HeldTrainer, policy: PolicyFiles, trainable: TrainableOptions): boolean {
  return (
    held.state === 'stored' &&
    held.baseSha256 === policy.baseSha256 &&
    held.trainable === trainableKey(trainable)
  );
}

/** Names what trains, and how it starts. */
export function trainableKey({ mode, loraRank, loraAlpha, seed }: TrainableOptions): string {
  return mode === 'full' ? mode : [mode, loraRank, loraAlpha, seed].join();
}

/** What training has changed of a base. @throws ToolsampleError `checkpoint` when a tensor is missing or has another shape */
export function loadTrained(
  base: LoadedBase,
  trained: ArtifactFile,
  trainable: TrainableOptions,
): Promise<Weights> {
  const specs = trainableSpecs(trainingModel(base.architecture.traits, trainable));
  return loadTensors(trained.path, specs, 'trained weights');
}

/** Moves an entry to the young end. */
function touch<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
}
