import { z } from 'zod';
import { warmStartPhaseSchema } from './nested-schemas.ts';
import { runConfigSchema } from './schema.ts';
import type { Group } from './setting-groups.ts';

/** What kind of value a key takes; decides how a flag's text is read. */
type KeyKind = 'integer' | 'number' | 'boolean' | 'text' | 'choice' | 'list' | 'mixed';

/** One key that a user can set, as help, documentation and error messages describe it. */
export interface ConfigKey {
  /** Canonical path: `numGenerations`, `sampling.hardThreshold`, `warmStart.steps`. */
  readonly path: string;
  readonly group: Group;
  readonly description: string;
  readonly kind: KeyKind;
  /** What is accepted, in words: `an integer from 2 to 1024`. */
  readonly range: string;
  /** Words that are accepted, for `choice`, `mixed` and lists of words. */
  readonly choices: readonly string[];
  /** Items of a list are numbers. */
  readonly numericItems: boolean;
}

/** The parts of a JSON Schema node that this file reads. */
interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly group?: Group;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly SchemaNode[];
  readonly items?: SchemaNode;
  readonly properties?: { readonly [key: string]: SchemaNode };
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  /** What a text must be, in words. */
  readonly accepts?: string;
}

/** All keys in the order of the schema; the fields of a warm-start phase as `warmStart.*`. */
export const CONFIG_KEYS: readonly ConfigKey[] = allKeys();

function allKeys(): ConfigKey[] {
  const root = z.toJSONSchema(runConfigSchema, { io: 'input' }) as SchemaNode;
  return Object.entries(root.properties ?? {}).flatMap(([name, node]) =>
    name === 'warmStart' ? phaseKeys() : keysBelow(name, node, node.group ?? 'Machine'),
  );
}

function phaseKeys(): ConfigKey[] {
  const phase = z.toJSONSchema(warmStartPhaseSchema, { io: 'input' }) as SchemaNode;
  return keysBelow('warmStart', phase, 'Cold start');
}

function keysBelow(path: string, node: SchemaNode, group: Group): ConfigKey[] {
  if (node.properties !== undefined) {
    return Object.entries(node.properties).flatMap(([name, child]) =>
      keysBelow(`${path}.${name}`, child, group),
    );
  }
  return [
    {
      path,
      group,
      description: node.description ?? '',
      kind: kindOf(node),
      range: rangeOf(node),
      choices: choicesOf(node),
      numericItems: node.items?.type === 'integer' || node.items?.type === 'number',
    },
  ];
}

function kindOf(node: SchemaNode): KeyKind {
  if (node.anyOf !== undefined) return 'mixed';
  if (node.enum !== undefined) return 'choice';
  if (node.type === 'array') return 'list';
  if (node.type === 'integer' || node.type === 'number' || node.type === 'boolean')
    return node.type;
  return 'text';
}

function choicesOf(node: SchemaNode): readonly string[] {
  return (
    node.enum ?? node.items?.enum ?? node.anyOf?.find((part) => part.enum !== undefined)?.enum ?? []
  );
}

function rangeOf(node: SchemaNode): string {
  if (node.anyOf !== undefined) return node.anyOf.map(rangeOf).join(', or ');
  if (node.enum !== undefined) return `one of ${node.enum.join(', ')}`;
  if (node.type === 'array') return `a list of ${lengthOf(node)}items, each ${itemRange(node)}`;
  if (node.type === 'boolean') return 'true or false';
  if (node.type === 'integer' || node.type === 'number') return numberRange(node);
  return node.accepts ?? 'a text';
}

function itemRange(node: SchemaNode): string {
  return node.items === undefined ? 'a text' : rangeOf(node.items);
}

function lengthOf({ minItems, maxItems }: SchemaNode): string {
  if (minItems === undefined) return '';
  return minItems === maxItems ? `${minItems} ` : `${minItems} to ${maxItems ?? 'any'} `;
}

function numberRange(node: SchemaNode): string {
  const what = node.type === 'integer' ? 'an integer' : 'a number';
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = node;
  // JSON Schema writes "any safe integer" as this bound; to a reader it is no bound.
  const bounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (minimum !== undefined && bounded)
    return `${what} from ${digits(minimum)} to ${digits(maximum)}`;
  const low =
    minimum === undefined ? bound('above', exclusiveMinimum) : `at least ${digits(minimum)}`;
  const high = bounded ? `at most ${digits(maximum)}` : bound('below', exclusiveMaximum);
  return [what, [low, high].filter((text) => text !== '').join(' and ')].join(' ').trim();
}

function bound(word: string, value: number | undefined): string {
  return value === undefined ? '' : `${word} ${digits(value)}`;
}

function digits(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 12 });
}
