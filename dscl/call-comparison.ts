import type { ComparedCall, ComparedParameter } from '../contracts/dashboard.ts';
import type { ValueMatch } from '../contracts/reward.ts';
import { cutText } from '../contracts/cut-text.ts';
import { fitCalls, type WantedCall } from './call-matching.ts';
import { readCallList } from './completion.ts';
import { groundTruthCalls, type GroundTruth, type GroundTruthCall } from './ground-truth.ts';
import { isDict, type PythonDict, type PythonValue } from './python-value.ts';
import { wantedCalls } from './reward.ts';

/** Longer names, keys and values are cut, in UTF-16 units. */
const LONGEST_TEXT = 400;
/** Calls and parameters of a call beyond these are not compared. */
const MOST_CALLS = 64;
const MOST_PARAMETERS = 256;

/**
 * Puts the calls of a completion beside those of the ground truth, matched as the reward matches them: name by name, key by key,
 * value by value. Wanted calls come first, in their order, then those that nobody asked for.
 *
 * @returns null when calls are wanted and those of the completion cannot be read.
 * @throws ToolsampleError `dataset` when the *ground truth* is nested beyond reason.
 */
export function compareCalls(
  completion: string,
  groundTruth: GroundTruth,
  valueMatch: ValueMatch,
): ComparedCall[] | null {
  const own = groundTruthCalls(groundTruth);
  const wanted = wantedCalls(groundTruth, own, valueMatch);
  const given = readCallList(completion) ?? (own.length === 0 ? [] : undefined);
  const fit = given === undefined ? undefined : fitCalls(wanted, given);
  if (given === undefined || fit === undefined) return null;

  const matched = new Map(fit.pairs.map((pair) => [pair.wanted, pair.given]));
  const used = new Set(matched.values());
  const nameOf = (index: number): PythonValue | undefined => fieldOf(given[index], 'name');
  // A right name counts even where nothing else is right.
  for (const [index, { name }] of wanted.entries()) {
    if (matched.has(index)) continue;
    const same = given.findIndex((_, other) => !used.has(other) && nameOf(other) === name);
    if (same < 0) continue;
    matched.set(index, same);
    used.add(same);
  }
  const compared = wanted.map((call, index) => {
    const partner = matched.get(index);
    return comparedCall(call, own[index], partner === undefined ? undefined : given[partner]);
  });
  const extra = given.flatMap((call, index) =>
    used.has(index) ? [] : [comparedCall(undefined, undefined, call)],
  );
  return [...compared, ...extra].slice(0, MOST_CALLS);
}

function comparedCall(
  wanted: WantedCall | undefined,
  own: GroundTruthCall | undefined,
  given: PythonValue | undefined,
): ComparedCall {
  const found = fieldOf(given, 'parameters');
  const parameters: PythonDict = isDict(found) ? found : new Map<string, PythonValue>();
  const keys = new Set([...(wanted?.rule.keys ?? []), ...parameters.keys()]);
  return {
    wanted: wanted === undefined ? null : cutText(wanted.name, LONGEST_TEXT),
    given: given === undefined ? null : nameText(fieldOf(given, 'name')),
    parameters: [...keys].slice(0, MOST_PARAMETERS).map((key) => {
      const value = parameters.get(key);
      return {
        key: cutText(key, LONGEST_TEXT),
        wanted: wanted?.rule.keys.has(key) === true ? jsonText(own?.parameters.get(key)) : null,
        given: value === undefined ? null : jsonText(value),
        right: given !== undefined && isRight(wanted, key, value),
      } satisfies ComparedParameter;
    }),
  };
}

function isRight(wanted: WantedCall | undefined, key: string, value: PythonValue | undefined) {
  if (wanted === undefined || !wanted.rule.keys.has(key)) return false;
  return value === undefined ? wanted.rule.mayOmit(key) : wanted.rule.accepts(key, value);
}

function fieldOf(call: PythonValue | undefined, field: string): PythonValue | undefined {
  return isDict(call) ? call.get(field) : undefined;
}

function nameText(name: PythonValue | undefined): string {
  return typeof name === 'string' ? cutText(name, LONGEST_TEXT) : jsonText(name);
}

/** A value as JSON, cut; a parameter that only a list of allowed values knows has none of its own. */
function jsonText(value: PythonValue | undefined): string {
  return value === undefined ? '(optional)' : cutText(asJson(value), LONGEST_TEXT);
}

function asJson(value: PythonValue): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') {
    // Python's own sign of a float.
    return Number.isInteger(value) && Math.abs(value) < 1e15 ? `${value}.0` : String(value);
  }
  if (isDict(value)) {
    const entries = [...value].map(([key, entry]) => `${JSON.stringify(key)}: ${asJson(entry)}`);
    return `{${entries.join(', ')}}`;
  }
  return Array.isArray(value)
    ? `[${value.map((element: PythonValue) => asJson(element)).join(', ')}]`
    : JSON.stringify(value);
}
