import { setImmediate } from 'node:timers/promises';
import { seededRandom, hashSeed } from '../contracts/hash.ts';
import type { Demonstration } from '../contracts/policy.ts';

/** Optimiser steps whose demonstrations are drawn together and sorted by length, so that batches waste little on padding. */
export const BLOCK_STEPS = 16;

/** Indices set aside for a block: blocks never share a demonstration, and none depends on the one before. */
export const BLOCK_INDICES = 2 ** 20;

interface DemonstrationStream {
  readonly seed: number;
  /** Tokens (prompt and completion, no padding) that a batch has on average. */
  readonly batchTokens: number;
  /** Demonstration number `index`, tokenised; null where it does not fit the context. */
  readonly demonstrationAt: (index: number) => Demonstration | null;
}

export interface DemonstrationBlockOptions extends DemonstrationStream {
  /** 0-based block of the phase. */
  readonly block: number;
}

export interface DemonstrationBatchesOptions extends DemonstrationStream {
  /** 0-based step of the phase. */
  readonly firstStep: number;
  readonly steps: number;
}

/** The batches of some steps of a phase, one per optimiser step; the same wherever a phase is cut. */
export async function demonstrationBatches(
  options: DemonstrationBatchesOptions,
): Promise<Demonstration[][]> {
  const { firstStep, steps } = options;
  const offset = firstStep % BLOCK_STEPS;
  const batches: Demonstration[][] = [];
  for (let block = (firstStep - offset) / BLOCK_STEPS; batches.length < offset + steps; block++) {
    batches.push(...demonstrationBlock({ ...options, block }));
    // Tokenising holds the main thread: heartbeats get their turn between blocks.
    await setImmediate();
  }
  return batches.slice(offset, offset + steps);
}

const lengthOf = (demonstration: Demonstration): number =>
  demonstration.promptIds.length + demonstration.completionIds.length;

/**
 * The batches of one block: demonstrations of like length together, batches in a seeded order.
 * Pure: a block is the same whoever asks for it and whenever.
 */
export function demonstrationBlock(options: DemonstrationBlockOptions): Demonstration[][] {
  const { seed, block, batchTokens, demonstrationAt } = options;
  const wanted = BLOCK_STEPS * batchTokens;
  const drawn: Demonstration[] = [];
  let tokens = 0;
  for (let i = 0; tokens < wanted && i < BLOCK_INDICES; i++) {
    const demonstration = demonstrationAt(block * BLOCK_INDICES + i);
    if (demonstration === null) continue;
    drawn.push(demonstration);
    tokens += lengthOf(demonstration);
  }
  drawn.sort((a, b) => lengthOf(a) - lengthOf(b));
  return shuffled(splitEvenly(drawn, tokens), hashSeed('batch order', seed, block));
}

/** Cuts a list into {@link BLOCK_STEPS} runs of about equal tokens, none of them empty where there are enough items. */
function splitEvenly(items: readonly Demonstration[], tokens: number): Demonstration[][] {
  const batches: Demonstration[][] = [];
  let batch: Demonstration[] = [];
  let before = 0;
  items.forEach((item, i) => {
    batch.push(item);
    before += lengthOf(item);
    const due = (tokens * (batches.length + 1)) / BLOCK_STEPS;
    const left = items.length - i - 1;
    if (before >= due || left < BLOCK_STEPS - batches.length - 1) {
      batches.push(batch);
      batch = [];
    }
  });
  if (batch.length > 0) batches.push(batch);
  return batches;
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = seededRandom(seed);
  const order = items.map((item) => ({ item, key: random() }));
  return order.sort((a, b) => a.key - b.key).map(({ item }) => item);
}
