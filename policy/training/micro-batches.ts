import type { PackedRow, TokenSequence } from './packed-rows.ts';

/** Rows computed together, padded on the right to the longest. */
export interface MicroBatch {
  /** Indices into the sequences given, in the order in which they lie in the rows. */
  readonly members: readonly number[];
  readonly rows: number;
  /** Length after padding, T. */
  readonly length: number;
  /** Token ids [rows, length]; a completion's last token, which predicts nothing, is left out. Padding is 0. */
  readonly ids: Int32Array;
  /** Each token's place in its own sequence, [rows, length]. */
  readonly positions: BigInt64Array;
  /** Which completion of its row a token belongs to, from 1; 0: the prompt, which all of them see. [rows, length] */
  readonly segments: Int32Array;
  /** Whether some row holds more than one completion. */
  readonly shared: boolean;
  /** Indices b·T + t of what predicts a completion token, in the order of members and tokens, [R]. */
  readonly predicting: BigInt64Array;
  /** The tokens they predict, [R]. */
  readonly targets: Int32Array;
  /** Prompt and completion tokens of all members, without padding; a shared prompt counts for each. */
  readonly tokens: number;
}

/**
 * Divides rows into micro-batches of at most `maxTokens` tokens, padding included (a longer row gets one of its own).
 * Rows of like length come together; equal lengths keep their order, so the division is a function of the sequences.
 */
export function planMicroBatches(
  sequences: readonly TokenSequence[],
  rows: readonly PackedRow[],
  maxTokens: number,
): MicroBatch[] {
  const order = rows
    .map((row, index) => ({ row, index }))
    .sort((a, b) => a.row.length - b.row.length || a.index - b.index);
  const batches: PackedRow[][] = [];
  let current: PackedRow[] = [];
  for (const { row } of order) {
    if (current.length > 0 && (current.length + 1) * row.length > maxTokens) {
      batches.push(current);
      current = [];
    }
    current.push(row);
  }
  if (current.length > 0) batches.push(current);
  return batches.map((members) => layOut(sequences, members));
}

function layOut(sequences: readonly TokenSequence[], rows: readonly PackedRow[]): MicroBatch {
  const members = rows.flatMap((row) => row.members);
  const chosen = members.flatMap((index) => sequences[index] ?? []);
  const length = Math.max(...rows.map((row) => row.length));
  const predictions = chosen.reduce((sum, { completionIds }) => sum + completionIds.length, 0);
  const ids = new Int32Array(rows.length * length);
  const positions = new BigInt64Array(rows.length * length);
  const segments = new Int32Array(rows.length * length);
  const predicting = new BigInt64Array(predictions);
  const targets = new Int32Array(predictions);
  let predicted = 0;
  rows.forEach((row, r) => {
    let next = r * length;
    const put = (id: number, position: number, segment: number): void => {
      ids[next] = id;
      positions[next] = BigInt(position);
      segments[next] = segment;
      next++;
    };
    row.members.forEach((member, m) => {
      const { promptIds, completionIds } = sequences[member] as TokenSequence;
      const last = promptIds.length - 1;
      if (m === 0) promptIds.slice(0, last).forEach((id, position) => put(id, position, 0));
      completionIds.forEach((id, t) => {
        predicting[predicted] = BigInt(next);
        targets[predicted++] = id;
        put((t === 0 ? promptIds[last] : completionIds[t - 1]) ?? 0, last + t, m + 1);
      });
    });
  });
  return {
    members,
    rows: rows.length,
    length,
    ids,
    positions,
    segments,
    shared: rows.some((row) => row.members.length > 1),
    predicting,
    targets,
    tokens: chosen.reduce((sum, s) => sum + s.promptIds.length + s.completionIds.length, 0),
  };
}
