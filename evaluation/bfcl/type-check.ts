import { isDict, isList, type PythonValue } from '../../dscl/python-value.ts';

/** What Python's `type()` tells of a value of JSON. */
export type ValueKind = 'str' | 'int' | 'float' | 'bool' | 'list' | 'dict' | 'none';

export function kindOf(value: PythonValue): ValueKind {
  if (value === null) return 'none';
  if (isList(value)) return 'list';
  if (isDict(value)) return 'dict';
  switch (typeof value) {
    case 'string':
      return 'str';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float';
    default:
      return 'bool';
  }
}

export type TypeVerdict =
  | {
      readonly valid: true;
      /** The answer names a variable of the program, where the function asks for a value of another type. */
      readonly isVariable: boolean;
    }
  | { readonly valid: false; readonly errorType: 'type_error:simple' | 'type_error:nested' };

/**
 * Whether a value has the type that the function asks for, or else that of the first answer, which is a variable then. [BFCL]
 * @param elements of a list: the kind of its elements
 */
export function checkType(
  value: PythonValue,
  answers: readonly PythonValue[],
  expected: ValueKind,
  elements: ValueKind | null,
): TypeVerdict {
  const first = answers.find((answer) => answer !== '');
  const answerKind = first === undefined ? null : kindOf(first);
  const isVariable = answerKind !== null && answerKind !== expected;
  if (kindOf(value) === expected) {
    if (elements === null) return { valid: true, isVariable };
    const fits = answers.some(
      (answer) => !isList(answer) || !isList(value) || elementsFit(value, answer, elements),
    );
    if (fits) return { valid: true, isVariable };
    if (kindOf(value) === answerKind) return { valid: false, errorType: 'type_error:nested' };
    // Nothing at all is allowed.
    return { valid: false, errorType: 'type_error:simple' };
  }
  if (kindOf(value) === answerKind) return { valid: true, isVariable: true };
  return { valid: false, errorType: 'type_error:simple' };
}

function elementsFit(
  value: readonly PythonValue[],
  answer: readonly PythonValue[],
  kind: ValueKind,
): boolean {
  return value.every((element) => checkType(element, answer, kind, null).valid);
}
