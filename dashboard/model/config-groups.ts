import type { RunDetail, RunOverview } from '../../contracts/dashboard.ts';
import { settingHistories } from './setting-history.ts';

/** A run with what it was made with. */
export interface Configured extends Pick<RunDetail, 'config' | 'settings' | 'forkOf'> {
  readonly overview: Pick<RunOverview, 'run' | 'seed' | 'step'>;
}

/** Runs that differ in nothing but their seed, each of another one. */
export interface ConfigGroup {
  /** What tells this group from the others, e.g. `sampler dscl`; the run's id where it is the only configuration. */
  readonly label: string;
  readonly runs: readonly string[];
  /** False: a run whose seed another group of the same configuration has. The two are not independent of one another. */
  readonly independent: boolean;
}

/** A setting that is not the same in all groups. */
export interface ConfigDifference {
  /** Path of the setting, e.g. `sampling.uniformShare`. */
  readonly key: string;
  /** What it was and became in each group ({@link settingHistories}); empty where a group does not have it. */
  readonly values: readonly string[];
}

/** The seed, which is what groups are over, and settings of the machine and of what is kept: they change nothing that is learned. */
const BESIDE_THE_POINT = new Set([
  'seed',
  'threads',
  'memoryLimit',
  'saveTotalLimit',
  'saveBest',
  'bestMetric',
  'saveEpochs',
]);
/** Settings that name a configuration, if they can. */
const ASKED_FOR: readonly string[] = ['sampler', 'curriculum', 'policy', 'data', 'learningRate'];

/**
 * Puts runs of one configuration together, whatever their seeds, and says in what the groups differ. A setting that was changed
 * under way, or by a fork, makes another configuration. A further run of a seed is a group of its own, behind that of its
 * configuration: a repetition, or a fork, which shares steps with its parent, says nothing new about the spread over seeds.
 */
export function configGroups(runs: readonly Configured[]): {
  readonly groups: readonly ConfigGroup[];
  readonly differences: readonly ConfigDifference[];
} {
  const byKey = new Map<string, { runs: Configured[]; settings: ReadonlyMap<string, string> }>();
  for (const run of runs) {
    const histories = settingHistories(run.config, run.settings, run.overview.step);
    const settings = new Map([...histories].filter(([key]) => !BESIDE_THE_POINT.has(key)));
    const key = JSON.stringify([...settings].sort(([a], [b]) => (a < b ? -1 : 1)));
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, { runs: [run], settings });
    else known.runs.push(run);
  }
  const found = [...byKey.values()];
  const keys = [...new Set(found.flatMap(({ settings }) => [...settings.keys()]))];
  const differences = keys
    .map((key) => ({ key, values: found.map(({ settings }) => settings.get(key) ?? '') }))
    .filter(({ values }) => new Set(values).size > 1);
  const telling = tellingApart(differences, found.length);
  const split = found.map((each, index) => bySeed(each.runs, labelOf(telling, index)));
  return {
    groups: split.flat(),
    differences: differences.map(({ key, values }) => ({
      key,
      values: split.flatMap((groups, index) => groups.map(() => values[index] ?? '')),
    })),
  };
}

/** The runs of a configuration that have a seed each, and every further run of one of these seeds by itself. */
function bySeed(runs: readonly Configured[], label: string): ConfigGroup[] {
  const seeds = new Set<number>();
  const first: string[] = [];
  const again: ConfigGroup[] = [];
  // A fork stands behind the run whose steps it has.
  const ordered = runs.toSorted((a, b) => Number(a.forkOf !== null) - Number(b.forkOf !== null));
  for (const { overview, forkOf } of ordered) {
    const { run, seed } = overview;
    if (!seeds.has(seed)) {
      seeds.add(seed);
      first.push(run);
      continue;
    }
    const what = forkOf === null ? `seed ${seed} again` : `fork of ${forkOf.run}`;
    again.push({
      label: [label, `${run} (${what})`].filter((part) => part !== '').join(', '),
      runs: [run],
      independent: false,
    });
  }
  return [{ label: label || (first[0] ?? ''), runs: first, independent: true }, ...again];
}

/** As few of the differences as tell all groups apart, what people ask for first among the first. */
function tellingApart(
  differences: readonly ConfigDifference[],
  groups: number,
): ConfigDifference[] {
  const rank = ({ key }: ConfigDifference): number =>
    ASKED_FOR.includes(key) ? ASKED_FOR.indexOf(key) : ASKED_FOR.length;
  const chosen: ConfigDifference[] = [];
  for (const difference of differences.toSorted((a, b) => rank(a) - rank(b))) {
    const labels = Array.from({ length: groups }, (_, index) => labelOf(chosen, index));
    if (new Set(labels).size === groups) break;
    chosen.push(difference);
  }
  return chosen;
}

function labelOf(differences: readonly ConfigDifference[], index: number): string {
  return differences
    .map(({ key, values }) => `${key} ${(values[index] || '–').replaceAll('"', '')}`)
    .join(', ');
}
