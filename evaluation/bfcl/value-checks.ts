import { standardise } from '../../dscl/bfcl-values.ts';
import {
  isDict,
  isList,
  pythonEquals,
  type PythonDict,
  type PythonValue,
} from '../../dscl/python-value.ts';

/** Null: the value is right. Else the kind of error, by BFCL's name. */
export type ValueError = string | null;

/** Without the differences that BFCL forgives in a text; other values as they are. */
function standard(value: PythonValue): PythonValue {
  return typeof value === 'string' ? standardise(value) : value;
}

export function isAmong(value: PythonValue, answers: readonly PythonValue[]): boolean {
  return answers.some((answer) => pythonEquals(value, answer));
}

/** A text, compared without punctuation and case. */
export function checkText(value: PythonValue, answers: readonly PythonValue[]): ValueError {
  const texts = answers.filter((answer) => typeof answer === 'string').map(standard);
  return isAmong(standard(value), texts) ? null : 'value_error:string';
}

/** A list of anything but dicts; its own elements are compared as texts are, deeper ones exactly. */
export function checkList(
  value: readonly PythonValue[],
  answers: readonly PythonValue[],
): ValueError {
  return isAmong(
    value.map(standard),
    answers.map((answer) => listOf(answer).map(standard)),
  )
    ? null
    : 'value_error:list/tuple';
}

/** A dict of one level; an answer lists the allowed values of each key. */
export function checkDict(value: PythonDict, answers: readonly PythonValue[]): ValueError {
  let error: ValueError = 'dict_checker:unclear';
  for (const answer of answers) {
    if (!isDict(answer)) continue;
    error = dictError(value, answer);
    if (error === null) return null;
  }
  return error;
}

function dictError(value: PythonDict, answer: PythonDict): ValueError {
  let error: ValueError = null;
  for (const [key, given] of value) {
    const allowed = answer.get(key);
    if (allowed === undefined) error = 'value_error:dict_key';
    else if (!isAmong(standard(given), listOf(allowed).map(standard)))
      error = 'value_error:dict_value';
    if (error !== null) break;
  }
  for (const [key, allowed] of answer) {
    if (!value.has(key) && !mayBeLeftOut(allowed)) return 'value_error:dict_key';
  }
  return error;
}

/** Dicts in the order of the answer. */
export function checkDicts(
  value: readonly PythonValue[],
  answers: readonly PythonValue[],
): ValueError {
  let error: ValueError = 'list_dict_checker:unclear';
  for (const answer of answers) {
    const dicts = listOf(answer);
    if (dicts.length !== value.length) {
      error = 'value_error:list_dict_count';
      continue;
    }
    error = null;
    for (const [i, each] of value.entries()) {
      error = isDict(each) ? checkDict(each, dicts.slice(i, i + 1)) : 'list_dict_checker:unclear';
      if (error !== null) break;
    }
    if (error === null) return null;
  }
  return error;
}

/** @param allowed values of a parameter or a key; in a text in place of their list Python finds "", as in every text */
export function mayBeLeftOut(allowed: PythonValue): boolean {
  return typeof allowed === 'string' || (isList(allowed) && allowed.includes(''));
}

/** A text counts as the list of its characters: "", which marks what may be left out, as the empty list. */
function listOf(value: PythonValue): readonly PythonValue[] {
  if (isList(value)) return value;
  return typeof value === 'string' ? Array.from(value) : [value];
}
