import { Tensor as Value } from 'onnxruntime-node';
import type { Feeds, Session } from '../graph/session.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import { drawBlock } from './block-draw.ts';
import { gridFeeds } from './decode-graph.ts';
import { fetchNames, type Choice, type Reading } from './graph-interface.ts';
import { appendToken, reserveToken, type KeyValueCache } from './key-value-cache.ts';
import { readChoices, type NextTokens } from './next-tokens.ts';
import type { CompletionRow } from './prompt-groups.ts';
import { uniformDraw } from './token-sampler.ts';

/** What decodes. */
export interface Decoding {
  readonly traits: ModelTraits;
  readonly decode: Session;
  readonly choice: Choice;
  /** Throws to stop. */
  readonly check: () => void;
}

/** What may come next in a row. */
export interface RowChoices {
  /** Its number in the grid. */
  readonly row: number;
  readonly next: NextTokens;
}

/** A row as far as decoding reads it. */
type DecodedRow = Pick<CompletionRow, 'ids' | 'seed' | 'finished'>;

/**
 * Computes one more token for each row of the grid that goes on.
 * @param feeds weights, rotary tables and temperature. @param reading what is wanted of any row.
 * @param rowAt the row of a number in the grid.
 */
export async function decodeStep(
  { traits, decode, choice, check }: Decoding,
  feeds: Feeds,
  cache: KeyValueCache,
  reading: Reading,
  rowAt: (row: number) => DecodedRow,
): Promise<RowChoices[]> {
  const { slots } = cache.grid;
  const open = [...slots.keys()].filter(
    (slot) => slots[slot]! >= 0 && !rowAt(slots[slot]!).finished,
  );
  reserveToken(cache, open);
  check();
  const results = await decode.run(
    {
      ...feeds,
      ...cache.feeds,
      ...stepFeeds(traits, cache, rowAt),
      ...(choice === 'greedy' ? {} : drawFeed(traits, cache, rowAt)),
    },
    fetchNames(traits, choice, reading),
  );
  appendToken(cache, results, open);
  const choices = readChoices(results);
  return open.map((slot) => ({ row: slots[slot]!, next: { results: choices, row: slot } }));
}

/** What changes with every token: ids, positions, and the sizes that the graph cannot know. */
function stepFeeds(
  traits: ModelTraits,
  cache: KeyValueCache,
  rowAt: (row: number) => DecodedRow,
): Feeds {
  const { grid, lengths, stored } = cache;
  const ids = new Int32Array(grid.slots.length);
  const positions = new BigInt64Array(grid.slots.length);
  grid.slots.forEach((row, slot) => {
    if (row < 0) return;
    ids[slot] = rowAt(row).ids[stored[slot]!] ?? 0;
    positions[slot] = BigInt(lengths[Math.floor(slot / grid.width)]! + stored[slot]!);
  });
  const shapes = gridFeeds(traits, grid.width, cache.promptLength, cache.capacity);
  const feeds: Record<string, Value> = {
    ids: new Value('int32', ids, [ids.length, 1]),
    positions: new Value('int64', positions, [ids.length, 1]),
  };
  for (const [name, shape] of Object.entries(shapes)) {
    feeds[name] = new Value('int64', BigInt64Array.from(shape, BigInt), [shape.length]);
  }
  return feeds;
}

/** The rows' draws, where the graph takes them. */
function drawFeed(
  { vocab }: ModelTraits,
  { grid }: KeyValueCache,
  rowAt: (row: number) => DecodedRow,
): Feeds {
  if (drawBlock(vocab) === null) return {};
  const draws = Float64Array.from(grid.slots, (row) => {
    if (row < 0) return 0;
    const { seed, ids } = rowAt(row);
    return uniformDraw(seed, ids.length);
  });
  return { draws: new Value('float64', draws, [draws.length, 1]) };
}
