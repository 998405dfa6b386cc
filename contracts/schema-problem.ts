import type { z } from 'zod';
import { shown } from './shown-value.ts';

/** zod's names of kinds, as we call them. */
const KINDS: { readonly [expected: string]: string } = {
  string: 'a text',
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
};

type AnyIssue = z.core.$ZodIssue | z.core.$ZodRawIssue;

/**
 * What a schema has against a value, in the words of our own messages: `must be one of a, b, not "c"`, or `is missing`. Where a schema
 * has words of its own, those are told.
 */
export function schemaProblem(issue: z.core.$ZodRawIssue): string {
  if (issue.input === undefined) return 'is missing';
  if (issue.code === 'unrecognized_keys')
    return `has the unknown key${issue.keys.length === 1 ? '' : 's'} ${issue.keys.map(shown).join(', ')}`;
  const expected = expectation(issue);
  return expected === null
    ? `has none of the forms that are accepted: ${shown(issue.input)}`
    : `must ${expected}, not ${given(issue)}`;
}

/** `be a text`, `have at most 3 items`; null: there is no short way to tell. */
function expectation(issue: AnyIssue): string | null {
  switch (issue.code) {
    case 'invalid_type':
      return `be ${KINDS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `be ${choice(issue.values)}`;
    case 'too_big':
      return amount(
        issue.origin,
        issue.inclusive === false ? 'less than' : 'at most',
        issue.maximum,
      );
    case 'too_small':
      return amount(
        issue.origin,
        issue.inclusive === false ? 'more than' : 'at least',
        issue.minimum,
      );
    case 'invalid_format':
      return 'prefix' in issue ? `begin with ${shown(issue.prefix)}` : `be ${issue.format}`;
    case 'invalid_union':
      return alternatives(issue.errors);
    default:
      return null;
  }
}

function choice(values: readonly z.core.util.Primitive[]): string {
  const [only] = values;
  return values.length === 1 ? shown(only) : `one of ${values.map(String).join(', ')}`;
}

/** Units of what has a length. */
const UNITS: { readonly [origin: string]: string } = { string: 'character', array: 'item' };

function amount(origin: string, bound: string, limit: number | bigint): string {
  const unit = UNITS[origin];
  const number = limit.toLocaleString('en-US', { maximumFractionDigits: 12 });
  if (unit === undefined) return `be ${bound} ${number}`;
  return `have ${bound} ${number} ${unit}${Number(limit) === 1 ? '' : 's'}`;
}

/** `be a text, or a list`, where the forms differ in what they are as a whole. */
function alternatives(options: readonly (readonly z.core.$ZodIssue[])[]): string | null {
  const forms = options.map(([first]) =>
    first === undefined || first.path.length > 0 ? null : expectation(first),
  );
  if (!forms.every((form) => form?.startsWith('be ') === true)) return null;
  return `be ${[...new Set(forms.map((form) => form?.slice('be '.length)))].join(', or ')}`;
}

/** What is too long is told by its length. */
function given({ code, input }: z.core.$ZodRawIssue): string {
  const counted = code === 'too_big' || code === 'too_small';
  if (counted && (typeof input === 'string' || Array.isArray(input)))
    return input.length.toLocaleString('en-US');
  return shown(input);
}
