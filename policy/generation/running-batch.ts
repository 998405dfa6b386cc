import type { DecodedToken, DecodeRequest } from '../../contracts/decoding.ts';
import { floats, type Feeds, type Session } from '../graph/session.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import { capacityFor, layOutCache, type PromptBlocks } from './cache-layout.ts';
import { fillSlots, vacateSlots, type NewRow } from './cache-slots.ts';
import { decodeStep } from './decode-step.ts';
import type { KeyValueCache } from './key-value-cache.ts';
import { chooseToken, likeliestTokens, type NextTokens, type TokenChoice } from './next-tokens.ts';
import { prefillPrompts } from './prefill.ts';
import { fits, type Budget, type GroupDemand } from './prompt-groups.ts';
import { COMPACTION_SHARE, planGrid } from './row-grid.ts';

/** What a batch is computed with. */
export interface BatchRun {
  readonly traits: ModelTraits;
  readonly contextLength: number;
  readonly eosIds: readonly number[];
  readonly budget: Budget;
  readonly prefill: Session;
  readonly decode: Session;
  /** Rotary tables, and the weights that prefill and decoding are fed. */
  readonly prefillFeeds: Feeds;
  readonly decodeFeeds: Feeds;
  readonly check: () => void;
}

/** A token of the request that was added under this key. */
export interface BatchToken extends DecodedToken {
  readonly key: number;
}

/** A batch that requests join and leave while others are decoded. */
export interface RunningBatch {
  /** @param key names the request; no other one that is here has it. */
  readonly add: (key: number, request: DecodeRequest) => void;
  readonly stop: (key: number, index: number) => void;
  /** Whether there is nothing to do. */
  readonly idle: () => boolean;
  /** Lets requests in that wait and fit, and computes one more token for each row. */
  readonly step: () => Promise<BatchToken[]>;
}

/** Prompts are padded to whole multiples, so that another one often fits into a slot that becomes free. */
const PROMPT_STEP = 32;

/** Room for own tokens is given up when it is so many times what is needed. */
const SPACIOUS = 4;

interface BatchRow {
  readonly group: number;
  readonly index: number;
  readonly ids: number[];
  finished: boolean;
}

interface BatchGroup {
  readonly key: number;
  readonly request: DecodeRequest;
  readonly limit: number;
  /** Indexes of its completions; without those that were given up before they began. */
  readonly wanted: Set<number>;
}

/** An empty batch. Its rows are computed together; what one becomes depends on its own request, up to rounding. */
export function createRunningBatch(run: BatchRun): RunningBatch {
  const { traits, budget } = run;
  const decoding = { ...run, choice: 'mixed' } as const;
  const waiting: BatchGroup[] = [];
  /** Under way, by number. */
  const groups = new Map<number, BatchGroup>();
  const rows = new Map<number, BatchRow>();
  let cache: KeyValueCache | null = null;
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

  /** Gives a row its next token. */
  const take = (number: number, next: NextTokens): BatchToken => {
    const row = rows.get(number)!;
    const { key, request, limit } = groups.get(row.group)!;
    const { sampling, seeds, topLogprobs } = request;
    const drawn = chooseToken(next, traits.vocab, sampling, seeds[row.index]!, row.ids.length);
    row.ids.push(drawn.id);
    const stopped = run.eosIds.includes(drawn.id);
    const full = row.ids.length >= limit;
    row.finished = stopped || full;
    return {
      key,
      index: row.index,
      ...drawn,
      top: likeliestTokens(next, traits.vocab, topLogprobs),
      finishReason: stopped ? 'stop' : full ? 'length' : null,
    };
  };

  /** Numbers of the groups that begin now: as many of those that wait, in their order, as the budget takes. */
  const admit = (): number[] => {
    const under = [...groups].map(([number, group]) => demandOf(group, openRows(rows, number)));
    const admitted: number[] = [];
    for (;;) {
      const [first] = waiting;
      if (first === undefined) return admitted;
      const demand = demandOf(first, first.wanted.size);
      if (under.length > 0 && !fits(traits, [...under, demand], budget)) return admitted;
      waiting.shift();
      if (first.wanted.size === 0) continue;
      under.push(demand);
      groups.set(++lastGroup, first);
      admitted.push(lastGroup);
    }
  };

  /** Prefills groups and gives each of their rows its first token. */
  const begin = async (numbers: readonly number[], made: BatchToken[]): Promise<PromptBlocks> => {
    const requests = numbers.map((number) => groups.get(number)!.request);
    const { length, blocks, next } = await prefillPrompts(
      run.prefill,
      traits,
      'mixed',
      (from, count) => ({
        ...run.prefillFeeds,
        ...temperatureFeed(requests.slice(from, from + count).map(({ sampling }) => sampling)),
      }),
      requests.map(({ ids }) => ids),
      run.check,
    );
    for (const [i, group] of numbers.entries()) {
      for (const index of groups.get(group)!.wanted) {
        rows.set(++lastRow, { group, index, ids: [], finished: false });
        made.push(take(lastRow, next[i]!));
      }
    }
    return { groups: numbers, length, blocks };
  };

  /** The past of all rows, with those of the prompts that arrived. */
  const place = (arrived: PromptBlocks | null): KeyValueCache => {
    const placed = new Set(cache?.grid.slots);
    const begun = [...rows].flatMap(([row, { group }]): NewRow[] =>
      placed.has(row) ? [] : [{ row, group }],
    );
    const filled =
      cache === null || arrived === null ? null : fillSlots(cache, arrived, begun, lengthOf);
    const before = filled ?? cache;
    const joining = filled === null ? arrived : null;
    const longest = Math.max(...[...groups.keys()].map(lengthOf));
    const length = Math.ceil(longest / PROMPT_STEP) * PROMPT_STEP;
    const best = planGrid(traits, [...rows.keys()], (row) => rows.get(row)!.group, length);
    const settled =
      before !== null &&
      joining === null &&
      best.cost > COMPACTION_SHARE * before.grid.cost &&
      before.capacity <= SPACIOUS * capacityFor(openStored(before));
    if (settled) return before;
    return layOutCache(traits, best, length, lengthOf, { before, arrived: joining, tight: true });
  };

  return {
    add: (key, request) => {
      const { ids, seeds, sampling } = request;
      const limit = Math.min(sampling.maxNewTokens, run.contextLength - ids.length);
      waiting.push({ key, request, limit, wanted: new Set(seeds.keys()) });
    },
    stop: (key, index) => {
      const ended = [...rows].filter(
        ([, row]) => row.index === index && groups.get(row.group)!.key === key,
      );
      leave(new Set(ended.map(([number]) => number)));
      for (const group of waiting) if (group.key === key) group.wanted.delete(index);
    },
    idle: () => rows.size === 0 && waiting.length === 0,
    step: async () => {
      const made: BatchToken[] = [];
      const admitted = admit();
      const arrived = admitted.length === 0 ? null : await begin(admitted, made);
      leave(finishedRows(rows));
      if (rows.size === 0) {
        cache = null;
        return made;
      }
      const past = place(arrived);
      cache = past;
      const choices = past.grid.slots.map((row) => (row < 0 ? null : choiceOf(row)));
      const feeds = { ...run.decodeFeeds, ...temperatureFeed(choices) };
      const nexts = await decodeStep(decoding, feeds, past, (row) => rows.get(row)!);
      for (const { row, next } of nexts) made.push(take(row, next));
      leave(finishedRows(rows));
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

function demandOf({ request, limit }: BatchGroup, rows: number): GroupDemand {
  return { promptLength: request.ids.length, rows, limit };
}

/** Own tokens of the slots that are in use. */
function openStored({ grid, stored }: KeyValueCache): number[] {
  return stored.filter((_, slot) => grid.slots[slot]! >= 0);
}

/** Temperatures of rows; greedy ones tell probabilities at temperature 1. */
function temperatureFeed(choices: readonly (TokenChoice | null)[]): Feeds {
  const values = choices.map((choice) => 1 / (choice?.temperature || 1));
  return { inverse_temperature: floats(Float32Array.from(values), [values.length, 1]) };
}
