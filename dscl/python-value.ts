/**
 * JSON as Python sees it, where JavaScript's own types would lose a difference that ToolRL's scorer makes:
 * `bigint` is Python's int, `number` its float, a `Map` its dict (keys such as `__proto__` are harmless there).
 */
export type PythonValue =
  null | boolean | bigint | number | string | readonly PythonValue[] | PythonDict;
export type PythonDict = ReadonlyMap<string, PythonValue>;

export function isDict(value: PythonValue | undefined): value is PythonDict {
  return value instanceof Map;
}

export function isList(value: PythonValue | undefined): value is readonly PythonValue[] {
  return Array.isArray(value);
}

/** Python's `hash()` raises for these; a `Counter` of names then fails as a whole. */
export function isHashable(value: PythonValue): boolean {
  return !isList(value) && !isDict(value);
}

/**
 * Python's `==` between two parsed JSON values: `1 == 1.0 == True`, integers of any size exactly, dicts without order.
 * A bare NaN differs from itself, but see {@link sameElement}.
 */
export function pythonEquals(a: PythonValue, b: PythonValue): boolean {
  if (a === null || b === null) return a === b;
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  if (isList(a) || isList(b)) {
    return (
      isList(a) &&
      isList(b) &&
      a.length === b.length &&
      a.every((element, i) => sameElement(element, b[i] as PythonValue))
    );
  }
  if (isDict(a) || isDict(b)) return isDict(a) && isDict(b) && sameDict(a, b);
  return sameNumber(a, b);
}

function sameDict(a: PythonDict, b: PythonDict): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) {
    const other = b.get(key);
    if (other === undefined || !sameElement(value, other)) return false;
  }
  return true;
}

/**
 * Equality of elements inside lists and dicts. Python asks for identity first there, and its JSON reader returns one and
 * the same NaN object each time: `[NaN]` equals `[NaN]` although `NaN` does not equal `NaN`.
 */
function sameElement(a: PythonValue, b: PythonValue): boolean {
  return (Number.isNaN(a) && Number.isNaN(b)) || pythonEquals(a, b);
}

function sameNumber(a: boolean | bigint | number, b: boolean | bigint | number): boolean {
  const left = typeof a === 'boolean' ? BigInt(a) : a;
  const right = typeof b === 'boolean' ? BigInt(b) : b;
  if (typeof left === typeof right) return left === right;
  // oxlint-disable-next-line eqeqeq -- only loose equality compares a bigint with a float by exact mathematical value
  return left == right;
}
