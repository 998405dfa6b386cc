import { ExactNumber, type ExactValue } from '../contracts/exact-number.ts';
import { readCallList } from '../dscl/completion.ts';
import { isDict, isList, type PythonDict, type PythonValue } from '../dscl/python-value.ts';

/** A call as a completion has it. */
export interface AnsweredCall {
  readonly name: string;
  readonly parameters: PythonDict;
}

/**
 * The calls of a completion, read as the reward reads them.
 * @returns null where there are none: no block of calls, or one with a line that is no call
 */
export function answeredCalls(completion: string): readonly AnsweredCall[] | null {
  const values = readCallList(completion);
  if (values === undefined) return null;
  const calls: AnsweredCall[] = [];
  for (const value of values) {
    const name = isDict(value) ? value.get('name') : undefined;
    const parameters = isDict(value) ? value.get('parameters') : undefined;
    if (typeof name !== 'string' || !isDict(parameters) || !isJson(parameters)) return null;
    calls.push({ name, parameters });
  }
  return calls;
}

/** Whether JSON can hold it: Python's reader takes NaN and infinity, too. */
function isJson(value: PythonValue): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (isList(value)) return value.every(isJson);
  return !isDict(value) || [...value.values()].every(isJson);
}

/** A value with numbers as Python writes them: a float without a fraction keeps its point. */
export function exactValue(value: PythonValue): ExactValue {
  if (typeof value === 'bigint') return new ExactNumber(value.toString());
  if (typeof value === 'number') {
    const text = String(value);
    return new ExactNumber(/^-?\d+$/.test(text) ? `${text}.0` : text);
  }
  if (isList(value)) return value.map(exactValue);
  if (!isDict(value)) return value;
  return Object.fromEntries([...value].map(([key, field]) => [key, exactValue(field)]));
}
