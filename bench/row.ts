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
   * What the value is held against, in the same unit: of tokens/s, those that the MatMul roofline of the same moments would
   * allow; of a run's seconds, those of the loop without Temporal and Postgres. Null: nothing.
   */
  readonly limit: number | null;
  /** Tokens/s: share of the roofline. A run's seconds: orchestration's share of them. Null: none. */
  readonly share: number | null;
}
