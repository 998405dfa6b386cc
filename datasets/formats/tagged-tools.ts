import type { ToolDefinition } from '../../contracts/sample.ts';
import { readValueText } from './exact-values.ts';
import { isFault, type Read } from './fields.ts';
import { withoutForm } from './form-text.ts';
import { readTools } from './tool-definitions.ts';

const CALL_END = '</tool_call>';
/** How Hermes and those after it begin to tell of the form; or its example. */
const SHOWS_FORM =
  /use the following (?:pydantic|json)|for each (?:function |tool )?call|<tool_call>/iu;

/** A system text without its tools, and the tools; undefined: it tells of none. */
export interface SystemText {
  readonly text: string;
  readonly tools: readonly ToolDefinition[] | undefined;
}

/**
 * Takes the tools between `<tools>` and `</tools>` out of a system text, as Hermes has them, with what it says of the form of calls. A text without such tags is left as it is.
 */
export function takeTaggedTools(text: string, field: string): Read<SystemText> {
  const end = text.lastIndexOf('</tools>');
  // The text before names the tags as well, and as a pair.
  const begin = end < 0 ? -1 : text.lastIndexOf('<tools>', end);
  if (begin < 0) return { value: { text, tools: undefined } };
  const tools = readToolList(text.slice(begin + '<tools>'.length, end).trim(), field);
  if (isFault(tools)) return tools;
  const rest = `${text.slice(0, begin)}\n${withoutExample(text.slice(end + '</tools>'.length))}`;
  return { value: { text: withoutForm(rest), tools: tools.value } };
}

/** What follows the tools, without the part that shows how to call: from its first sentence to the end of the example. */
function withoutExample(text: string): string {
  const close = text.lastIndexOf(CALL_END);
  const found = text.search(SHOWS_FORM);
  if (found < 0) return text;
  const before = text.slice(0, found);
  const begin = 1 + Math.max(...['.', '!', '?', '\n'].map((end) => before.lastIndexOf(end)));
  return `${text.slice(0, begin)}\n${close < begin ? '' : text.slice(close + CALL_END.length)}`;
}

/** A JSON list, or one definition a line. */
function readToolList(text: string, field: string): Read<readonly ToolDefinition[]> {
  if (text === '' || text.startsWith('[')) return readTools(text, field);
  const list: unknown[] = [];
  const whole = readValueText(text, field);
  if (!isFault(whole)) return readTools([whole.value], field);
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const read = readValueText(line, field);
    if (isFault(read)) return read;
    list.push(read.value);
  }
  return readTools(list, field);
}
