import type { CompletionShape } from '../contracts/sample.ts';
import { parsePythonJson } from './python-json.ts';
import type { PythonValue } from './python-value.ts';

/** Longer completions are not looked at: wrong format, no readable call. In UTF-16 units. */
export const MAX_COMPLETION_LENGTH = 1 << 20;

const CALL_OPEN = '<tool_call>';
const CALL_CLOSE = '</tool_call>';

/** Literals that must follow one another from the first to the last character, with anything between them. */
const FORMATS: { readonly [shape in CompletionShape]: readonly string[] } = {
  think: ['<think>', '</think>'],
  call: ['<think>', '</think>\n<tool_call>\n', '\n</tool_call>'],
  response: ['<think>', '</think>\n<response>', '</response>'],
  both: ['<think>', '</think>\n<tool_call>\n', '\n</tool_call>\n<response>', '</response>'],
};
/** Tags that may occur only once in the whole completion. ToolRL does not count `<think>`. */
const SINGLE_TAGS: { readonly [shape in CompletionShape]: readonly string[] } = {
  think: [],
  call: [CALL_OPEN, CALL_CLOSE],
  response: ['<response>', '</response>'],
  both: [CALL_OPEN, CALL_CLOSE, '<response>', '</response>'],
};

/** Whether a ground truth of this shape holds tool calls. */
export function shapeHasCalls(shape: CompletionShape): boolean {
  return shape === 'call' || shape === 'both';
}

/**
 * Whether a completion has the format that its ground truth's shape asks for, R_format. [ToolRL]
 *
 * Same verdict as ToolRL's patterns `^<think>.*?</think>\n<tool_call>\n.*?\n</tool_call>$` and siblings (DOTALL), where
 * Python's `$` also matches before one trailing newline; in linear time.
 */
export function hasFormat(completion: string, shape: CompletionShape): boolean {
  if (completion.length > MAX_COMPLETION_LENGTH) return false;
  const text = completion.endsWith('\n') ? completion.slice(0, -1) : completion;
  const literals = FORMATS[shape];
  const first = literals[0] as string;
  const last = literals.at(-1) as string;
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  // Taking each literal at its earliest place leaves the most room for the rest, so no other choice can do better.
  let from = first.length;
  for (const literal of literals.slice(1, -1)) {
    const at = text.indexOf(literal, from);
    if (at < 0) return false;
    from = at + literal.length;
  }
  if (text.length - last.length < from) return false;
  return SINGLE_TAGS[shape].every((tag) => occursOnce(completion, tag));
}

function occursOnce(text: string, tag: string): boolean {
  const at = text.indexOf(tag);
  return at >= 0 && !text.includes(tag, at + tag.length);
}

/**
 * The JSON values between the first `<tool_call>` and the next tag, one a line, read as Python's `json.loads` reads them;
 * not yet checked to be calls. [ToolRL]
 *
 * @returns undefined when a tag is missing or any line is not JSON; never throws.
 */
export function readCallList(completion: string): PythonValue[] | undefined {
  if (completion.length > MAX_COMPLETION_LENGTH) return undefined;
  if (!completion.includes(CALL_CLOSE)) return undefined;
  const block = completion.split(CALL_OPEN)[1]?.split(CALL_CLOSE)[0];
  if (block === undefined) return undefined;
  const calls: PythonValue[] = [];
  for (const line of pythonStrip(block).split('\n')) {
    const value = parsePythonJson(line);
    if (value === undefined) return undefined;
    calls.push(value);
  }
  return calls;
}

/** What Python's `str.strip()` removes: not quite what `trim` does (which knows U+FEFF, but not U+001C–1F and U+0085). */
const PYTHON_SPACE =
  /[\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/; // oxlint-disable-line no-control-regex -- Python counts them as white space

function pythonStrip(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && PYTHON_SPACE.test(text[start] as string)) start++;
  while (end > start && PYTHON_SPACE.test(text[end - 1] as string)) end--;
  return text.slice(start, end);
}
