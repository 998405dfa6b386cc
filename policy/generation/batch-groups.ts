import type { DecodeRequest } from '../../contracts/decoding.ts';
import { floats, type Feeds } from '../graph/session.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import type { BatchRun } from './batch-interface.ts';
import type { Reading } from './graph-interface.ts';
import { readingOf, type TokenChoice } from './next-tokens.ts';
import { prefillPrompts } from './prefill.ts';
import type { PrefilledPrompts } from './prefill-run.ts';
import { chunks, groupWidth, type Budget, type GroupDemand } from './prompt-groups.ts';

/** Completions of one request that begin together. */
export interface BatchGroup {
  readonly key: number;
  readonly request: DecodeRequest;
  /** Tokens of one completion at most. */
  readonly limit: number;
  /** Indexes of its completions; without those that were given up before they began. */
  readonly wanted: Set<number>;
  /** It was prefilled beside others when that failed: begun alone, its failure is its own. */
  alone: boolean;
}

/**
 * A request's completions in groups that the budget has room for, so that many long ones begin one after the other.
 * @param contextLength tokens of a prompt and its completion at most; the budget has room for as many
 */
export function requestGroups(
  traits: ModelTraits,
  contextLength: number,
  budget: Budget,
  key: number,
  request: DecodeRequest,
): BatchGroup[] {
  const { ids, seeds, sampling } = request;
  const limit = Math.min(sampling.maxNewTokens, contextLength - ids.length);
  const width = groupWidth(traits, budget, ids.length, limit);
  return chunks([...seeds.keys()], width).map((indexes) => ({
    key,
    request,
    limit,
    wanted: new Set(indexes),
    alone: false,
  }));
}

/** What a group needs while so many of its completions go on. */
export function demandOf({ request, limit }: BatchGroup, rows: number): GroupDemand {
  return { promptLength: request.ids.length, rows, limit };
}

/** Prefills the prompts of groups together. @throws what `run.check` throws, and where one of them cannot be computed */
export async function prefillGroups(
  run: BatchRun,
  groups: readonly BatchGroup[],
): Promise<PrefilledPrompts> {
  return prefillPrompts(
    run,
    (from, count) => ({
      ...run.prefillFeeds,
      ...temperatureFeed(groups.slice(from, from + count).map(({ request }) => request.sampling)),
    }),
    groups.map(({ request }) => request.ids),
  );
}

/** Temperatures of rows; greedy ones tell probabilities at temperature 1. */
export function temperatureFeed(choices: readonly (TokenChoice | null)[]): Feeds {
  const values = choices.map((choice) => 1 / (choice?.temperature || 1));
  return { inverse_temperature: floats(Float32Array.from(values), [values.length, 1]) };
}

/** What a decoding step is to tell so that each of these groups gets what it needs. */
export function batchReading(
  { vocab }: ModelTraits,
  groups: ReadonlyMap<number, BatchGroup>,
): Reading {
  const each = [...groups.values()].map(({ request: { sampling, topLogprobs } }) =>
    readingOf(vocab, sampling, topLogprobs),
  );
  return { drawn: each.some(({ drawn }) => drawn), whole: each.some(({ whole }) => whole) };
}
