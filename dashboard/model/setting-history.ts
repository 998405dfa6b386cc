import type { JsonValue } from '../../contracts/json.ts';
import type { SettingChange } from '../../contracts/requests.ts';

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

/** What a setting became under way, e.g. `→ 0.0001 from step 7`; empty where it stayed what it was. */
export function changesText(changes: readonly Pick<SettingChange, 'to' | 'fromStep'>[]): string {
  return changes
    .map(({ to, fromStep }) => `→ ${JSON.stringify(to)} from step ${fromStep}`)
    .join(' ');
}

/**
 * Every setting of a run with what became of it, e.g. `0.0004 → 0.0001 from step 7`: two runs of which all of these are the same
 * were made alike, whatever was asked of them.
 *
 * @param step - The last step of the run: what was to change later has changed nothing.
 */
export function settingHistories(
  config: object,
  changes: readonly SettingChange[],
  step: number,
): ReadonlyMap<string, string> {
  const histories = new Map(settingsOf(config));
  for (const key of new Set(changes.map((change) => change.key))) {
    const ofKey = changes.filter((change) => change.key === key && change.fromStep <= step);
    const [first] = ofKey;
    if (first === undefined) continue;
    const before = histories.get(key) ?? JSON.stringify(first.from);
    histories.set(key, [before, changesText(effective(before, ofKey))].join(' ').trimEnd());
  }
  return histories;
}

/** Of two changes for the same step the later one holds; one to what held already is none. */
function effective(before: string, changes: readonly SettingChange[]): readonly SettingChange[] {
  const kept: SettingChange[] = [];
  for (const change of changes) {
    if (kept.at(-1)?.fromStep === change.fromStep) kept.pop();
    const last = kept.at(-1);
    if (JSON.stringify(change.to) !== (last === undefined ? before : JSON.stringify(last.to)))
      kept.push(change);
  }
  return kept;
}
