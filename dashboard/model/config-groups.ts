import type { JsonValue } from '../../contracts/json.ts';

/** A run with its configuration as plain values. */
export interface Configured {
  readonly run: string;
  readonly config: object;
}

/** Runs that differ in nothing but their seed. */
export interface ConfigGroup {
  /** What tells this group from the others, e.g. `sampler dscl`; the run's id where it is the only group. */
  readonly label: string;
  readonly runs: readonly string[];
}

/** A setting that is not the same in all groups. */
export interface ConfigDifference {
  /** Path of the setting, e.g. `sampling.uniformShare`. */
  readonly key: string;
  /** Its value in each group, as JSON; empty where a group does not have it. */
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

/** Puts runs of one configuration together, whatever their seeds, and says in what the groups differ. */
export function configGroups(runs: readonly Configured[]): {
  readonly groups: readonly ConfigGroup[];
  readonly differences: readonly ConfigDifference[];
} {
  const byKey = new Map<string, { runs: string[]; settings: ReadonlyMap<string, string> }>();
  for (const { run, config } of runs) {
    const settings = new Map([...settingsOf(config)].filter(([key]) => !BESIDE_THE_POINT.has(key)));
    const key = JSON.stringify([...settings].sort(([a], [b]) => (a < b ? -1 : 1)));
    const group = byKey.get(key);
    if (group === undefined) byKey.set(key, { runs: [run], settings });
    else group.runs.push(run);
  }
  const found = [...byKey.values()];
  const keys = [...new Set(found.flatMap(({ settings }) => [...settings.keys()]))];
  const differences = keys
    .map((key) => ({ key, values: found.map(({ settings }) => settings.get(key) ?? '') }))
    .filter(({ values }) => new Set(values).size > 1);
  const telling = tellingApart(differences, found.length);
  const groups = found.map((group, index) => ({
    runs: group.runs,
    label: labelOf(telling, index) || (group.runs[0] ?? ''),
  }));
  return { groups, differences };
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

/** Every setting by its path, its value as JSON; lists are one value. */
export function settingsOf(config: object, prefix = ''): ReadonlyMap<string, string> {
  const flat = new Map<string, string>();
  for (const [name, value] of Object.entries(config) as [string, JsonValue | undefined][]) {
    const path = `${prefix}${name}`;
    if (value === undefined) continue;
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      for (const [key, inner] of settingsOf(value, `${path}.`)) flat.set(key, inner);
    } else flat.set(path, JSON.stringify(value));
  }
  return flat;
}
