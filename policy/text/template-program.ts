import { Environment, parse, tokenize } from '@huggingface/jinja';
import { BoundedInterpreter } from './bounded-interpreter.ts';
import { FILTERS, GLOBAL_FUNCTIONS, TEXT_METHODS } from './template-functions.ts';

/**
 * A parsed template. Rendering it twice with the same variables gives the same text.
 * @throws Error where Python's Jinja raises, and beyond the bounds of {@link BoundedInterpreter}
 */
export type TemplateProgram = (variables: Readonly<Record<string, unknown>>) => string;

/** Jinja's options in transformers' `apply_chat_template`. */
const WHITE_SPACE_CONTROL = { trim_blocks: true, lstrip_blocks: true };

/**
 * A Jinja template as transformers sets it up. It is interpreted by @huggingface/jinja, never evaluated as code, with its
 * functions, methods and filters replaced by those of {@link FILTERS} and its neighbours where they differ from Python's.
 * @throws Error when it cannot be parsed
 */
export function parseTemplate(source: string): TemplateProgram {
  // Jinja reads every line ending as a line feed.
  const program = parse(tokenize(source.replace(/\r\n?/g, '\n'), WHITE_SPACE_CONTROL));
  redirectCalls(program);
  return (variables) => {
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...CONSTANTS, ...FUNCTIONS, ...variables })) {
      environment.set(name, value);
    }
    return new BoundedInterpreter(environment).run(program).toString();
  };
}

const CONSTANTS = { true: true, True: true, false: false, False: false, none: null, None: null };

/** Under names that no template can say, so that no variable of a template can hide them. */
const methodName = (name: string): string => `str.${name}`;
const filterName = (name: string): string => `|${name}`;

const FUNCTIONS = {
  ...GLOBAL_FUNCTIONS,
  ...renamed(TEXT_METHODS, methodName),
  ...renamed(FILTERS, filterName),
};

function renamed<T>(
  functions: Readonly<Record<string, T>>,
  rename: (name: string) => string,
): Record<string, T> {
  return Object.fromEntries(Object.entries(functions).map(([name, f]) => [rename(name), f]));
}

/** A node of the library's syntax tree, as far as it is looked at here. */
interface SyntaxNode {
  type: string;
  [part: string]: unknown;
}

/** Turns `x.strip(y)` and `x | tojson(y)` into calls of our functions with `x` as first argument, in the whole tree. */
function redirectCalls(part: unknown): void {
  if (Array.isArray(part)) {
    for (const item of part) redirectCalls(item);
  } else if (part instanceof Map) {
    for (const entry of part) redirectCalls(entry);
  } else if (isNode(part)) {
    for (const child of Object.values(part)) redirectCalls(child);
    if (part.type === 'CallExpression') redirectMethod(part);
    if (part.type === 'FilterExpression') redirectFilter(part);
  }
}

function redirectMethod(call: SyntaxNode): void {
  const member = call['callee'];
  if (!isNode(member) || member.type !== 'MemberExpression' || member['computed'] === true) return;
  const name = identifier(member['property']);
  if (name === undefined || !Object.hasOwn(TEXT_METHODS, name)) return;
  becomeCall(call, methodName(name), [member['object'], ...(call['args'] as unknown[])]);
}

function redirectFilter(node: SyntaxNode): void {
  const filter = node['filter'];
  // Either a name alone or a name that is called with arguments.
  const called = isNode(filter) && filter.type === 'CallExpression';
  const name = identifier(called ? filter['callee'] : filter);
  if (name === undefined || !Object.hasOwn(FILTERS, name)) return;
  const parameters = called ? (filter['args'] as unknown[]) : [];
  becomeCall(node, filterName(name), [node['operand'], ...parameters]);
}

/** In place: the node keeps its class, by which the library knows its own. */
function becomeCall(node: SyntaxNode, name: string, parameters: readonly unknown[]): void {
  node.type = 'CallExpression';
  node['callee'] = { type: 'Identifier', value: name };
  node['args'] = parameters;
}

function identifier(value: unknown): string | undefined {
  return isNode(value) && value.type === 'Identifier' ? String(value['value']) : undefined;
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value;
}
