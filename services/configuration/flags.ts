import type { JsonValue } from '../../contracts/json.ts';
import type { RunConfig } from '../../contracts/config.ts';
import { givenTwice, KNOWN_NAMES } from './canonical.ts';
import { CONFIG_KEYS, type ConfigKey } from './keys.ts';
import { foldName, spell } from './names.ts';
import { defaultConfig } from './resolve.ts';
import type { Group } from './setting-groups.ts';

/** A command line flag of one configuration key. */
export interface ConfigFlag {
  /** Canonical path of the key. */
  readonly path: string;
  /** With dashes: `--num-generations`. */
  readonly flag: string;
  readonly group: Group;
  readonly description: string;
  /** What is accepted, in words. */
  readonly range: string;
  /** Placeholder of the argument; null for a switch (which also has a `--no-…` form). */
  readonly argument: string | null;
  /** The built-in run's value as a flag would write it; empty where there is none. */
  readonly defaultText: string;
  /** Reads the argument. Text that does not fit is kept as it is, for the schema to refuse with a reason. */
  readonly parse: (text: string) => JsonValue;
}

/** One flag for every key that fits on a command line: all but lists of warm-start phases, of which flags make one. */
export function flagsFromSchema(): readonly ConfigFlag[] {
  const defaults = defaultConfig();
  return CONFIG_KEYS.map((key) => ({
    path: key.path,
    flag: `--${spell(key.path, 'kebab')}`,
    group: key.group,
    description: key.description,
    range: key.range,
    argument: argumentOf(key),
    defaultText: valueText(valueAt(defaults, key.path)),
    parse: (text) => parseArgument(key, text),
  }));
}

/**
 * Respells known configuration flags as their canonical kebab form (`--num_generations=4`, `--lr 1e-4`, `--rollout.n 4`),
 * so that the argument parser has to know one spelling only. Other arguments pass unchanged; `--` ends it. Of a flag that is repeated as
 * it was the parser takes the last, so that a script's flags can be followed by others.
 *
 * @throws ToolsampleError `config` for a setting under two names
 */
export function canonicalFlags(argv: readonly string[], reserved: ReadonlySet<string>): string[] {
  const end = argv.indexOf('--');
  const written = new Map<string, string>();
  return argv.map((argument, index) => {
    const match = /^--(no-)?([^=]+)(=.*)?$/s.exec(argument);
    if (match === null || (end !== -1 && index >= end)) return argument;
    const [, no = '', name = '', value = ''] = match;
    if (reserved.has(name)) return argument;
    const path = KNOWN_NAMES.get(foldName(name));
    if (path === undefined) return argument;
    const before = written.get(path) ?? name;
    if (before !== name) throw givenTwice(`--${before}`, `--${name}`);
    written.set(path, name);
    return `--${no}${spell(path, 'kebab')}${value}`;
  });
}

/** A configuration value as a flag's argument. */
export function valueText(value: unknown): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.join(',');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The value at a canonical path of a resolved configuration; undefined for fields of warm-start phases. */
export function valueAt(config: RunConfig, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (inside, part) =>
        Array.isArray(inside)
          ? undefined
          : (inside as { [part: string]: unknown } | undefined)?.[part],
      config,
    );
}

/** Reads the text of a setting's value; that of an unknown key, and what does not fit, is kept as it is. */
export function parseSetting(path: string | undefined, text: string): JsonValue {
  const key = CONFIG_KEYS.find((each) => each.path === path);
  return key === undefined ? text : parseArgument(key, text);
}

function argumentOf(key: ConfigKey): string | null {
  switch (key.kind) {
    case 'boolean':
      return null;
    case 'integer':
    case 'number':
    case 'mixed':
      return key.choices.length > 0 ? `n|${key.choices.join('|')}` : 'n';
    case 'choice':
      return key.choices.join('|');
    case 'list':
      return 'a,b,…';
    default:
      return 'text';
  }
}

function parseArgument(key: ConfigKey, text: string): JsonValue {
  switch (key.kind) {
    case 'integer':
    case 'number':
    case 'mixed':
      return numberOr(text);
    case 'list': {
      const items = text === '' ? [] : text.split(',').map((item) => item.trim());
      return key.numericItems ? items.map(numberOr) : items;
    }
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    default:
      return text;
  }
}

function numberOr(text: string): number | string {
  const value = Number(text);
  return text.trim() === '' || !Number.isFinite(value) ? text : value;
}
