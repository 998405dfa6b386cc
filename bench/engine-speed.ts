import type { RunConfig } from '../contracts/config.ts';
import { hashSeed } from '../contracts/hash.ts';
import type {
  Demonstration,
  GeneratedCompletion,
  SamplingParameters,
  TrainableOptions,
} from '../contracts/policy.ts';
import { adamW } from '../activities/engine-options.ts';
import { createGenerator } from '../policy/generation/generator.ts';
import { createTrainer, type Trainer } from '../policy/training/trainer.ts';
import {
  completionWork,
  forwardFlops,
  loraTrainingFlops,
  sequenceWork,
  sumWork,
  trainingFlops,
} from './flops.ts';
import { againstRoofline, type Measurement } from './measure.ts';
import { randomIds, type BenchModel } from './models.ts';
import type { BenchRow } from './row.ts';

/** How the engine is measured: its parts called directly, in this thread. */
export interface EngineBench extends Measurement {
  /** Objective, optimiser, threads and budgets of the measured calls. */
  readonly config: RunConfig;
}

/** Completions of all prompts, `completions` each: generated tokens per second, prefill included. */
export async function samplingSpeed(
  bench: EngineBench,
  model: BenchModel,
  completions: number,
  sampling: SamplingParameters,
): Promise<{ readonly row: BenchRow; readonly generated: readonly GeneratedCompletion[] }> {
  const { threads } = bench.config;
  const generator = createGenerator({ ...model, threads });
  const prompts = model.prompts.map((ids, prompt) => ({
    ids,
    seeds: Array.from({ length: completions }, (_, i) => hashSeed('bench', prompt, i)),
  }));
  let generated: GeneratedCompletion[] = [];
  try {
    const longest = Math.max(...prompts.map(({ ids }) => ids.length));
    const shape = `${prompts.length} × ${completions}, prompts ≤ ${longest}, new ≤ ${sampling.maxNewTokens}`;
    const name = { work: `sampling ${shape}`, model: model.name };
    const row = await againstRoofline(name, bench, async () => {
      // Several calls sample from one policy, as the shards of a step do.
      generated = await generator.generate(model.weights, prompts, sampling, {
        weightsKey: model.name,
      });
      const completed = prompts.map(({ ids }, prompt) => ({
        promptTokens: ids.length,
        completions: generated.filter((each) => each.prompt === prompt).map((c) => c.ids.length),
      }));
      return {
        tokens: generated.reduce((sum, { ids }) => sum + ids.length, 0),
        flops: forwardFlops(model.traits, completionWork(completed)),
      };
    });
    return { row, generated };
  } finally {
    await generator.close();
  }
}

/** A GRPO gradient step on completions of the model's prompts: tokens per second, prompts included. */
export async function gradientStepSpeed(
  bench: EngineBench,
  model: BenchModel,
  generated: readonly GeneratedCompletion[],
): Promise<BenchRow> {
  const { config } = bench;
  const sequences = generated.map(({ prompt, index, ids, logprobs }) => ({
    promptIds: model.prompts[prompt] ?? [],
    completionIds: ids,
    rolloutLogprobs: logprobs,
    advantage: index % 2 === 0 ? 1 : -1,
    masked: false,
  }));
  const name = { work: `GRPO step, ${sequences.length} sequences`, model: model.name };
  const flops = trainingFlops(model.traits, workOf(sequences));
  return withTrainer(model, FULL, config, async (trainer) =>
    againstRoofline(name, bench, async () => {
      const { tokens } = await trainer.gradientStep({
        sequences,
        objective: config,
        optimizer: adamW(config, config.learningRate),
        microBatchTokens: config.microBatchTokens,
      });
      return { tokens, flops };
    }),
  );
}

/** A supervised step on B random sequences of T tokens, all but the first predicted. */
export async function supervisedSpeed(
  bench: EngineBench,
  model: BenchModel,
  { rows, length }: { readonly rows: number; readonly length: number },
  trainable: TrainableOptions,
): Promise<BenchRow> {
  const demonstrations = Array.from({ length: rows }, (_, i) => {
    const ids = randomIds(model.traits, length, hashSeed('bench demonstration', i));
    return { promptIds: ids.slice(0, 1), completionIds: ids.slice(1) };
  });
  const { config } = bench;
  const { mode, loraRank } = trainable;
  const what = mode === 'full' ? 'full' : `LoRA r=${loraRank}`;
  const name = { work: `supervised step ${what}, ${rows} × ${length}`, model: model.name };
  const work = workOf(demonstrations);
  const flops =
    mode === 'full'
      ? trainingFlops(model.traits, work)
      : loraTrainingFlops(model.traits, loraRank, work);
  return withTrainer(model, trainable, config, async (trainer) =>
    againstRoofline(name, bench, async () => {
      const { tokens } = await trainer.supervise({
        demonstrations,
        optimizer: adamW(config, config.learningRate),
        microBatchTokens: rows * length,
      });
      return { tokens, flops };
    }),
  );
}

/** All weights train. */
export const FULL: TrainableOptions = { mode: 'full', loraRank: 1, loraAlpha: 1, seed: 0 };

async function withTrainer<T>(
  { traits, weights }: BenchModel,
  trainable: TrainableOptions,
  { threads }: RunConfig,
  measure: (trainer: Trainer) => Promise<T>,
): Promise<T> {
  const trainer = await createTrainer({ traits, weights, trainable, threads });
  try {
    return await measure(trainer);
  } finally {
    await trainer.close();
  }
}

/** The last token of a sequence is predicted, but does not go in. */
function workOf(sequences: readonly Demonstration[]) {
  return sumWork(
    sequences.map(({ promptIds, completionIds }) =>
      sequenceWork(promptIds.length + completionIds.length - 1, completionIds.length),
    ),
  );
}
