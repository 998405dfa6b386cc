/** A sequence to train on: a prompt, and the completion whose tokens are predicted. */
export interface TokenSequence {
  readonly promptIds: readonly number[];
  readonly completionIds: readonly number[];
}

/** Sequences computed together, padded on the right to the longest. */
export interface MicroBatch {
  /** Indices into the sequences given, in the order of the batch's rows. */
  readonly members: readonly number[];
  readonly rows: number;
  /** Length after padding, T. */
  readonly length: number;
  /** Token ids [rows, length]; the last completion token, which predicts nothing, is left out. Padding is 0. */
  readonly ids: Int32Array;
  /** Positions b·T + t that predict a completion token, in the order of members and tokens, [R]. */
  readonly predicting: BigInt64Array;
  /** The tokens they predict, [R]. */
  readonly targets: Int32Array;
  /** Prompt and completion tokens, without padding. */
  readonly tokens: number;
}

const inputLength = (sequence: TokenSequence): number =>
  sequence.promptIds.length + sequence.completionIds.length - 1;

/**
 * Divides sequences into micro-batches of at most `maxTokens` tokens, padding included (a longer sequence gets one of its own).
 * Sequences of like length come together; equal lengths keep their order, so the division is a function of the sequences.
 */
export function planMicroBatches(
  sequences: readonly TokenSequence[],
  maxTokens: number,
): MicroBatch[] {
  const order = sequences
    .map((sequence, index) => ({ index, length: inputLength(sequence) }))
    .sort((a, b) => a.length - b.length || a.index - b.index);
  const batches: number[][] = [];
  let current: number[] = [];
  for (const { index, length } of order) {
    if (current.length > 0 && (current.length + 1) * length > maxTokens) {
      batches.push(current);
      current = [];
    }
    current.push(index);
  }
  if (current.length > 0) batches.push(current);
  return batches.map((members) => layOut(sequences, members));
}

function layOut(sequences: readonly TokenSequence[], members: readonly number[]): MicroBatch {
  const chosen = members.flatMap((index) => sequences[index] ?? []);
  const length = Math.max(...chosen.map(inputLength));
  const predictions = chosen.reduce((sum, { completionIds }) => sum + completionIds.length, 0);
  const ids = new Int32Array(chosen.length * length);
  const predicting = new BigInt64Array(predictions);
  const targets = new Int32Array(predictions);
  let next = 0;
  chosen.forEach(({ promptIds, completionIds }, row) => {
    const start = row * length;
    ids.set(promptIds, start);
    ids.set(completionIds.slice(0, -1), start + promptIds.length);
    completionIds.forEach((id, t) => {
      predicting[next] = BigInt(start + promptIds.length - 1 + t);
      targets[next++] = id;
    });
  });
  const tokens = chosen.reduce((sum, sequence) => sum + inputLength(sequence) + 1, 0);
  return { members, rows: chosen.length, length, ids, predicting, targets, tokens };
}
