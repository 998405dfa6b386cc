import { ToolsampleError } from '../../contracts/errors.ts';
import type { TrainingMemory } from '../../contracts/policy.ts';
import { tokenCosts, totalElements } from '../models/model-traits.ts';
import { attentionParts, LONGEST_WHOLE } from './attention-parts.ts';
import { trainingMemory, type KlReference } from './memory-estimate.ts';
import { planMicroBatches, type MicroBatch } from './micro-batches.ts';
import { rowCost, type PackedRow, type TokenSequence } from './packed-rows.ts';
import { trainableSpecs, type LayerForm, type TrainingModel } from './training-graph.ts';

/** How a batch is computed. Nothing of it changes results beyond fp32 rounding. */
export interface StepPlan {
  readonly micros: readonly MicroBatch[];
  readonly form: LayerForm;
}

/** As much memory as it takes: nothing is computed twice. */
export const UNLIMITED: TrainingMemory = { limit: null, strict: false, recompute: false };

/** Layers are recomputed by quarters of the policy: each number of them has a graph of its own. */
const LEVELS = 4;

/** What a micro-batch costs besides its tokens, in multiplications per trained number: sums are read, copied, written (measured). */
const MICRO_BATCH_COST = 150;

/**
 * The cheapest plan whose estimated memory is within the limit: among micro-batches of `microBatchTokens`, a half of them, a
 * quarter …, each with as many recomputed layers as it needs. What fits as it is stays as it is, with a limit as without one:
 * bytes do not depend on the machine's memory then. Where that ran out of memory, `recompute` asks for the same micro-batches with all
 * layers recomputed.
 * @param rowsFor the rows of a micro-batch, given the tokens it may have.
 * @throws ToolsampleError `config` when nothing is within a limit that the user set.
 */
export function planStep(
  model: TrainingModel,
  sequences: readonly TokenSequence[],
  rowsFor: (maxTokens: number) => readonly PackedRow[],
  microBatchTokens: number,
  memory: TrainingMemory,
  reference: KlReference = 'none',
): StepPlan {
  const { layers } = model.traits;
  if (memory.recompute) {
    const again = { ...memory, recompute: false };
    const { micros, form } = planStep(
      model,
      sequences,
      rowsFor,
      microBatchTokens,
      again,
      reference,
    );
    return { micros, form: { ...form, recomputedLayers: layers } };
  }
  const { limit } = memory;
  const levels = Array.from({ length: LEVELS + 1 }, (_, i) => Math.ceil((i * layers) / LEVELS));
  let best: { readonly plan: StepPlan; readonly cost: number } | undefined;
  let least = Infinity;
  for (let tokens = microBatchTokens; ; tokens = Math.floor(tokens / 2)) {
    const micros = planMicroBatches(sequences, rowsFor(tokens), tokens);
    const planned = (recomputedLayers: number): StepPlan => ({
      micros,
      form: {
        recomputedLayers,
        attentionParts: attentionParts(micros.map(({ length }) => length)),
      },
    });
    if (limit === null) return planned(0);
    const recomputedLayers = levels.find(
      (level) => peakMemory(model, planned(level), reference) <= limit,
    );
    if (recomputedLayers === 0 && tokens === microBatchTokens) return planned(0);
    if (recomputedLayers !== undefined) {
      const plan = planned(recomputedLayers);
      const cost = planCost(model, plan);
      if (best === undefined || cost < best.cost) best = { plan, cost };
    }
    least = peakMemory(model, planned(layers), reference);
    if (micros.some(({ members }) => members.length > 1)) continue;
    // Finer than one sequence at a time it cannot be.
    if (best !== undefined) return best.plan;
    if (!memory.strict) return planned(layers);
    throw tooLittle(
      least,
      limit,
      'raise it; a step under way keeps its own, with another one `toolsample fork` goes on from the step before',
    );
  }
}

/**
 * Whether one sequence of any length up to the greatest can be trained on within the limit, before a step has to.
 * @param hint what whoever asked can do where it cannot.
 * @throws ToolsampleError `config` as {@link planStep}.
 */
export function checkMemoryLimit(
  model: TrainingModel,
  longest: { readonly prompt: number; readonly completion: number },
  { limit, strict }: TrainingMemory,
  reference: KlReference,
  hint: string,
): void {
  if (!strict || limit === null) return;
  const most = longest.prompt + longest.completion;
  const needed = [most, Math.min(most, LONGEST_WHOLE)].map((length) => {
    const predicted = Math.min(longest.completion, length);
    const form = {
      recomputedLayers: model.traits.layers,
      attentionParts: attentionParts([length]),
    };
    return trainingMemory(model, { rows: 1, length, predicted, shared: false }, form, reference);
  });
  const least = Math.max(...needed);
  if (least > limit) throw tooLittle(least, limit, hint);
}

/** Bytes of the process at the peak of a step, as {@link trainingMemory} estimates them. */
export function peakMemory(
  model: TrainingModel,
  { micros, form }: StepPlan,
  reference: KlReference,
): number {
  const each = micros.map(({ rows, length, shared, targets }) =>
    trainingMemory(model, { rows, length, shared, predicted: targets.length }, form, reference),
  );
  return Math.max(0, ...each);
}

/** In multiplications: forward, backward (twice as much where all weights train), and what is computed again. */
function planCost(model: TrainingModel, { micros, form }: StepPlan): number {
  const costs = tokenCosts(model.traits);
  const passes = (model.lora === null ? 3 : 2) * model.traits.layers + form.recomputedLayers;
  const trained = totalElements(trainableSpecs(model));
  return micros.reduce(
    (sum, { rows, length }) => sum + passes * rows * rowCost(length, costs),
    micros.length * MICRO_BATCH_COST * trained,
  );
}

function memorySize(bytes: number): string {
  if (bytes < 1e5) return `${bytes} bytes`;
  return bytes < 1e8 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

function tooLittle(needed: number, limit: number, hint: string): ToolsampleError {
  return new ToolsampleError(
    'config',
    `a training step on the longest sequence needs about ${memorySize(needed)}, the limit is ${memorySize(limit)}`,
    { at: { field: 'memory_limit' }, hint },
  );
}
