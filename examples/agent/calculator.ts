/** Longer expressions are not computed. */
const LONGEST = 200;

/**
 * The value of an arithmetic expression: numbers, `+ - * /`, signs and brackets. It is read, never evaluated as code.
 * @throws Error for anything else
 */
export function evaluate(expression: string): number {
  if (expression.length > LONGEST) throw new Error('the expression is too long');
  const tokens = expression.match(/\d+(\.\d+)?|[-+*/()]|\S/g) ?? [];
  let at = 0;
  const accept = (...signs: readonly string[]): string | undefined =>
    signs.includes(tokens[at] ?? '') ? tokens[at++] : undefined;
  const operand = (): number => {
    if (accept('-') !== undefined) return -operand();
    if (accept('(') !== undefined) {
      const value = sum();
      if (accept(')') === undefined) throw new Error('a bracket is not closed');
      return value;
    }
    const token = tokens[at++] ?? 'the end';
    if (!/^\d/.test(token)) throw new Error(`a number is expected, not ${token}`);
    return Number(token);
  };
  const product = (): number => {
    let value = operand();
    for (let sign = accept('*', '/'); sign !== undefined; sign = accept('*', '/')) {
      const next = operand();
      value = sign === '*' ? value * next : value / next;
    }
    return value;
  };
  const sum = (): number => {
    let value = product();
    for (let sign = accept('+', '-'); sign !== undefined; sign = accept('+', '-')) {
      const next = product();
      value = sign === '+' ? value + next : value - next;
    }
    return value;
  };
  const value = sum();
  if (at < tokens.length) throw new Error(`${tokens[at]} is not expected there`);
  return value;
}
