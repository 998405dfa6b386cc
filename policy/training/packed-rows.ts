import { attendedShare, attentionParts } from './attention-parts.ts';

/** A sequence to train on: a prompt, and the completion whose tokens are predicted. At least one token each. */
export interface TokenSequence {
  readonly promptIds: readonly number[];
  readonly completionIds: readonly number[];
}

/**
 * What a row of a micro-batch holds: one prompt and the completions that follow it, each seeing the prompt and itself only.
 * The prompt's last token opens each completion's segment, as it predicts each first token; the tokens before it stand once.
 */
export interface PackedRow {
  /** Indices of sequences with the same prompt. */
  readonly members: readonly number[];
  /** Input tokens. */
  readonly length: number;
}

/** What a token costs in one layer, in any unit: everything but attention, and attention per token looked at. */
export interface TokenCosts {
  readonly linear: number;
  readonly attention: number;
}

function rowLength(sequences: readonly TokenSequence[], members: readonly number[]): number {
  const [first = 0] = members;
  const prefix = (sequences[first]?.promptIds.length ?? 1) - 1;
  return members.reduce((sum, i) => sum + (sequences[i]?.completionIds.length ?? 0), prefix);
}

/** What a row costs in one layer. */
export function rowCost(length: number, { linear, attention }: TokenCosts): number {
  return length * (linear + attention * length * attendedShare(attentionParts([length])));
}

/** Each sequence in a row of its own. */
export function separateRows(sequences: readonly TokenSequence[]): PackedRow[] {
  return sequences.map((_, i) => ({ members: [i], length: rowLength(sequences, [i]) }));
}

/**
 * Puts completions of one prompt into common rows where that is cheaper: the prompt is computed once a row, but attention
 * is computed over the whole row. As many per row as cost least, the same number in all rows of a prompt but the last.
 * @param maxLength no row with several completions is longer.
 */
export function sharedRows(
  sequences: readonly TokenSequence[],
  costs: TokenCosts,
  maxLength: number,
): PackedRow[] {
  const groups = new Map<string, number[]>();
  sequences.forEach(({ promptIds }, i) => {
    const key = promptIds.join();
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  return [...groups.values()].flatMap((group) => {
    let best: { cost: number; rows: PackedRow[] } | undefined;
    for (let size = 1; size <= group.length; size++) {
      const rows: PackedRow[] = [];
      for (let from = 0; from < group.length; from += size) {
        const members = group.slice(from, from + size);
        rows.push({ members, length: rowLength(sequences, members) });
      }
      if (size > 1 && rows.some(({ length }) => length > maxLength)) break;
      const cost = rows.reduce((sum, { length }) => sum + rowCost(length, costs), 0);
      if (best === undefined || cost < best.cost) best = { cost, rows };
    }
    return best?.rows ?? [];
  });
}
