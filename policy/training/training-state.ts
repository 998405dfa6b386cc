import { ToolsampleError } from '../../contracts/errors.ts';
import type { AdamWOptions, TrainableOptions, TrainingMemory } from '../../contracts/policy.ts';
import type { Graph } from '../graph/graph.ts';
import {
  floatData,
  floats,
  openSession,
  type Feeds,
  type Runtime,
  type Session,
} from '../graph/session.ts';
import type { Weights } from '../models/initial-weights.ts';
import { tensorSpecs, type ModelTraits } from '../models/model-traits.ts';
import { initialAdapters } from '../models/lora.ts';
import { allocateFlat, fillFlat, type FlatSpec, type FlatTensors } from './flat-tensors.ts';
import { createRotationTables, microBatchFeeds, type RotationTables } from './micro-batch-feeds.ts';
import type { MicroBatch } from './micro-batches.ts';
import { createOptimizer, globalNorm, updateParameters, type Optimizer } from './optimizer.ts';
import { buildGrpoGraph } from './grpo-loss.ts';
import { peakMemory } from './step-plan.ts';
import { buildSupervisedGraph } from './supervised-loss.ts';
import {
  accumulatorName,
  gradientName,
  trainableSpecs,
  trainingModel,
  type LayerForm,
  type TrainingModel,
} from './training-graph.ts';

export interface TrainerOptions {
  readonly traits: ModelTraits;
  /** The base policy, all tensors. They are fed as they are and must not change while the trainer lives. */
  readonly weights: Weights;
  readonly trainable: TrainableOptions;
  /** What training has changed so far: all tensors, or the adapters. Left out: the base itself, or fresh adapters. */
  readonly trained?: Weights;
  readonly runtime: Runtime;
}

/** Lets a long call be watched and stopped. */
export interface TrainingCall {
  /** After each micro-batch: tokens computed and to compute in this call, padding excluded. */
  readonly onTokens?: (done: number, total: number) => void;
  /** Called before each micro-batch; throws to stop. The parameters are then those of the last finished optimiser step. */
  readonly checkAbort?: () => void;
  /**
   * Called before a step's graphs run, with the bytes by which the process is going to grow, as estimated: may free what else it holds.
   */
  readonly makeRoom?: (growth: number, memory: TrainingMemory) => Promise<void>;
}

export type SessionKind = 'supervised' | 'grpo';

export interface TrainingSession {
  readonly kind: SessionKind;
  readonly session: Session;
  readonly form: LayerForm;
  /** Estimated peak of its largest run, in bytes of the process: its allocator holds that much until it is released. */
  peak: number;
}

/** What a trainer holds in memory. */
export interface TrainingState {
  readonly model: TrainingModel;
  /** The policy before any training: of LoRA what the adapters are on, and what KL is measured to unless told otherwise. */
  readonly base: Weights;
  readonly parameters: FlatTensors;
  readonly gradients: FlatTensors;
  readonly optimizer: Optimizer;
  readonly rotations: RotationTables;
  /** Every weight, adapters included. */
  readonly weightFeeds: Feeds;
  /** The gradient sums, as feeds and as fetches: the same buffers, so a run adds to them in place. */
  readonly gradientFeeds: Feeds;
  readonly gradientFetches: Feeds;
  readonly runtime: Runtime;
  /** The one that is kept. */
  session: TrainingSession | null;
}

/** @throws ToolsampleError `checkpoint` when a tensor is missing or has another shape. */
export async function createTrainingState(options: TrainerOptions): Promise<TrainingState> {
  const { traits, weights, trainable, runtime } = options;
  const model = trainingModel(traits, trainable);
  const { lora } = model;
  const specs = trainableSpecs(model);
  const parameters = allocateFlat(specs);
  const gradients = allocateFlat(specs);
  const fresh =
    lora === null ? weights : initialAdapters(traits, { ...lora, seed: trainable.seed });
  fillFlat(parameters, options.trained ?? fresh);
  const renamed = (rename: (name: string) => string): Feeds =>
    Object.fromEntries([...gradients.values].map(([name, value]) => [rename(name), value]));
  return {
    model,
    base: weights,
    parameters,
    gradients,
    optimizer: await createOptimizer(specs, runtime),
    rotations: createRotationTables(traits),
    weightFeeds: {
      ...(lora === null ? {} : namedFeeds(tensorSpecs(traits), weights)),
      ...Object.fromEntries(parameters.values),
    },
    gradientFeeds: renamed(accumulatorName),
    gradientFetches: renamed(gradientName),
    runtime,
    session: null,
  };
}

/** The tensors of `specs` as feeds, without copies. @throws ToolsampleError `checkpoint` as above. */
export function namedFeeds(specs: readonly FlatSpec[], weights: Weights): Feeds {
  return Object.fromEntries(
    specs.map(({ name, dims }) => {
      const given = weights.get(name);
      if (given === undefined || given.dims.join() !== dims.join()) {
        throw new ToolsampleError('checkpoint', 'the tensor is missing or has another shape', {
          at: { field: name },
        });
      }
      return [name, floats(given.data, dims)];
    }),
  );
}

/** The graphs that training runs, by what they compute. */
const GRAPHS: {
  readonly [kind in SessionKind]: (model: TrainingModel, form: LayerForm) => Graph;
} = {
  supervised: buildSupervisedGraph,
  grpo: buildGrpoGraph,
};

/**
 * The session of a graph, built when first asked for. One is kept: its allocator holds the memory of its largest run, so another one
 * takes the place of the one before.
 */
export async function sessionFor(
  state: TrainingState,
  kind: SessionKind,
  form: LayerForm,
): Promise<TrainingSession> {
  const known = await keptSession(state, kind, form);
  if (known !== null) return known;
  const graph = GRAPHS[kind](state.model, form);
  const session = await openSession(graph, state.runtime, { name: kind });
  state.session = { kind, session, form, peak: 0 };
  return state.session;
}

/** The session that is kept if it is this one; another one is released. */
export async function keptSession(
  state: TrainingState,
  kind: SessionKind,
  form: LayerForm,
): Promise<TrainingSession | null> {
  const { session } = state;
  if (session !== null && session.kind === kind && sameForm(session.form, form)) return session;
  await releaseSession(state);
  return null;
}

/** Gives back what the session that is kept holds; it is opened again when it is needed. */
export async function releaseSession(state: TrainingState): Promise<void> {
  const { session } = state;
  state.session = null;
  await session?.session.release();
}

function sameForm(a: LayerForm, b: LayerForm): boolean {
  return a.recomputedLayers === b.recomputedLayers && a.attentionParts === b.attentionParts;
}

/** Adds a micro-batch's gradient to the sums and fetches `names` besides. */
export async function addMicroBatch(
  state: TrainingState,
  kept: TrainingSession,
  batch: MicroBatch,
  temperature: number,
  feeds: Feeds,
  fetches: Feeds,
): Promise<Feeds> {
  const { form } = kept;
  kept.peak = Math.max(kept.peak, peakMemory(state.model, { micros: [batch], form }, 'none'));
  return kept.session.run(
    {
      ...state.weightFeeds,
      ...state.gradientFeeds,
      ...microBatchFeeds(state.rotations, batch, temperature, form.attentionParts),
      ...feeds,
    },
    { ...state.gradientFetches, ...fetches },
  );
}

/**
 * One optimiser step on the gradient sums.
 * @returns the gradient's norm before clipping.
 * @throws ToolsampleError `non-finite`, before any parameter changes.
 */
export async function applyGradients(state: TrainingState, options: AdamWOptions): Promise<number> {
  const norm = requireFinite(globalNorm(state.gradients), 'gradient');
  await updateParameters(state.optimizer, state.parameters, state.gradients, norm, options);
  return norm;
}

/** @throws ToolsampleError `non-finite`. */
export function requireFinite(value: number, what: 'loss' | 'gradient'): number {
  if (Number.isFinite(value)) return value;
  throw new ToolsampleError('non-finite', `the ${what} is ${value}`, {
    hint: 'lower learningRate or maxGradNorm; the parameters were not changed',
  });
}

/** A fetched number. */
export function fetchedNumber(results: Feeds, name: string): number {
  return floatData(results, name)[0] ?? Number.NaN;
}

/** Reports tokens after each micro-batch of `passes` passes over them. */
export function tokenCounter(
  call: TrainingCall,
  batches: readonly MicroBatch[],
  passes: number,
): (batch: MicroBatch) => void {
  const total = passes * batches.reduce((sum, batch) => sum + batch.tokens, 0);
  let done = 0;
  return (batch) => {
    done += batch.tokens;
    call.onTokens?.(done, total);
  };
}
