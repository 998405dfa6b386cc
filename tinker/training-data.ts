import type { TinkerReduction } from '../contracts/config.ts';
import type { ObjectiveOptions, TrainingSequence } from '../contracts/policy.ts';
import { tokenWeights } from '../policy/training/token-weights.ts';

/** Numbers of a sequence, one per target token. */
interface TensorData {
  readonly data: readonly number[];
}

/** A sequence as a service takes it. */
export interface Datum {
  readonly model_input: {
    readonly chunks: readonly {
      readonly type: 'encoded_text';
      readonly tokens: readonly number[];
    }[];
  };
  readonly loss_fn_inputs: {
    readonly target_tokens: TensorData;
    readonly weights: TensorData;
    readonly logprobs: TensorData;
    readonly advantages: TensorData;
  };
}

/** A loss of the API and its numbers. */
export interface LossChoice {
  readonly lossFn: 'cispo' | 'ppo';
  readonly lossFnConfig: {
    readonly clip_low_threshold: number;
    readonly clip_high_threshold: number;
  };
}

/** A sequence of a batch that is trained on. */
export interface ActiveSequence extends TrainingSequence {
  /** Weight of each of its tokens in our loss. */
  readonly weight: number;
  /** What its advantage is multiplied by, for the service's way of adding up to come to `weight`. */
  readonly scale: number;
}

/**
 * The sequences of a batch that are not masked, with what their advantages are multiplied by.
 *
 * A service that sums token losses gives each its factor; one that averages over the m tokens of a sequence, and then over all B
 * sequences between two optimiser steps, divides by m·B first. Factors are positive, so that clipping is not affected.
 */
export function activeSequences(
  sequences: readonly TrainingSequence[],
  objective: ObjectiveOptions,
  reduction: TinkerReduction,
): ActiveSequence[] {
  const weights = tokenWeights(sequences, objective);
  const active = sequences.flatMap((sequence, i) =>
    sequence.masked ? [] : [{ ...sequence, weight: weights[i] ?? 0 }],
  );
  return active.map((sequence) => ({
    ...sequence,
    scale:
      sequence.weight * (reduction === 'sum' ? 1 : sequence.completionIds.length * active.length),
  }));
}

/**
 * The loss of the first optimiser step on a batch: r = 1, and the truncated importance weight between rollout and trainer multiplies the
 * gradient. That is CISPO's gradient with the ratio clipped to [0, cap]; without a cap, to 1.
 */
export function firstLoss({ importanceSamplingCap: cap }: ObjectiveOptions): LossChoice {
  const [low, high] = cap > 0 ? [0, cap] : [1, 1];
  return { lossFn: 'cispo', lossFnConfig: { clip_low_threshold: low, clip_high_threshold: high } };
}

/** The loss of the later ones: PPO's, its ratios taken to the log-probabilities of the first. */
export function laterLoss({ epsilon, epsilonHigh }: ObjectiveOptions): LossChoice {
  return {
    lossFn: 'ppo',
    lossFnConfig: { clip_low_threshold: 1 - epsilon, clip_high_threshold: 1 + epsilonHigh },
  };
}

/**
 * A sequence for a service: every token but the last is input, every one but the first a target, and only those of the completion count.
 *
 * @param logprobs - Of each completion token, what ratios are taken to.
 * @param factors - Of each completion token, what the scaled advantage is multiplied by; left out: 1.
 */
export function datum(
  { promptIds, completionIds, advantage, scale }: ActiveSequence,
  logprobs: readonly number[],
  factors?: readonly number[],
): Datum {
  const tokens = [...promptIds, ...completionIds];
  const prompt = promptIds.length - 1;
  const behindPrompt = (values: readonly number[]): TensorData => ({
    data: [...Array.from({ length: prompt }, () => 0), ...values],
  });
  return {
    model_input: { chunks: [{ type: 'encoded_text', tokens: tokens.slice(0, -1) }] },
    loss_fn_inputs: {
      target_tokens: { data: tokens.slice(1) },
      weights: behindPrompt(completionIds.map(() => 1)),
      logprobs: behindPrompt(logprobs),
      advantages: behindPrompt(
        completionIds.map((_, t) => advantage * scale * (factors?.[t] ?? 1)),
      ),
    },
  };
}
