import type { JsonValue } from '../contracts/json.ts';
import { fromJson } from './ground-truth.ts';
import type { ParameterRule } from './parameter-rule.ts';
import { isDict, isList } from './python-value.ts';
import type { PythonDict, PythonValue } from './python-value.ts';

/** Allowed values by parameter, as in BFCL's answer files; `""` in a list marks the parameter optional. */
export type AllowedValues = { readonly [parameter: string]: readonly JsonValue[] };

/**
 * BFCL's lenient rules for one ground-truth call. [BFCL; ours where it would ask the tool's schema, which we don't have]
 *
 * A parameter without an allowed list allows its ground-truth value alone. Types are strict: a bool is no number; an int
 * may stand where a float is asked, a float not where an int is; a float is asked where the ground truth or an allowed
 * value is one. Strings compare without ` ,./-_*^`, in lower case, with `'` read as `"`.
 */
export function bfclRule(
  parameters: PythonDict,
  allowedValues: AllowedValues | undefined,
): ParameterRule {
  const alternatives = new Map<string, readonly PythonValue[]>();
  for (const [key, list] of Object.entries(allowedValues ?? {})) {
    alternatives.set(key, list.map(fromJson));
  }
  return {
    keys: new Set([...parameters.keys(), ...alternatives.keys()]),
    mayOmit: (key) => alternatives.get(key)?.includes('') ?? false,
    accepts: (key, value) => {
      const own = parameters.get(key);
      const list = alternatives.get(key);
      if (list === undefined) return own !== undefined && sameValue(value, own, asksFloat(own));
      const floats = list.some(asksFloat) || (own !== undefined && asksFloat(own));
      return list.some((wanted) => isAllowed(value, wanted, floats, own));
    },
  };
}

function asksFloat(value: PythonValue): boolean {
  return typeof value === 'number' || (isList(value) && value.some(asksFloat));
}

/**
 * `wanted` in BFCL's notation: a dict lists the allowed values of each key, a list of dicts does so in order.
 * @param own the value of the ground truth in this place, which tells floats where the list of allowed ones has lost their points
 */
function isAllowed(
  value: PythonValue,
  wanted: PythonValue,
  floats: boolean,
  own: PythonValue | undefined,
): boolean {
  if (isDict(wanted)) return isDict(value) && isAllowedDict(value, wanted, floats, own);
  if (isList(wanted) && wanted.some(isDict)) {
    return (
      isList(value) &&
      value.length === wanted.length &&
      value.every((element, i) =>
        isAllowed(
          element,
          wanted[i] as PythonValue,
          floats,
          own !== undefined && isList(own) ? own[i] : undefined,
        ),
      )
    );
  }
  return sameValue(value, wanted, floats);
}

function isAllowedDict(
  value: PythonDict,
  wanted: PythonDict,
  floats: boolean,
  own: PythonValue | undefined,
): boolean {
  const known = own !== undefined && isDict(own) ? own : undefined;
  for (const key of value.keys()) if (!wanted.has(key)) return false;
  for (const [key, entry] of wanted) {
    const list = isList(entry) ? entry : [entry];
    const given = value.get(key);
    const ownEntry = known?.get(key);
    const asked = floats || list.some(asksFloat) || (ownEntry !== undefined && asksFloat(ownEntry));
    const right =
      given === undefined
        ? list.includes('')
        : list.some((allowed) => sameValue(given, allowed, asked));
    if (!right) return false;
  }
  return true;
}

function sameValue(value: PythonValue, wanted: PythonValue, floats: boolean): boolean {
  if (typeof wanted === 'string') {
    return typeof value === 'string' && standardise(value) === standardise(wanted);
  }
  if (typeof wanted === 'bigint' || typeof wanted === 'number') {
    if (typeof value !== 'bigint' && typeof value !== 'number') return false;
    if (typeof value === 'number' && !floats) return false;
    // oxlint-disable-next-line eqeqeq -- only loose equality compares a bigint with a float by exact mathematical value
    return value == wanted;
  }
  if (isList(wanted)) {
    return (
      isList(value) &&
      value.length === wanted.length &&
      value.every((element, i) => sameValue(element, wanted[i] as PythonValue, floats))
    );
  }
  if (isDict(wanted)) {
    if (!isDict(value) || value.size !== wanted.size) return false;
    for (const [key, entry] of wanted) {
      const given = value.get(key);
      if (given === undefined || !sameValue(given, entry, floats || asksFloat(entry))) return false;
    }
    return true;
  }
  return value === wanted;
}

/** What BFCL compares of a text. */
export function standardise(text: string): string {
  return text
    .replace(/[ ,./\-_*^]/g, '')
    .toLowerCase()
    .replaceAll("'", '"');
}
