import type { Session } from '../graph/session.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import { newKeys, newValues, promptKeys, promptValues, type Choice } from './graph-interface.ts';
import type { NextTokens } from './next-tokens.ts';
import type { GenerationBudget } from './prompt-groups.ts';

/** Tokens of one prefill run at most, padding included; beyond a few hundred, larger runs are no faster. */
export const PREFILL_TOKENS = 2048;

/** What prompts are prefilled with. */
export interface PrefillRun {
  readonly traits: ModelTraits;
  readonly budget: Pick<GenerationBudget, 'prefillBytes'>;
  /** Of the sessions. */
  readonly choice: Choice;
  readonly prefill: Session;
  /** Goes on with a prompt that is prefilled in blocks. */
  readonly continuedPrefill: () => Promise<Session>;
  /** Called before each run of a graph; throws to stop. */
  readonly check: () => void;
}

export interface PrefilledPrompts {
  /** Padded length. */
  readonly length: number;
  /** [prompts, kvHeads, length, headDim] by the decode graph's feed names. */
  readonly blocks: ReadonlyMap<string, Float32Array>;
  /** What may follow each prompt, in the prompts' order. */
  readonly next: readonly NextTokens[];
}

/** Whether a prompt takes too much for one run. */
export function isLong(
  traits: ModelTraits,
  length: number,
  { prefillBytes }: Pick<GenerationBudget, 'prefillBytes'>,
): boolean {
  return length > PREFILL_TOKENS || length * prefillTokenBytes(traits, length) > prefillBytes;
}

/** Bytes that each token of a run takes: its scores against `reach` tokens, twice, its mask, and its layers' widest values. */
export function prefillTokenBytes(
  { hidden, heads, kvHeads, ffn }: ModelTraits,
  reach: number,
): number {
  return 4 * (reach * (2 * heads + heads / kvHeads + 1) + 4 * hidden + 3 * ffn);
}

/** Names of a layer's keys and values as the decode graph is fed them, and as they are fetched from a prefill. */
export function cacheNames(traits: ModelTraits): { feed: string; fetch: string }[] {
  return Array.from({ length: traits.layers }, (_, layer) => [
    { feed: promptKeys(layer), fetch: newKeys(layer) },
    { feed: promptValues(layer), fetch: newValues(layer) },
  ]).flat();
}
