/** A mark that a number should reach. */
export interface Bar {
  /** `share`: of the roofline. `ratio`: to the peer. */
  readonly of: 'share' | 'ratio';
  readonly least: number;
  /** Null: not measured. */
  readonly met: boolean | null;
}

/** One line of the result; what `--json` writes. */
export interface BenchRow {
  /** What was done, e.g. `sampling, 16 × 8`. */
  readonly work: string;
  /** The policy it was done with; empty where there is none. */
  readonly model: string;
  /** Median of the repetitions, in `unit`. */
  readonly value: number;
  readonly unit: 'GFLOP/s' | 'tokens/s' | 's';
  /**
   * What the value is held against, in the same unit: what the MatMul roofline of the same moments would allow; of a whole
   * run's seconds, those of the loop without Temporal and Postgres. Null: nothing.
   */
  readonly limit: number | null;
  /** Share of the roofline; of a whole run's seconds, orchestration's share. Null: none. */
  readonly share: number | null;
  /** Who did the same work in turn; null: nobody. */
  readonly against: string | null;
  /** The other's median, in the same unit; null: not measured, `note` says why. */
  readonly peer: number | null;
  /** How many times as fast as the peer: median of the rounds' own ratios. */
  readonly ratio: number | null;
  readonly bars: readonly Bar[];
  /** Repetitions that were made. */
  readonly repeats: number;
  /** Where the time goes; of rows that miss a bar. */
  readonly profile: string | null;
  /** What a reader must know; empty: nothing. */
  readonly note: string;
}

/** A row about which there is no more to say than its value. */
export function simpleRow(
  row: Pick<BenchRow, 'work' | 'model' | 'value' | 'unit'> & Partial<BenchRow>,
): BenchRow {
  const { work, model, value, unit, ...rest } = row;
  return {
    work,
    model,
    value,
    unit,
    limit: null,
    share: null,
    against: null,
    peer: null,
    ratio: null,
    bars: [],
    repeats: 1,
    profile: null,
    note: '',
    ...rest,
  };
}
