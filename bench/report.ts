import { painter, table } from '../cli/render/text.ts';
import type { ComparedRun } from './orchestration.ts';
import type { Bar, BenchRow } from './row.ts';

/** The rows as a table for people; below it what must be known of single rows, by their number. */
export function resultTable(rows: readonly BenchRow[]): string[] {
  const lines = table(
    ['', 'work', 'policy', 'value', 'unit', 'limit', 'share', 'peer', '', 'ratio', 'bar', 'n'],
    rows.map((row, i) => [
      String(i + 1),
      row.work,
      row.model,
      number(row.value),
      row.unit,
      number(row.limit),
      row.share === null ? '' : `${(100 * row.share).toFixed(0)}%`,
      row.against === null ? '' : number(row.peer) || '–',
      row.against ?? '',
      row.ratio === null ? '' : `${row.ratio.toFixed(2)}×`,
      row.bars.map(barText).join(', '),
      String(row.repeats),
    ]),
    { paint: painter(process.stdout.isTTY), left: [1, 2, 4, 8, 10] },
  );
  const remarks = rows.flatMap(({ note, profile }, i) => [
    ...(note === '' ? [] : [`${i + 1}: ${note}`]),
    ...(profile === null ? [] : [`${i + 1}: ${profile}`]),
  ]);
  return remarks.length === 0 ? lines : [...lines, '', ...remarks];
}

/** `≥ 5× met`, `share ≥ 80% missed`. */
export function barText({ of, least, met }: Bar): string {
  const mark = of === 'share' ? `share ≥ ${(100 * least).toFixed(0)}%` : `≥ ${least}×`;
  if (met === null) return `${mark} not measured`;
  return `${mark} ${met ? 'met' : 'missed'}`;
}

function number(value: number | null): string {
  if (value === null) return '';
  const digits = value < 1 ? 3 : 1;
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? digits : 0 });
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
