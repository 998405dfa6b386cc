import type { RunConfig } from '../contracts/config.ts';
import { hashSeed } from '../contracts/hash.ts';
import type { TrainingSequence } from '../contracts/policy.ts';
import { adamW, objectiveOptions } from '../activities/engine-options.ts';
import { onCpu } from '../policy/graph/session.ts';
import { createTrainer, type Trainer } from '../policy/training/trainer.ts';
import { FULL } from './engine-speed.ts';
import type { Peer, Task } from './in-turn.ts';
import { randomIds, type BenchModel } from './models.ts';
import { sharedStepFlops } from './whole-step.ts';

/**
 * A GRPO gradient step in which completions share their prompt, against one sequence per rollout. Both go through the same
 * trainer: prompts that differ in their first token are not shared, and cost what they would cost anyway.
 * @param bar least ratio wanted
 */
export function gradientFormsTask(
  config: RunConfig,
  model: BenchModel,
  size: { readonly completions: number; readonly newTokens: number },
  bar: number,
): Task {
  const sequences = randomSequences(model, size.completions, size.newTokens);
  const tokens = sequences.reduce(
    (sum, { promptIds, completionIds }) => sum + promptIds.length + completionIds.length,
    0,
  );
  const flops = sharedStepFlops(
    model,
    sequences.map(({ completionIds }, i) => ({
      prompt: Math.floor(i / size.completions),
      ids: completionIds,
    })),
  );
  let trainer: Trainer | undefined;
  const step = async (batch: readonly TrainingSequence[]): Promise<void> => {
    if (trainer === undefined) throw new Error('the trainer is not open');
    await trainer.gradientStep({
      sequences: batch,
      objective: objectiveOptions(config),
      optimizer: adamW(config, config.learningRate),
      microBatchTokens: config.microBatchTokens,
    });
  };
  const openPlain = async (): Promise<Peer> => {
    const plain = sequences.map((sequence, i) => unshared(model, sequence, i));
    await step(plain.slice(0, size.completions));
    return {
      measure: async () => {
        const started = performance.now();
        await step(plain);
        return { tokens, seconds: (performance.now() - started) / 1000 };
      },
      close: async () => undefined,
    };
  };
  const longest = Math.max(...model.prompts.map(({ length }) => length));
  return {
    work: `gradient step, shared prompts, ${model.prompts.length} × ${size.completions}, ${longest} + ${size.newTokens}`,
    model: model.name,
    unit: 's',
    peers: [{ name: 'one sequence per rollout', bar, open: openPlain }],
    open: async () => {
      const { traits, weights } = model;
      trainer = await createTrainer({
        traits,
        weights,
        trainable: FULL,
        runtime: onCpu(config.threads),
      });
      return {
        warmUp: () => step(sequences.slice(0, size.completions)),
        compute: async () => {
          await step(sequences);
          return { tokens, flops };
        },
        close: async () => {
          await trainer?.close();
          trainer = undefined;
        },
      };
    },
  };
}

/** Completions at random, with the log-probabilities of an even distribution. */
function randomSequences(
  { traits, prompts }: BenchModel,
  completions: number,
  newTokens: number,
): TrainingSequence[] {
  const logprob = -Math.log(traits.vocab);
  return prompts.flatMap((promptIds, prompt) =>
    Array.from({ length: completions }, (_, i) => ({
      promptIds,
      completionIds: randomIds(traits, newTokens, hashSeed('bench completion', prompt, i)),
      rolloutLogprobs: Array.from({ length: newTokens }, () => logprob),
      advantage: i % 2 === 0 ? 1 : -1,
      masked: false,
    })),
  );
}

/** The sequence with a first token of its own. */
function unshared(
  { traits }: BenchModel,
  sequence: TrainingSequence,
  index: number,
): TrainingSequence {
  return { ...sequence, promptIds: [index % traits.vocab, ...sequence.promptIds.slice(1)] };
}
