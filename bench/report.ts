import { painter, table } from '../cli/render/text.ts';
import type { ComparedRun } from './orchestration.ts';
import type { BenchRow } from './row.ts';

/** The rows as a table for people. */
export function resultTable(rows: readonly BenchRow[]): string[] {
  return table(
    ['work', 'policy', 'value', 'unit', 'limit', 'share'],
    rows.map((row) => [
      row.work,
      row.model,
      number(row.value),
      row.unit,
      number(row.limit),
      row.share === null ? '' : `${(100 * row.share).toFixed(0)}%`,
    ]),
    { paint: painter(process.stdout.isTTY), left: [0, 1, 3] },
  );
}

function number(value: number | null): string {
  if (value === null) return '';
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 });
}

/** Whether both kinds of run ended in the same weights: the proof that they did the same work. */
export function sameWork({ productSha256, plainSha256 }: ComparedRun): boolean {
  return productSha256 === plainSha256;
}

/** One line a compared run. */
export function comparisonLines(runs: readonly ComparedRun[]): string[] {
  return runs.map((run) => {
    const verdict = sameWork(run)
      ? `same weights ${run.productSha256.slice(0, 12)}`
      : `DIFFERENT weights ${run.productSha256.slice(0, 12)} and ${run.plainSha256.slice(0, 12)}`;
    return (
      `seed ${run.seed}: product ${run.productSeconds.toFixed(1)} s, plain loop ${run.plainSeconds.toFixed(1)} s, ` +
      `${run.updates} updates, ${verdict}`
    );
  });
}
