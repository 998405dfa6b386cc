/** What a report keeps: answers by their path, and what it had to leave out. */
export interface ReportData {
  readonly madeAt: string;
  readonly runs: readonly string[];
  /** Steps whose completions it has, by run, ascending. */
  readonly steps: { readonly [run: string]: readonly number[] };
  readonly answers: { readonly [path: string]: unknown };
  /** Sentences for the reader. */
  readonly leftOut: readonly string[];
}
