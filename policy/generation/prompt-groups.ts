import type { GenerationPrompt } from '../../contracts/policy.ts';
import type { LlamaTraits } from '../models/llama-traits.ts';
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

/** More rows at once make a token no cheaper. */
export const BUDGET: Budget = { rows: 256, cacheBytes: 2 * 1024 ** 3 };

/**
 * The completions of a request in the order in which they begin: prompts by length, so that those under way together are of
 * like length. A prompt's completions stay together, as far as the budget lets them.
 */
export function promptGroups(
  { traits, contextLength }: { readonly traits: LlamaTraits; readonly contextLength: number },
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
    const tokens = budget.cacheBytes / keyValueBytes(traits);
    const width = Math.min(budget.rows, Math.floor((tokens - ids.length) / limit));
    return chunks(rows, Math.max(1, width)).map((part) => ({ ids, rows: part }));
  });
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** Whether groups may be under way together: the cache is as wide as its longest prompt and as its longest completion may get. */
export function fits(
  traits: LlamaTraits,
  groups: readonly {
    readonly promptLength: number;
    readonly open: number;
    readonly limit: number;
  }[],
  budget: Budget,
): boolean {
  const most = (of: (group: (typeof groups)[number]) => number): number =>
    groups.reduce((highest, group) => Math.max(highest, of(group)), 0);
  const rows = groups.reduce((sum, { open }) => sum + open, 0);
  const tokens =
    groups.length * most((group) => group.promptLength) + rows * most((group) => group.limit);
  return rows <= budget.rows && tokens * keyValueBytes(traits) <= budget.cacheBytes;
}
