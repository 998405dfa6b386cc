import { isDict, isList, type PythonDict, type PythonValue } from '../../dscl/python-value.ts';
import { languageOf, type BfclCategory, type BfclLanguage } from './categories.ts';
import { JAVA_TYPES, javaValue } from './java-values.ts';
import { JAVASCRIPT_TYPES, javascriptValue } from './javascript-values.ts';
import { checkType, kindOf, type ValueKind } from './type-check.ts';
import {
  checkDict,
  checkDicts,
  checkList,
  checkText,
  isAmong,
  mayBeLeftOut,
} from './value-checks.ts';

/** A function as a question describes it, as far as the checker looks. */
export interface BfclFunction {
  readonly name: string;
  readonly parameters: {
    readonly properties: {
      readonly [parameter: string]: {
        readonly type: string;
        readonly items?: { readonly type?: string };
      };
    };
    readonly required?: readonly string[];
  };
}

export interface BfclCall {
  readonly name: string;
  readonly arguments: PythonDict;
}

export interface BfclCase {
  readonly category: BfclCategory;
  readonly functions: readonly BfclFunction[];
  /** What the policy called; null when its answer could not be read as calls. */
  readonly calls: readonly BfclCall[] | null;
  /** `ground_truth`, one name with its allowed values each; null where nothing should be called. */
  readonly answers: readonly PythonDict[] | null;
  /** The policy saw names with `_` for each dot, as servers of OpenAI's API require. */
  readonly underscoredNames?: boolean;
}

export interface BfclVerdict {
  readonly valid: boolean;
  /** By BFCL's name; null when valid. */
  readonly errorType: string | null;
  readonly errors: readonly string[];
}

const VALID: BfclVerdict = { valid: true, errorType: null, errors: [] };

const PYTHON_TYPES: { readonly [name: string]: ValueKind } = {
  string: 'str',
  integer: 'int',
  float: 'float',
  boolean: 'bool',
  array: 'list',
  tuple: 'list',
  dict: 'dict',
  any: 'str',
};

const TYPES: { readonly [language in BfclLanguage]: { readonly [name: string]: ValueKind } } = {
  python: PYTHON_TYPES,
  java: JAVA_TYPES,
  javascript: JAVASCRIPT_TYPES,
};

/** Types of which the question tells the type of the elements. */
const LISTS: { readonly [language in BfclLanguage]: readonly string[] } = {
  python: ['array', 'tuple'],
  java: ['Array', 'ArrayList'],
  javascript: ['array'],
};

/**
 * BFCL's verdict on the calls of one answer, by its AST rules: the same as the official checker's (`bfcl-eval` 2026.3.23). Where that
 * one fails on a question (a type that it doesn't know), the answer is wrong here.
 */
export function checkBfcl(given: BfclCase): BfclVerdict {
  const { category, calls, answers } = given;
  if (category === 'live_relevance') {
    return (calls ?? []).length > 0
      ? VALID
      : wrong('relevance_error:decoder_failed', 'nothing was called');
  }
  if (answers === null || category.endsWith('irrelevance')) {
    return (calls ?? []).length === 0
      ? VALID
      : wrong('irrelevance_error:decoder_success', 'something was called');
  }
  if (calls === null) return wrong('ast_decoder:decoder_failed', 'the answer has no readable call');
  if (category.includes('parallel')) return checkParallel(given, calls, answers);
  const checker = category.includes('multiple')
    ? 'multiple_function_checker'
    : 'simple_function_checker';
  const [call, ...more] = calls;
  const [answer] = answers;
  if (call === undefined || answer === undefined || more.length > 0) {
    return wrong(`${checker}:wrong_count`, `${calls.length} calls instead of 1`);
  }
  return checkCall(given, call, answer);
}

/** Each answer takes the first call that is left and right, whatever their order. */
function checkParallel(
  given: BfclCase,
  calls: readonly BfclCall[],
  answers: readonly PythonDict[],
): BfclVerdict {
  const checker = 'parallel_function_checker_no_order';
  if (calls.length !== answers.length) {
    return wrong(`${checker}:wrong_count`, `${calls.length} calls instead of ${answers.length}`);
  }
  const left = [...calls];
  for (const [i, answer] of answers.entries()) {
    const verdicts = left.map((call) => checkCall(given, call, answer));
    const found = verdicts.findIndex(({ valid }) => valid);
    if (found < 0) {
      const reasons = verdicts.flatMap(({ errors }) => errors);
      return wrong(`${checker}:cannot_find_match`, `no call matches answer ${i}`, ...reasons);
    }
    left.splice(found, 1);
  }
  return VALID;
}

function checkCall(given: BfclCase, call: BfclCall, answer: PythonDict): BfclVerdict {
  const checker = 'simple_function_checker';
  const [[wanted, allowed] = ['', null]] = answer;
  // In the categories of one function it is that one, whatever the answer calls it.
  const asked = given.category.includes('simple')
    ? given.functions[0]
    : given.functions.find(({ name }) => name === wanted);
  if (asked === undefined || allowed === null || !isDict(allowed)) {
    return wrong(`${checker}:unclear`, `the question has no function "${wanted}"`);
  }
  const name = given.underscoredNames === true ? asked.name.replaceAll('.', '_') : asked.name;
  if (call.name !== name) {
    return wrong(`${checker}:wrong_func_name`, `"${call.name}" is called instead of "${name}"`);
  }
  for (const parameter of asked.parameters.required ?? []) {
    if (!call.arguments.has(parameter)) {
      return wrong(`${checker}:missing_required`, `"${parameter}" is required and missing`);
    }
  }
  for (const [parameter, value] of call.arguments) {
    const described = Object.hasOwn(asked.parameters.properties, parameter)
      ? asked.parameters.properties[parameter]
      : undefined;
    const list = allowed.get(parameter);
    if (described === undefined || !isList(list)) {
      return wrong(`${checker}:unexpected_param`, `"${parameter}" should not be given`);
    }
    const error = argumentError(languageOf(given.category), described, value, list);
    if (error !== null) return wrong(error, `"${parameter}" has another value, or type`);
  }
  for (const [parameter, list] of allowed) {
    if (!call.arguments.has(parameter) && !mayBeLeftOut(list)) {
      return wrong(`${checker}:missing_optional`, `"${parameter}" is missing`);
    }
  }
  return VALID;
}

/** Null, or the kind of error. */
function argumentError(
  language: BfclLanguage,
  { type, items }: BfclFunction['parameters']['properties'][string],
  given: PythonValue,
  answers: readonly PythonValue[],
): string | null {
  const types = TYPES[language];
  const expected = Object.hasOwn(types, type) ? types[type] : undefined;
  if (expected === undefined) return `type_error:unknown type ${type}`;
  const nested = LISTS[language].includes(type) ? items?.type : undefined;
  const elements = nested === undefined || !Object.hasOwn(types, nested) ? null : types[nested];
  let value = given;
  if (language !== 'python') {
    // Programs in these languages are written down as texts.
    if (typeof given !== 'string') return language === 'java' ? 'type_error:java' : 'type_error:js';
    value = (language === 'java' ? javaValue : javascriptValue)(given, type, nested);
  } else if (type === 'float' && typeof given === 'bigint') {
    value = Number(given);
  }
  const verdict = checkType(value, answers, expected, elements ?? null);
  if (!verdict.valid) return verdict.errorType;
  if (!verdict.isVariable) {
    if (isDict(value)) return checkDict(value, answers);
    if (isList(value)) return (elements === 'dict' ? checkDicts : checkList)(value, answers);
    if (kindOf(value) === 'str') return checkText(value, answers);
  }
  return isAmong(value, answers) ? null : 'value_error:others';
}

function wrong(errorType: string, ...errors: readonly string[]): BfclVerdict {
  return { valid: false, errorType, errors };
}
