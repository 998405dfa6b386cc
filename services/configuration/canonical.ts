import type { RunConfigInput } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { inShort, shown } from '../../contracts/shown-value.ts';
import { CONFIG_KEYS } from './keys.ts';
import { adviceFor, ALIASES, foldName } from './names.ts';

/** One setting as a user wrote it. */
interface Setting {
  /** The name as written, nesting joined by dots; for messages. */
  readonly written: string;
  readonly value: unknown;
}

/** Settings by canonical path. `warmStart` holds whole phases; `warmStart.steps` and so on fields of a single one. */
export type Settings = ReadonlyMap<string, Setting>;

const WARM_START = 'warmStart';

/** Names nest three levels deep; whoever sends more would overflow the stack. */
const MAX_NESTING = 16;

/** Folded name → canonical path, for every key and alias. */
export const KNOWN_NAMES: ReadonlyMap<string, string> = new Map(
  [
    ...Object.entries(ALIASES),
    ...CONFIG_KEYS.map(({ path }) => [path, path] as const),
    [WARM_START, WARM_START] as const,
  ].map(([name, path]) => [foldName(name), path]),
);

/** Folded names below which a file may nest: `sampling`, `rollout`, `actor.optim`, … */
const SECTIONS: ReadonlySet<string> = new Set(
  [...Object.keys(ALIASES), ...CONFIG_KEYS.map(({ path }) => path)].flatMap((name) => {
    const parts = name.split('.');
    return parts.map((_, length) => foldName(parts.slice(0, length).join('.')));
  }),
);

/**
 * Brings any spelling and nesting of a user's configuration to canonical paths. Looks at names only.
 * @throws ToolsampleError `config` for an unknown key (with the nearest known one) or a key that is given twice.
 */
export function canonicalSettings(input: RunConfigInput): Settings {
  const settings = new Map<string, Setting>();
  const visit = (object: RunConfigInput, prefix: readonly string[]): void => {
    refuseDepth(prefix);
    for (const [name, value] of Object.entries(object)) {
      const written = [...prefix, name].join('.');
      // YAML's `key:` without a value and an undefined option both mean: not given.
      if (value === undefined || value === null) continue;
      const path = KNOWN_NAMES.get(foldName(written));
      if (isObject(value) && SECTIONS.has(foldName(written))) {
        visit(value, [...prefix, name]);
      } else if (path === undefined) {
        throw SECTIONS.has(foldName(written))
          ? needsObject(written, value)
          : unknownKey(written, KNOWN_NAMES);
      } else {
        add(settings, path, { written, value });
      }
    }
  };
  visit(input, []);
  const phases = settings.get(WARM_START);
  if (phases !== undefined) settings.set(WARM_START, canonicalPhases(phases));
  return settings;
}

/**
 * Lays configurations over each other, later ones win, key by key. Fields of a single warm-start phase change an earlier
 * single phase; whole phases replace what was there.
 * @throws ToolsampleError `config` like {@link canonicalSettings}, and when fields meet several phases.
 */
export function mergeInputs(...inputs: readonly RunConfigInput[]): RunConfigInput {
  const merged: { [path: string]: unknown } = {};
  for (const input of inputs) {
    const settings = canonicalSettings(input);
    if (settings.has(WARM_START)) {
      for (const path of Object.keys(merged)) if (isPhaseField(path)) delete merged[path];
    }
    for (const [path, { value }] of settings) merged[path] = value;
    spreadSinglePhase(merged);
  }
  return merged;
}

/** `[{steps: 3}]` and `steps 5` on top become fields, so that the later one wins. */
function spreadSinglePhase(merged: { [path: string]: unknown }): void {
  const phases = merged[WARM_START];
  const fields = Object.keys(merged).filter(isPhaseField);
  if (!Array.isArray(phases) || fields.length === 0) return;
  if (phases.length > 1) {
    throw new ToolsampleError(
      'config',
      `the configuration has ${phases.length} warm-start phases, so it is not clear which one is meant`,
      { at: { field: fields[0] ?? WARM_START }, hint: 'change the phase in the file' },
    );
  }
  const [phase] = phases as unknown[];
  if (isObject(phase)) {
    for (const [field, value] of Object.entries(phase)) merged[`${WARM_START}.${field}`] ??= value;
  }
  delete merged[WARM_START];
}

/** Folded field of a phase → canonical field. */
const PHASE_NAMES: ReadonlyMap<string, string> = new Map(
  CONFIG_KEYS.filter(({ path }) => isPhaseField(path))
    .map(({ path }) => path.slice(WARM_START.length + 1))
    .map((field) => [foldName(field), field]),
);

/** Each phase with canonical field names. */
function canonicalPhases(setting: Setting): Setting {
  const { written, value } = setting;
  if (!Array.isArray(value)) return setting;
  return {
    written,
    value: value.map((phase: unknown, index) =>
      isObject(phase) ? canonicalPhase(phase, `${written}[${index}]`) : phase,
    ),
  };
}

function canonicalPhase(phase: RunConfigInput, where: string): RunConfigInput {
  const canonical: { [field: string]: unknown } = {};
  const visit = (object: RunConfigInput, prefix: readonly string[]): void => {
    refuseDepth(prefix);
    for (const [name, value] of Object.entries(object)) {
      if (value === undefined || value === null) continue;
      const parts = [...prefix, name];
      const path = KNOWN_NAMES.get(foldName([WARM_START, ...parts].join('.')));
      if (isObject(value) && path === undefined) {
        visit(value, parts);
      } else if (path === undefined) {
        throw unknownKey(parts.join('.'), PHASE_NAMES, where);
      } else {
        canonical[path.slice(WARM_START.length + 1)] = value;
      }
    }
  };
  visit(phase, []);
  return canonical;
}

function isPhaseField(path: string): boolean {
  return path.startsWith(`${WARM_START}.`);
}

function add(settings: Map<string, Setting>, path: string, setting: Setting): void {
  const before = settings.get(path);
  if (before !== undefined) throw givenTwice(before.written, setting.written);
  settings.set(path, setting);
}

/** A setting under two names, each as it was written: which one is meant is not ours to guess. */
export function givenTwice(before: string, now: string): ToolsampleError {
  return new ToolsampleError(
    'config',
    `"${inShort(before)}" and "${inShort(now)}" name the same setting`,
    { at: { field: inShort(now) }, hint: 'keep one of them' },
  );
}

function unknownKey(
  written: string,
  known: Iterable<readonly [string, string]>,
  where?: string,
): ToolsampleError {
  const name = inShort(written);
  const field = where === undefined ? name : `${inShort(where)}.${name}`;
  return new ToolsampleError('config', 'unknown key', {
    at: { field },
    hint: adviceFor(written, known) ?? '`toolsample train --help` lists all keys',
  });
}

function refuseDepth(path: readonly string[]): void {
  if (path.length <= MAX_NESTING) return;
  throw new ToolsampleError('config', `nests deeper than ${MAX_NESTING} levels`, {
    at: { field: inShort(path.join('.')) },
    hint: 'settings nest two or three levels deep',
  });
}

function needsObject(written: string, value: unknown): ToolsampleError {
  return new ToolsampleError('config', `must be an object of settings, not ${shown(value)}`, {
    at: { field: inShort(written) },
    hint: '`toolsample train --help` lists all keys',
  });
}

function isObject(value: unknown): value is RunConfigInput {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
