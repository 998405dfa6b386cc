import {
  reserveByImportance,
  type DynamicSelection,
  type Selection,
} from '../db/batch-selection.ts';
import type { Database } from '../db/connection.ts';
import { readTotals, remakeForHalfLife, type SumsOf } from '../db/importance-sums.ts';
import { proposedSamples, reservePicked } from '../db/proposed-samples.ts';
import { groupsOfEpochBefore } from '../db/steps.ts';
import { permuted } from '../dscl/permutation.ts';
import { drawProposals, envelope, evenDraw, type ProposalRule } from '../dscl/proposals.ts';

/** Draws, and proposals for them, a group wanted, before the rest is picked by going through the corpus. */
const MOST_DRAWS = 32;
/** Proposals of one query at most. */
const QUERY = 4_096;

/** Reserves the groups of a step by the seeded permutation of its epoch, going on after those that earlier steps rolled out. [ours] */
export async function reservePermuted(tx: Database, selection: Selection): Promise<void> {
  const { run, epoch, step, seed, corpusSamples } = selection;
  const offset = await groupsOfEpochBefore(tx, { run, epoch, step });
  const picked = Array.from({ length: Math.min(selection.groups, corpusSamples) }, (_, rank) =>
    permuted(seed, epoch, corpusSamples, (offset + rank) % corpusSamples),
  );
  await reservePicked(tx, selection, picked, null);
}

/**
 * Reserves the groups of a step by importance, from sums over the parts of its corpus: draws with replacement, those passed over that
 * came before. Where these run dry, because few samples have all of the importance, the rest is picked by going through the corpus: the
 * distribution stays the same. To be called in a transaction. [ours]
 */
export async function reserveBySums(tx: Database, selection: DynamicSelection): Promise<void> {
  const { run, step, corpusSamples, seed: runSeed, uniformShare } = selection;
  const of: SumsOf = { run, corpusSamples, halfLife: selection.halfLifeSteps };
  await remakeForHalfLife(tx, of);
  const totals = await readTotals(tx, of, step);
  const rule: ProposalRule = {
    runSeed,
    step,
    corpusSamples,
    uniformShare,
    envelope: envelope(selection.temperature, { corpusSamples, ...totals }),
  };
  const wanted = Math.min(selection.groups, corpusSamples);
  const byImportance = drawnByImportance(tx, of, rule, { average: totals.average, wanted });
  const picked = new Set<number>();
  for (let draw = 0; draw < MOST_DRAWS * wanted && picked.size < wanted; draw++) {
    const even = evenDraw(rule, draw);
    const drawn = even === null ? await byImportance.next() : { done: false, value: even };
    if (drawn.done === true) break;
    picked.add(drawn.value);
  }
  await reservePicked(tx, selection, [...picked], {
    average: totals.average,
    halfLife: of.halfLife,
  });
  if (picked.size < wanted) await reserveByImportance(tx, selection, picked.size);
}

/** Places of samples drawn by importance, with replacement. How many are asked for at a time changes nothing of them. */
async function* drawnByImportance(
  tx: Database,
  of: SumsOf,
  rule: ProposalRule,
  { average, wanted }: { readonly average: number; readonly wanted: number },
): AsyncGenerator<number, undefined> {
  const most = MOST_DRAWS * wanted;
  let count = wanted;
  for (let next = 0; next < most; next += count) {
    // Each query asks for twice as many as the one before: few are taken, or new.
    if (next > 0) count = Math.min(2 * count, QUERY);
    const proposals = drawProposals(rule, next, Math.min(count, most - next));
    const samples = await proposedSamples(tx, of, { step: rule.step, average }, proposals);
    for (const [index, { ordinal, importance }] of samples.entries()) {
      const proposal = proposals[index];
      if (proposal !== undefined && proposal.threshold < rule.envelope.taken(importance))
        yield ordinal;
    }
  }
  return undefined;
}
