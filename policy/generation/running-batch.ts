import type { BatchRun, BatchStep, RunningBatch } from './batch-interface.ts';
import {
  batchReading,
  demandOf,
  prefillGroups,
  requestGroups,
  temperatureFeed,
  type BatchGroup,
} from './batch-groups.ts';
import { capacityFor, layOutCache, type PromptBlocks } from './cache-layout.ts';
import { fillSlots, vacateSlots, type NewRow } from './cache-slots.ts';
import { decodeStep } from './decode-step.ts';
import type { KeyValueCache } from './key-value-cache.ts';
import { startLongPrefill, type LongPrefill } from './long-prefill.ts';
import { chooseToken, likeliestTokens, type NextTokens, type TokenChoice } from './next-tokens.ts';
import { isLong, type PrefilledPrompts } from './prefill-run.ts';
import { cacheTokens, fits } from './prompt-groups.ts';
import { COMPACTION_SHARE, planGrid } from './row-grid.ts';
import type { DrawnToken } from './token-sampler.ts';

/** Prompts are padded to whole multiples, so that another one often fits into a slot that becomes free. */
const PROMPT_STEP = 32;

/** Room for own tokens is given up when it is so many times what is needed. */
const SPACIOUS = 4;

interface BatchRow {
  readonly group: number;
  readonly index: number;
  readonly seed: number;
  readonly ids: number[];
  finished: boolean;
}

/** A group whose prompt is prefilled in blocks, one a step, so that the others need not wait. */
interface LongGroup {
  readonly group: BatchGroup;
  readonly prefill: LongPrefill;
}

/** An empty batch. Its rows are computed together; what one becomes depends on its own request, up to rounding. */
export function createRunningBatch(run: BatchRun): RunningBatch {
  const { traits, budget } = run;
  const contextLength = Math.min(run.contextLength, Math.floor(cacheTokens(traits, budget)));
  let waiting: BatchGroup[] = [];
  let long: LongGroup | null = null;
  /** Milliseconds that those under way have lost to the last block, and not decoded since: then the next one has its turn. */
  let owed = 0;
  /** Under way, by number. */
  const groups = new Map<number, BatchGroup>();
  const rows = new Map<number, BatchRow>();
  let cache: KeyValueCache | null = null;
  /** A slot holds what a row that failed left, which may be NaN: that is read even where it is masked. */
  let spoilt = false;
  let lastGroup = 0;
  let lastRow = 0;

  const lengthOf = (group: number): number => groups.get(group)!.request.ids.length;
  const choiceOf = (row: number): TokenChoice => groups.get(rows.get(row)!.group)!.request.sampling;

  /** Forgets rows that ended; their slots are free. */
  const leave = (ended: ReadonlySet<number>): void => {
    if (ended.size === 0) return;
    if (cache !== null) cache = vacateSlots(cache, ended);
    for (const number of ended) rows.delete(number);
    const used = new Set([...rows.values()].map(({ group }) => group));
    for (const number of groups.keys()) if (!used.has(number)) groups.delete(number);
  };

  /** Ends a request: its places are free. */
  const fail = (step: BatchStep, key: number, error: unknown): void => {
    step.failures.push({ key, error });
    waiting = waiting.filter((group) => group.key !== key);
    if (long?.group.key === key) long = null;
    spoilt = true;
    const ended = [...rows].filter(([, { group }]) => groups.get(group)!.key === key);
    leave(new Set(ended.map(([number]) => number)));
  };

  /** Gives a row its next token. */
  const take = (step: BatchStep, number: number, next: NextTokens): void => {
    const row = rows.get(number)!;
    const { key, request, limit } = groups.get(row.group)!;
    const { sampling, topLogprobs } = request;
    let drawn: DrawnToken;
    try {
      drawn = chooseToken(next, traits.vocab, sampling, row.seed, row.ids.length);
    } catch (error) {
      fail(step, key, error);
      return;
    }
    row.ids.push(drawn.id);
    const stopped = run.eosIds.includes(drawn.id);
    const full = row.ids.length >= limit;
    row.finished = stopped || full;
    step.tokens.push({
      key,
      index: row.index,
      ...drawn,
      top: likeliestTokens(next, traits.vocab, topLogprobs),
      finishReason: stopped ? 'stop' : full ? 'length' : null,
    });
  };

  /** Takes those that begin now from those that wait, in their order, as many as the budget takes. */
  const admit = (): BatchGroup[] => {
    const under = [...groups].map(([number, group]) => demandOf(group, openRows(rows, number)));
    if (long !== null) under.push(demandOf(long.group, long.group.wanted.size));
    const admitted: BatchGroup[] = [];
    for (;;) {
      const [first] = waiting;
      if (first === undefined) return admitted;
      const demand = demandOf(first, first.wanted.size);
      if (under.length > 0 && !fits(traits, [...under, demand], budget)) return admitted;
      const { ids, sampling } = first.request;
      const inBlocks = isLong(traits, ids.length, budget);
      if (inBlocks ? long !== null : first.alone && admitted.length > 0) return admitted;
      waiting.shift();
      if (first.wanted.size === 0) continue;
      under.push(demand);
      if (inBlocks) {
        const feeds = { ...run.prefillFeeds, ...temperatureFeed([sampling]) };
        long = { group: first, prefill: startLongPrefill({ ...run, feeds }, ids) };
        continue;
      }
      admitted.push(first);
      if (first.alone) return admitted;
    }
  };

  /** Gives the rows of groups that were prefilled their first tokens. */
  const begin = (
    step: BatchStep,
    begun: readonly BatchGroup[],
    { length, blocks, next }: PrefilledPrompts,
  ): PromptBlocks => {
    const numbers = begun.map(() => ++lastGroup);
    for (const [i, group] of begun.entries()) {
      for (const index of group.wanted) {
        if (step.failures.some(({ key }) => key === group.key)) break;
        groups.set(numbers[i]!, group);
        const seed = group.request.seeds[index]!;
        rows.set(++lastRow, { group: numbers[i]!, index, seed, ids: [], finished: false });
        take(step, lastRow, next[i]!);
      }
    }
    return { groups: numbers, length, blocks };
  };

  /** Prefills what is next, and begins what is prefilled. What goes wrong concerns these requests alone. */
  const arrive = async (step: BatchStep): Promise<PromptBlocks | null> => {
    let begun: readonly BatchGroup[] = [];
    try {
      if (long !== null && owed <= 0) {
        begun = [long.group];
        const started = performance.now();
        const prefilled = await long.prefill.advance();
        owed = performance.now() - started;
        if (prefilled !== null) {
          long = null;
          return begin(step, begun, prefilled);
        }
      }
      begun = admit();
      return begun.length === 0 ? null : begin(step, begun, await prefillGroups(run, begun));
    } catch (error) {
      // Whoever stops the whole batch means all.
      run.check();
      const [first, ...others] = begun;
      if (first !== undefined && others.length === 0) fail(step, first.key, error);
      for (const group of others.length === 0 ? [] : begun) group.alone = true;
      if (others.length > 0) waiting.unshift(...begun);
      return null;
    }
  };

  /** The past of all rows, with those of the prompts that arrived. */
  const place = (arrived: PromptBlocks | null): KeyValueCache => {
    const placed = new Set(cache?.grid.slots);
    const begun = [...rows].flatMap(([row, { group }]): NewRow[] =>
      placed.has(row) ? [] : [{ row, group }],
    );
    const filled =
      cache === null || arrived === null || spoilt
        ? null
        : fillSlots(cache, arrived, begun, lengthOf);
    const before = filled ?? cache;
    const joining = filled === null ? arrived : null;
    const longest = Math.max(...[...groups.keys()].map(lengthOf));
    const length = Math.ceil(longest / PROMPT_STEP) * PROMPT_STEP;
    const best = planGrid(traits, [...rows.keys()], (row) => rows.get(row)!.group, length);
    const settled =
      before !== null &&
      joining === null &&
      !spoilt &&
      best.cost > COMPACTION_SHARE * before.grid.cost &&
      before.capacity <= SPACIOUS * capacityFor(openStored(before));
    if (settled) return before;
    spoilt = false;
    return layOutCache(traits, best, length, lengthOf, { before, arrived: joining, tight: true });
  };

  return {
    contextLength,
    add: (key, request) => {
      waiting.push(...requestGroups(traits, contextLength, budget, key, request));
    },
    stop: (key, index) => {
      const ended = [...rows].filter(
        ([, row]) => row.index === index && groups.get(row.group)!.key === key,
      );
      leave(new Set(ended.map(([number]) => number)));
      const begun = long === null ? [] : [long.group];
      for (const group of [...begun, ...waiting]) if (group.key === key) group.wanted.delete(index);
      if (long?.group.wanted.size === 0) long = null;
    },
    idle: () => rows.size === 0 && waiting.length === 0 && long === null,
    step: async () => {
      const made: BatchStep = { tokens: [], failures: [] };
      const arrived = await arrive(made);
      leave(finishedRows(rows));
      if (rows.size === 0) {
        cache = null;
        owed = 0;
        return made;
      }
      const started = performance.now();
      const past = place(arrived);
      cache = past;
      const choices = past.grid.slots.map((row) => (row < 0 ? null : choiceOf(row)));
      const feeds = { ...run.decodeFeeds, ...temperatureFeed(choices) };
      const nexts = await decodeStep(run, feeds, past, batchReading(traits, groups), (row) =>
        rows.get(row)!,
      );
      for (const { row, next } of nexts) if (rows.has(row)) take(made, row, next);
      leave(finishedRows(rows));
      owed -= performance.now() - started;
      return made;
    },
  };
}

function finishedRows(rows: ReadonlyMap<number, BatchRow>): ReadonlySet<number> {
  return new Set([...rows].filter(([, { finished }]) => finished).map(([number]) => number));
}

function openRows(rows: ReadonlyMap<number, BatchRow>, group: number): number {
  return [...rows.values()].filter((row) => row.group === group).length;
}

/** Own tokens of the slots that are in use. */
function openStored({ grid, stored }: KeyValueCache): number[] {
  return stored.filter((_, slot) => grid.slots[slot]! >= 0);
}
