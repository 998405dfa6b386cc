import { median } from '../../bench/measure.ts';
import { TARGETS } from './kill-plan.ts';
import type { ChaosReport } from './chaos-run.ts';
import type { Cost } from './recovery-clock.ts';

/** What kills cost, by what was hit; hits that the next one overtook count among the kills only. */
export function costTable(reports: readonly ChaosReport[]): string[] {
  const costs = reports.flatMap((report) => report.costs);
  const kills = reports.reduce((sum, report) => sum + report.kills, 0);
  const kinds = [...TARGETS.map((target) => [target]), TARGETS].map((targets) => ({
    name: targets.length === 1 ? `${targets[0]} alone` : 'everything',
    of: costs.filter((cost) => sameTargets(cost, targets)),
  }));
  const rest = costs.filter((cost) => !kinds.some(({ of }) => of.includes(cost)));
  return [
    `${reports.length} runs, ${kills} processes killed at ${costs.length} instants`,
    '',
    '| killed | times | seconds until computing: median | longest | seconds of work lost: median | longest |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...[...kinds, { name: 'several', of: rest }].map(({ name, of }) => {
      const until = of.flatMap(({ secondsUntilComputing: s }) => (s === null ? [] : [s]));
      const lost = of.flatMap((cost) => (cost.lost === null ? [] : [cost.lost.seconds]));
      const cells = [median(until), Math.max(...until), median(lost), Math.max(...lost)];
      return `| ${name} | ${of.length} | ${cells.map(seconds).join(' | ')} |`;
    }),
  ];
}

function sameTargets({ targets }: Cost, wanted: readonly string[]): boolean {
  return targets.length === wanted.length && targets.every((target) => wanted.includes(target));
}

function seconds(value: number): string {
  return Number.isFinite(value) ? value.toFixed(1) : '';
}
