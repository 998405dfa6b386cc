import type { RunMetrics, StepMetrics } from '../contracts/metrics.ts';
import type { EvaluationStatus } from '../contracts/run-status.ts';

/** A step or an evaluation, as a line of `metrics.jsonl`. */
export type MetricsRecord =
  | ({ readonly kind: 'step'; readonly run: string } & StepMetrics)
  | ({ readonly kind: 'evaluation'; readonly run: string } & EvaluationStatus);

/** Steps and evaluations in the order in which they came about: the evaluation of a step's policy follows the step. */
export function metricsRecords({ run, steps, evaluations }: RunMetrics): MetricsRecord[] {
  return [
    ...steps.map((step) => ({ kind: 'step' as const, run, ...step })),
    ...evaluations.map((evaluation) => ({ kind: 'evaluation' as const, run, ...evaluation })),
  ].sort((a, b) => a.step - b.step);
}

/** A JSON object a line. A number that is not finite is null, as everywhere in JSON. */
export function jsonLines(records: readonly MetricsRecord[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}

/** A record as a row of a table: `mastery.format` for what is nested. */
export function flatRecord(record: object): { [column: string]: string | number | boolean | null } {
  return Object.fromEntries(
    Object.entries(record).flatMap(([name, value]: [string, unknown]) =>
      typeof value === 'object' && value !== null
        ? Object.entries(flatRecord(value)).map(([key, inner]) => [`${name}.${key}`, inner])
        : [[name, cell(value)]],
    ),
  );
}

function cell(value: unknown): string | number | boolean | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  return typeof value === 'string' || typeof value === 'boolean' ? value : null;
}
