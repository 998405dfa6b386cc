import { fileSize, painter, table } from '../cli/render/text.ts';
import type { GrowthSample } from './growth-samples.ts';

/** The server suggests to continue as new at 4,096 events or 4 MB; a step or an epoch may come on top. */
const HISTORY_EVENTS = 6_000;
const HISTORY_BYTES = 6_000_000;
/** How far the worker's memory may move from its mean over the last half. */
const FLAT = 0.1;

export interface Verdict {
  readonly ok: boolean;
  readonly text: string;
}

/** One line a sample. */
export function growthTable(samples: readonly GrowthSample[]): string[] {
  return table(
    [
      'step',
      's/step',
      'worker',
      'allocated',
      'history',
      'size',
      'executions',
      'Temporal',
      'Postgres',
      'artifacts',
      'files',
    ],
    samples.map((each, i) => {
      const before = samples[i - 1];
      const pace =
        before === undefined
          ? ''
          : ((each.seconds - before.seconds) / (each.step - before.step)).toFixed(2);
      return [
        String(each.step),
        pace,
        fileSize(each.workerMemory),
        fileSize(each.workerAllocated),
        String(each.longestHistory),
        fileSize(each.largestHistory),
        String(each.executions),
        fileSize(each.temporal),
        fileSize(each.postgres),
        fileSize(each.artifacts),
        String(each.artifactFiles),
      ];
    }),
    { paint: painter(false), left: [] },
  );
}

/** What has to hold, and growth per step over the last half, which is for the reader. */
export function verdicts(samples: readonly GrowthSample[]): Verdict[] {
  const last = samples.at(-1);
  const half = samples.filter(({ step }) => step >= (last?.step ?? 0) / 2);
  const first = half[0];
  if (first === undefined || last === undefined || half.length < 3) {
    return [{ ok: false, text: 'too few samples' }];
  }
  const memory = half.map(({ workerMemory }) => workerMemory);
  const mean = memory.reduce((sum, each) => sum + each, 0) / memory.length;
  const off = Math.max(...memory.map((each) => Math.abs(each / mean - 1)));
  const longest = Math.max(...samples.map(({ longestHistory }) => longestHistory));
  const largest = Math.max(...samples.map(({ largestHistory }) => largestHistory));
  const perStep = (of: (sample: GrowthSample) => number): string =>
    fileSize((of(last) - of(first)) / (last.step - first.step));
  const seconds = (last.seconds - first.seconds) / (last.step - first.step);
  const tables = Object.keys(last.tables).map(
    (name) => `${name} ${perStep(({ tables: sizes }) => sizes[name] ?? 0)}`,
  );
  return [
    {
      ok: off <= FLAT,
      text: `worker memory over the last half: ${fileSize(mean)}, at most ${(100 * off).toFixed(1)}% off its mean (limit 10%)`,
    },
    {
      ok: longest <= HISTORY_EVENTS && largest <= HISTORY_BYTES,
      text: `histories: at most ${longest} events and ${fileSize(largest)} (limits ${HISTORY_EVENTS} and ${fileSize(HISTORY_BYTES)})`,
    },
    {
      ok: true,
      text:
        `a step takes ${seconds.toFixed(2)} s and adds: worker ${perStep(({ workerAllocated }) => workerAllocated)}, Postgres ${perStep(({ postgres }) => postgres)}, ` +
        `artifacts ${perStep(({ artifacts }) => artifacts)}, Temporal's database ${perStep(({ temporal }) => temporal)}`,
    },
    { ok: true, text: `tables and their indexes, a step: ${tables.join(', ')}` },
  ];
}
