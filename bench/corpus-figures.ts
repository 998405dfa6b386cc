import type { ChiSquare } from './chi-square.ts';

/** Milliseconds of a step's activity. */
export interface Times {
  readonly median: number;
  readonly p95: number;
  /** Mean processor time, of Postgres and of this process: what other work on the machine does not change. */
  readonly processor: number;
}

/** What a corpus of one size costs; a step's figures are means but for times. */
export interface CorpusFigures {
  readonly samples: number;
  readonly fileBytes: number;
  readonly importSeconds: number;
  /** Resident memory of the importing process, at most and before. */
  readonly peakBytes: number;
  readonly baseBytes: number;
  /** `selectBatch`. */
  readonly shuffleMs: Times;
  readonly importanceMs: Times;
  /** `updateCurriculum`. */
  readonly learnMs: Times;
  readonly groups: number;
  readonly completions: number;
  readonly rowsWritten: number;
  readonly transactions: number;
  readonly walBytes: number;
  readonly databaseBytes: number;
  /** Large tables that Postgres read from end to end in a step. */
  readonly sequentialScans: readonly string[];
  /** Of some thousand picks, in parts of the corpus by importance and place. */
  readonly chiSquare: ChiSquare;
}

/** One call, in milliseconds. */
export interface Lap {
  readonly wall: number;
  readonly processor: number;
}

export function times(laps: readonly Lap[]): Times {
  const sorted = laps.map(({ wall }) => wall).sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  const processor = laps.reduce((sum, lap) => sum + lap.processor, 0) / laps.length;
  return { median: at(0.5), p95: at(0.95), processor };
}
