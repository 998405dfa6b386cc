import type { Precision, RunConfig } from '../contracts/config.ts';
import { hashSeed } from '../contracts/hash.ts';
import type {
  Demonstration,
  GeneratedCompletion,
  GenerationPrompt,
  SamplingParameters,
  TrainableOptions,
} from '../contracts/policy.ts';
import { adamW } from '../activities/engine-options.ts';
import { createGenerator } from '../policy/generation/generator.ts';
import { onCpu } from '../policy/graph/session.ts';
import { createTrainer, type Trainer } from '../policy/training/trainer.ts';
import {
  completionWork,
  forwardFlops,
  loraTrainingFlops,
  sequenceWork,
  sumWork,
  trainingFlops,
} from './flops.ts';
import type { Computed, Task, Workload } from './in-turn.ts';
import { randomIds, type BenchModel } from './models.ts';

/*
 * The parts of the engine as work to measure: called directly, in this thread.
 */

/** All weights train. */
export const FULL: TrainableOptions = { mode: 'full', loraRank: 1, loraAlpha: 1, seed: 0 };

/** What a row's name says of it. */
export function inWords(precision: Precision): string {
  return precision === 'float32' ? '' : `, ${precision}`;
}

/** The model's prompts with seeds for so many completions each. */
export function seededPrompts(model: BenchModel, completions: number): GenerationPrompt[] {
  return model.prompts.map((ids, prompt) => ({
    ids,
    seeds: Array.from({ length: completions }, (_, i) => hashSeed('bench', prompt, i)),
  }));
}

/**
 * Completions of all prompts, `completions` each: generated tokens per second, prefill included.
 * @param onGenerated receives each repetition's completions
 */
export function samplingTask(
  { threads, rolloutPrecision: precision }: RunConfig,
  model: BenchModel,
  completions: number,
  sampling: SamplingParameters,
  onGenerated: (generated: readonly GeneratedCompletion[]) => void = () => undefined,
): Task {
  const prompts = seededPrompts(model, completions);
  const longest = Math.max(...prompts.map(({ ids }) => ids.length));
  return {
    work: `sampling ${prompts.length} × ${completions}, prompts ≤ ${longest}, new ≤ ${sampling.maxNewTokens}${inWords(precision)}`,
    model: model.name,
    unit: 'tokens/s',
    open: async () => {
      const generator = createGenerator({ ...model, runtime: onCpu(threads) });
      return {
        compute: async () => {
          const started = performance.now();
          let first = started;
          const onTokens = (): void => {
            if (first === started) first = performance.now();
          };
          const call = { onTokens, precision, weightsKey: model.name };
          const generated = await generator.generate(model.weights, prompts, sampling, call);
          onGenerated(generated);
          const prefill = (first - started) / 1000;
          return {
            ...sampled(model, prompts, generated),
            phases: {
              'to the first token': prefill,
              after: (performance.now() - first) / 1000,
            },
          };
        },
        close: () => generator.close(),
      };
    },
  };
}

/** Decoding of one row, greedily: tokens per second from the first new token to the last, without the prefill. */
export function decodingTask(
  { threads, rolloutPrecision: precision }: RunConfig,
  model: BenchModel,
  newTokens: number,
): Task & { readonly prompt: readonly number[] } {
  const [prompt = []] = model.prompts;
  const sampling = { temperature: 0, topP: 1, maxNewTokens: newTokens };
  return {
    prompt,
    work: `decoding one row greedily, prompt ${prompt.length}, new ${newTokens}${inWords(precision)}`,
    model: model.name,
    unit: 'tokens/s',
    open: async () => {
      const generator = createGenerator({ ...model, runtime: onCpu(threads) });
      return {
        compute: async () => {
          let first = 0;
          const onTokens = (): void => {
            first ||= performance.now();
          };
          const wanted = [{ ids: prompt, seeds: [0] }];
          const [completion] = await generator.generate(model.weights, wanted, sampling, {
            onTokens,
            precision,
            weightsKey: model.name,
          });
          const tokens = (completion?.ids.length ?? 0) - 1;
          const { seen } = completionWork([
            { promptTokens: prompt.length, completions: [tokens + 1] },
          ]);
          const decoded = seen - sequenceWork(prompt.length, 0).seen;
          return {
            tokens,
            flops: forwardFlops(model.traits, { tokens, seen: decoded, predicted: tokens }),
            seconds: (performance.now() - first) / 1000,
          };
        },
        close: () => generator.close(),
      };
    },
  };
}

/** Tokens and FLOPs of completions. */
export function sampled(
  { traits }: BenchModel,
  prompts: readonly GenerationPrompt[],
  generated: readonly GeneratedCompletion[],
): Pick<Computed, 'tokens' | 'flops'> {
  const completed = prompts.map(({ ids }, prompt) => ({
    promptTokens: ids.length,
    completions: generated.filter((each) => each.prompt === prompt).map((c) => c.ids.length),
  }));
  return {
    tokens: generated.reduce((sum, { ids }) => sum + ids.length, 0),
    flops: forwardFlops(traits, completionWork(completed)),
  };
}

/** A GRPO gradient step on completions of the model's prompts: tokens per second, prompts included. */
export function gradientStepTask(
  config: RunConfig,
  model: BenchModel,
  generated: readonly GeneratedCompletion[],
): Task {
  const sequences = generated.map(({ prompt, index, ids, logprobs }) => ({
    promptIds: model.prompts[prompt] ?? [],
    completionIds: ids,
    rolloutLogprobs: logprobs,
    advantage: index % 2 === 0 ? 1 : -1,
    masked: false,
  }));
  const flops = trainingFlops(model.traits, workOf(sequences));
  return {
    work: `GRPO step, ${sequences.length} sequences`,
    model: model.name,
    unit: 'tokens/s',
    open: () =>
      trainerWorkload(model, FULL, config, async (trainer) => {
        const { tokens } = await trainer.gradientStep({
          sequences,
          objective: config,
          optimizer: adamW(config, config.learningRate),
          microBatchTokens: config.microBatchTokens,
        });
        return { tokens, flops };
      }),
  };
}

/** A supervised step on B random sequences of T tokens, all but the first predicted. */
export function supervisedTask(
  config: RunConfig,
  model: BenchModel,
  rows: readonly (readonly number[])[],
  trainable: TrainableOptions,
): Task {
  const demonstrations = rows.map((ids) => ({
    promptIds: ids.slice(0, 1),
    completionIds: ids.slice(1),
  }));
  const length = Math.max(...rows.map((ids) => ids.length));
  const { mode, loraRank } = trainable;
  const what = mode === 'full' ? 'full' : `LoRA r=${loraRank}`;
  const work = workOf(demonstrations);
  const flops =
    mode === 'full'
      ? trainingFlops(model.traits, work)
      : loraTrainingFlops(model.traits, loraRank, work);
  return {
    work: `supervised step ${what}, ${rows.length} × ${length}`,
    model: model.name,
    unit: 'tokens/s',
    open: () =>
      trainerWorkload(model, trainable, config, async (trainer) => {
        const { tokens } = await trainer.supervise({
          demonstrations,
          optimizer: adamW(config, config.learningRate),
          microBatchTokens: rows.length * length,
        });
        return { tokens, flops };
      }),
  };
}

/** B random sequences of T tokens. */
export function randomRows({ traits }: BenchModel, rows: number, length: number): number[][] {
  return Array.from({ length: rows }, (_, i) =>
    randomIds(traits, length, hashSeed('bench demonstration', i)),
  );
}

async function trainerWorkload(
  { traits, weights }: BenchModel,
  trainable: TrainableOptions,
  { threads }: RunConfig,
  compute: (trainer: Trainer) => Promise<Computed>,
): Promise<Workload> {
  const trainer = await createTrainer({ traits, weights, trainable, runtime: onCpu(threads) });
  return { compute: () => compute(trainer), close: () => trainer.close() };
}

/** The last token of a sequence is predicted, but does not go in. */
function workOf(sequences: readonly Demonstration[]) {
  return sumWork(
    sequences.map(({ promptIds, completionIds }) =>
      sequenceWork(promptIds.length + completionIds.length - 1, completionIds.length),
    ),
  );
}
