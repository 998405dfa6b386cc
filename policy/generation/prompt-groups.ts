import type { GenerationPrompt } from '../../contracts/policy.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import { keyValueBytes } from './generation-costs.ts';

/** One completion in the making. */
export interface CompletionRow {
  readonly prompt: number;
  readonly index: number;
  readonly seed: number;
  /** Tokens at most. */
  readonly limit: number;
  readonly ids: number[];
  readonly logprobs: number[];
  /** Ended with EOS. */
  stopped: boolean;
  finished: boolean;
}

/** Completions of one prompt that begin together. */
export interface PromptGroup {
  readonly ids: readonly number[];
  readonly rows: readonly CompletionRow[];
}

/** What may be under way at once. */
export interface Budget {
  readonly rows: number;
  /** Of keys and values, unless a single row needs more. */
  readonly cacheBytes: number;
}

/** What generation may take. */
export interface GenerationBudget extends Budget {
  /** Of a prefill's run, beside weights, keys and values; longer prompts are prefilled in blocks. */
  readonly prefillBytes: number;
}

/**
 * More rows at once make a token no cheaper. Most of a prefill are the scores of attention, which grow with the square of a prompt that is
 * not computed in blocks.
 */
export const BUDGET: GenerationBudget = {
  rows: 256,
  cacheBytes: 2 * 1024 ** 3,
  prefillBytes: 1024 ** 3,
};

/**
 * The completions of a request in the order in which they begin: prompts by length, so that those under way together are of
 * like length. A prompt's completions stay together, as far as the budget lets them.
 */
export function promptGroups(
  { traits, contextLength }: { readonly traits: ModelTraits; readonly contextLength: number },
  prompts: readonly GenerationPrompt[],
  maxNewTokens: number,
  budget: Budget,
): PromptGroup[] {
  const order = [...prompts.keys()].sort(
    (a, b) => prompts[a]!.ids.length - prompts[b]!.ids.length || a - b,
  );
  return order.flatMap((prompt) => {
    const { ids, seeds } = prompts[prompt]!;
    const limit = Math.min(maxNewTokens, contextLength - ids.length);
    const rows = seeds.map((seed, index): CompletionRow => {
      const made = { ids: [], logprobs: [], stopped: false, finished: false };
      return { prompt, index, seed, limit, ...made };
    });
    const width = groupWidth(traits, budget, ids.length, limit);
    return chunks(rows, width).map((part) => ({ ids, rows: part }));
  });
}

/**
 * Completions of one prompt that the budget lets begin together; 1 where it has room for none.
 * @param limit tokens of a completion at most
 */
export function groupWidth(
  traits: ModelTraits,
  budget: Budget,
  promptLength: number,
  limit: number,
): number {
  const room = Math.floor((cacheTokens(traits, budget) - promptLength) / limit);
  return Math.max(1, Math.min(budget.rows, room));
}

/** Tokens whose keys and values the budget has room for; not a whole number. */
export function cacheTokens(traits: ModelTraits, { cacheBytes }: Budget): number {
  return cacheBytes / keyValueBytes(traits);
}

/** Parts of a list, in its order. @param size of all but the last */
export function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** What the completions of a group need that still go on. */
export interface GroupDemand {
  readonly promptLength: number;
  readonly rows: number;
  /** Tokens of one completion at most. */
  readonly limit: number;
}

/**
 * Whether groups may be under way together. Their prompts are padded to the longest, and room is made for their longest
 * completion in every row.
 */
export function fits(traits: ModelTraits, groups: readonly GroupDemand[], budget: Budget): boolean {
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  const promptLength = Math.max(0, ...groups.map((group) => group.promptLength));
  const limit = Math.max(0, ...groups.map((group) => group.limit));
  const tokens = groups.length * promptLength + rows * limit;
  return rows <= budget.rows && tokens * keyValueBytes(traits) <= budget.cacheBytes;
}
