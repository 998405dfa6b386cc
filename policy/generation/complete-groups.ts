import type { SamplingParameters } from '../../contracts/policy.ts';
import type { Feeds, Session } from '../graph/session.ts';
import { admit, countStep, createAdmission } from './admission.ts';
import { layOutCache, paddedLength, type PromptBlocks } from './cache-layout.ts';
import { decodeStep } from './decode-step.ts';
import type { MatrixPlace } from './matrices.ts';
import type { KeyValueCache } from './key-value-cache.ts';
import { chooseToken, readingOf, type NextTokens } from './next-tokens.ts';
import { prefillPrompts } from './prefill.ts';
import type { PrefillRun } from './prefill-run.ts';
import type { CompletionRow, GenerationBudget, PromptGroup } from './prompt-groups.ts';
import { COMPACTION_SHARE, planGrid } from './row-grid.ts';

/** What a request is completed with. */
export interface GroupRun extends PrefillRun {
  readonly eosIds: readonly number[];
  readonly budget: GenerationBudget;
  readonly decode: Session;
  /** Where the matrices of `decode` are. */
  readonly place: MatrixPlace;
  readonly sampling: SamplingParameters;
  /** Rotary tables and temperature, and the weights that prefill and decoding are fed. */
  readonly prefillFeeds: Feeds;
  readonly decodeFeeds: Feeds;
  readonly report: () => void;
}

/**
 * Completes groups, as many at once as the budget allows. What ends makes room for the groups that wait
 * ({@link admit}), so that a long completion does not keep the batch waiting; once none waits, the batch shrinks.
 */
export async function completeGroups(run: GroupRun, groups: readonly PromptGroup[]): Promise<void> {
  const { traits } = run;
  const rows = groups.flatMap((group) => group.rows);
  const groupOf = groups.flatMap((group, i) => group.rows.map(() => i));
  const lengthOf = (group: number): number => groups[group]!.ids.length;
  const admission = createAdmission({ traits, place: run.place, groups, budget: run.budget });
  let cache: KeyValueCache | null = null;
  for (;;) {
    const admitted = admit(admission, cache === null ? 0 : cacheTokens(cache));
    const arrived = admitted.length === 0 ? null : await begin(run, groups, admitted);
    const open = [...rows.keys()].filter(
      (row) => groupOf[row]! < admission.next && !rows[row]!.finished,
    );
    if (open.length === 0) {
      if (admission.next === groups.length) return;
      cache = null;
      continue;
    }
    const sources = { before: cache, arrived };
    const length = paddedLength(sources, new Set(open.map((row) => groupOf[row]!)), lengthOf);
    const best = planGrid(traits, open, (row) => groupOf[row]!, length);
    if (cache === null || arrived !== null || best.cost <= COMPACTION_SHARE * cache.grid.cost) {
      cache = layOutCache(traits, best, length, lengthOf, sources);
    }
    const longest = Math.max(...open.map((row) => rows[row]!.ids.length));
    countStep(admission, open.length, longest);
    await step(run, rows, cache);
  }
}

/** Tokens whose keys and values a cache holds, padding included. */
function cacheTokens({ grid, promptLength, capacity }: KeyValueCache): number {
  return grid.prompts.length * promptLength + grid.slots.length * capacity;
}

/** Prefills groups and gives each of their rows its first token. */
async function begin(
  run: GroupRun,
  groups: readonly PromptGroup[],
  numbers: readonly number[],
): Promise<PromptBlocks> {
  const { length, blocks, next } = await prefillPrompts(
    run,
    () => run.prefillFeeds,
    numbers.map((number) => groups[number]!.ids),
  );
  for (const [i, number] of numbers.entries()) {
    for (const row of groups[number]!.rows) take(run, row, next[i]!);
  }
  run.report();
  return { groups: numbers, length, blocks };
}

/** One more token for each row of the grid that goes on. */
async function step(
  run: GroupRun,
  rows: readonly CompletionRow[],
  cache: KeyValueCache,
): Promise<void> {
  const reading = readingOf(run.traits.vocab, run.sampling, 0);
  const nexts = await decodeStep(run, run.decodeFeeds, cache, reading, (row) => rows[row]!);
  for (const { row, next } of nexts) take(run, rows[row]!, next);
  run.report();
}

/** Gives a row its next token. */
function take({ traits, eosIds, sampling }: GroupRun, row: CompletionRow, next: NextTokens): void {
  const { id, logprob } = chooseToken(next, traits.vocab, sampling, row.seed, row.ids.length);
  row.ids.push(id);
  row.logprobs.push(logprob);
  row.stopped = eosIds.includes(id);
  row.finished = row.stopped || row.ids.length >= row.limit;
}
