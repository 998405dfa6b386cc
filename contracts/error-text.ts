import { cutText } from './cut-text.ts';

/** Of a message that is repeated: enough to know what went wrong, too short for what it quotes (prompts, completions, values). */
const LONGEST_LINE = 500;

/** A line of V8's stack traces. */
const FRAME = /^\s+at \S.*$/;

/**
 * The error and its causes, outermost first, but for those that repeat a statement with all of its parameters, as drizzle's do: such
 * parameters are whole prompts, completions and ground truths. Empty for what is no error.
 */
export function errorChain(error: unknown): Error[] {
  const seen = new Set<Error>();
  let current = error;
  while (isError(current) && !seen.has(current)) {
    seen.add(current);
    // Several addresses of one host fail together; any of them tells why.
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return [...seen].filter((each) => !repeatsParameters(each));
}

/** What is told of one error: the first line of its message, at most 500 characters of it. */
export function errorLine(error: unknown): string {
  const text = isError(error) ? error.message : String(error);
  return cutText(text.split('\n', 1)[0] ?? '', LONGEST_LINE);
}

/** Where an error was thrown: the frames of its stack alone. A stack begins with the message, whose texts belong to nobody else. */
export function errorFrames(error: unknown): string[] {
  if (!isError(error)) return [];
  const stack = error.stack ?? '';
  const at = stack.indexOf(error.message);
  const lines = (at < 0 ? stack : stack.slice(at + error.message.length)).split('\n');
  // The message may have changed since: what is no frame ends it.
  const header = lines.findLastIndex((line) => line !== '' && !FRAME.test(line));
  return lines.slice(header + 1).filter((line) => line !== '');
}

/**
 * An error for logs: messages and frames, without the texts that errors carry besides.
 *
 * @returns the line of each error of the chain, outermost first, and the frames of the thrown one
 */
export function errorReport(error: unknown): { readonly message: string; readonly stack: string } {
  const chain = errorChain(error);
  const lines = chain.length > 0 ? chain.map(errorLine) : [unnamed(error)];
  const message = lines.filter((line, i) => !lines.slice(0, i).includes(line)).join(': ');
  return { message, stack: [message, ...errorFrames(error)].join('\n') };
}

/** Errors of another realm, such as a workflow's, are errors too. */
function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}

function repeatsParameters(error: Error): boolean {
  return ('query' in error && 'params' in error) || error.message.startsWith('Failed query: ');
}

function unnamed(error: unknown): string {
  return isError(error) ? 'a query failed' : errorLine(error);
}
