import type { ParameterRule } from './parameter-rule.ts';
import { isDict, isHashable } from './python-value.ts';
import type { PythonDict, PythonValue } from './python-value.ts';

/** A ground-truth call and what it asks of its parameters. */
export interface WantedCall {
  readonly name: string;
  readonly rule: ParameterRule;
}

/** Successes among trials. */
export interface Tally {
  readonly successes: number;
  readonly trials: number;
}

/** How well a predicted call list fits the wanted one; the raw scores of spec §1. */
export interface CallFit {
  /** R_name: multiset Jaccard of the names. */
  readonly name: number;
  /** R_key: sum over wanted calls of the Jaccard index of parameter keys. */
  readonly key: number;
  /** R_value: wanted values that were met. */
  readonly value: number;
  /** Names met among all names on either side. */
  readonly names: Tally;
  /** Keys met among all keys on either side, for wanted calls that a free prediction shares the name with. */
  readonly keys: Tally;
  /** Values met among the keys met. */
  readonly values: Tally;
  /** Which prediction each wanted call was matched with, by their places; those without a key or value in common are in none. */
  readonly pairs: readonly { readonly wanted: number; readonly given: number }[];
}

/**
 * Fits predictions to wanted calls. [ToolRL]
 *
 * Each wanted call, in order, takes among the unused predictions of its name the first with the best key + value score,
 * if that is above 0. A prediction is only asked for its `parameters` when it is considered, as in Python.
 *
 * @param wanted at least one call.
 * @param predicted JSON values, unchecked.
 * @returns undefined where Python would raise: a prediction that is no object or has no (hashable) name, or a considered
 *   one whose `parameters` are missing or no object.
 */
export function fitCalls(
  wanted: readonly WantedCall[],
  predicted: readonly PythonValue[],
): CallFit | undefined {
  const candidates: { readonly call: PythonDict; used: boolean }[] = [];
  for (const call of predicted) {
    const name = isDict(call) ? call.get('name') : undefined;
    if (!isDict(call) || name === undefined || !isHashable(name)) return undefined;
    candidates.push({ call, used: false });
  }

  let key = 0;
  let value = 0;
  const keys = { successes: 0, trials: 0 };
  const values = { successes: 0, trials: 0 };
  const pairs: { wanted: number; given: number }[] = [];
  for (const [index, { name, rule }] of wanted.entries()) {
    const free = candidates.filter(({ call, used }) => !used && call.get('name') === name);
    let best: { fit: ParameterFit; candidate: (typeof free)[number] } | undefined;
    for (const candidate of free) {
      const parameters = candidate.call.get('parameters');
      if (!isDict(parameters)) return undefined;
      const fit = fitParameters(rule, parameters);
      if (total(fit) > (best === undefined ? 0 : total(best.fit))) best = { fit, candidate };
    }
    if (best !== undefined) {
      best.candidate.used = true;
      pairs.push({ wanted: index, given: candidates.indexOf(best.candidate) });
      key += best.fit.key;
      value += best.fit.values;
      keys.successes += best.fit.shared;
      keys.trials += best.fit.union;
      values.successes += best.fit.values;
      values.trials += best.fit.shared;
    } else if (free.length > 0) {
      keys.trials += rule.keys.size;
    }
  }
  const names = fitNames(
    wanted.map((call) => call.name),
    candidates.map(({ call }) => call.get('name')),
  );
  return {
    name: names.successes / names.trials,
    key,
    value,
    names,
    keys,
    values,
    pairs,
  };
}

interface ParameterFit {
  /** Jaccard index of the keys; 1 when there are none on either side. */
  readonly key: number;
  readonly shared: number;
  readonly union: number;
  /** Values met. */
  readonly values: number;
}

function total(fit: ParameterFit): number {
  return fit.key + fit.values;
}

function fitParameters(rule: ParameterRule, parameters: PythonDict): ParameterFit {
  let shared = 0;
  let values = 0;
  for (const key of rule.keys) {
    const given = parameters.get(key);
    const omitted = given === undefined && rule.mayOmit(key);
    if (omitted || given !== undefined) shared++;
    if (omitted || (given !== undefined && rule.accepts(key, given))) values++;
  }
  let union = rule.keys.size;
  for (const key of parameters.keys()) if (!rule.keys.has(key)) union++;
  return { key: union === 0 ? 1 : shared / union, shared, union, values };
}

function fitNames(
  wanted: readonly string[],
  predicted: readonly (PythonValue | undefined)[],
): Tally {
  const open = new Map<PythonValue | undefined, number>();
  for (const name of wanted) open.set(name, (open.get(name) ?? 0) + 1);
  let successes = 0;
  for (const name of predicted) {
    const left = open.get(name) ?? 0;
    if (left > 0) {
      successes++;
      open.set(name, left - 1);
    }
  }
  return { successes, trials: wanted.length + predicted.length - successes };
}
