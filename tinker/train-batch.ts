import { ToolsampleError } from '../contracts/errors.ts';
import type { AdamWOptions, GradientResult, ObjectiveOptions } from '../contracts/policy.ts';
import type { ServiceModel } from './service-model.ts';
import { addNumbers, importanceWeights, NO_NUMBERS, sequenceNumbers } from './step-numbers.ts';
import {
  datum,
  firstLoss,
  laterLoss,
  type ActiveSequence,
  type Datum,
  type LossChoice,
} from './training-data.ts';
import type { RequestOptions } from './transport.ts';

export interface TrainOptions extends RequestOptions {
  /** Told how many sequences are through, over all optimiser steps. */
  readonly onSequences: (done: number) => void;
}

/** What an update comes to, without what was saved of it. */
export type TrainedBatch = Omit<GradientResult, 'policy' | 'seconds'>;

/** Sequences, and tokens, of one request at most; gradients of several add up until the optimiser step. */
const MAX_SEQUENCES = 128;
const MAX_TOKENS = 200_000;

/**
 * One batch of GRPO at a service: `numIterations` times the gradients of all sequences, then an optimiser step. The first pass tells the
 * log-probabilities before the update, which later ratios are taken to. Without sequences nothing is asked of the service: an optimiser step
 * on no gradients moves weights all the same, by what its moments hold and by weight decay.
 *
 * @throws ServiceRefusal, ToolsampleError `service`
 */
export async function trainBatch(
  model: ServiceModel,
  sequences: readonly ActiveSequence[],
  objective: ObjectiveOptions,
  optimizer: AdamWOptions,
  options: TrainOptions,
): Promise<TrainedBatch> {
  const steps = objective.numIterations;
  const pieces = inPieces(sequences);
  const old = new Map<ActiveSequence, readonly number[]>();
  let numbers = NO_NUMBERS;
  let norms: number | null = 0;
  let done = 0;
  for (let step = 0; step < steps && sequences.length > 0; step++) {
    for (const piece of pieces) {
      const loss = step === 0 ? firstLoss(objective) : laterLoss(objective);
      const data = piece.map((sequence) => dataOf(sequence, old.get(sequence), objective));
      const logprobs = await gradients(model, data, loss, options);
      for (const [i, sequence] of piece.entries()) {
        const current = (logprobs[i] ?? []).slice(sequence.promptIds.length - 1);
        if (step === 0) old.set(sequence, current);
        const before = old.get(sequence) ?? current;
        numbers = addNumbers(numbers, sequenceNumbers(sequence, current, before, objective));
      }
      done += piece.length;
      options.onSequences(done);
    }
    const norm = await model.optimizerStep(optimizer, options);
    norms = norm === null || norms === null ? null : norms + norm / steps;
  }
  const predicted = count(sequences, ({ completionIds }) => completionIds.length);
  const perToken = (sum: number): number => (predicted === 0 ? 0 : sum / (predicted * steps));
  return {
    loss: numbers.loss / steps,
    gradNorm: norms,
    entropy: perToken(numbers.entropy),
    kl: null,
    clipRatioLow: perToken(numbers.clippedLow),
    clipRatioHigh: perToken(numbers.clippedHigh),
    samplingLogpDifference: perToken(numbers.samplingDifference),
    tokens: steps * count(sequences, lengthOf),
  };
}

/** Before the first optimiser step ratios are those to the rollout; afterwards those to what the first pass told. */
function dataOf(
  sequence: ActiveSequence,
  old: readonly number[] | undefined,
  { importanceSamplingCap }: ObjectiveOptions,
): Datum {
  const { rolloutLogprobs } = sequence;
  if (old === undefined) return datum(sequence, rolloutLogprobs);
  return datum(sequence, old, importanceWeights(old, rolloutLogprobs, importanceSamplingCap));
}

/** @returns one log-probability per target token of each sequence */
async function gradients(
  model: ServiceModel,
  data: readonly Datum[],
  loss: LossChoice,
  options: RequestOptions,
): Promise<readonly (readonly number[])[]> {
  const { loss_fn_outputs: outputs } = await model.addGradients(data, loss, options);
  const logprobs = outputs.map((output) => output.logprobs.data);
  const fits =
    logprobs.length === data.length &&
    data.every((each, i) => each.loss_fn_inputs.weights.data.length === logprobs[i]?.length);
  if (fits) return logprobs;
  throw new ToolsampleError(
    'service',
    'the training service answers forward_backward with other numbers of log-probabilities than there were tokens',
    { hint: 'the step is tried again; if it stays so, tell who runs the service' },
  );
}

function inPieces(sequences: readonly ActiveSequence[]): ActiveSequence[][] {
  const pieces: ActiveSequence[][] = [];
  let tokens = Infinity;
  for (const sequence of sequences) {
    const last = pieces.at(-1);
    const length = lengthOf(sequence);
    if (last === undefined || last.length >= MAX_SEQUENCES || tokens + length > MAX_TOKENS) {
      pieces.push([sequence]);
      tokens = length;
    } else {
      last.push(sequence);
      tokens += length;
    }
  }
  return pieces;
}

function lengthOf({ promptIds, completionIds }: ActiveSequence): number {
  return promptIds.length + completionIds.length;
}

function count<T>(items: readonly T[], size: (item: T) => number): number {
  return items.reduce((sum, item) => sum + size(item), 0);
}
