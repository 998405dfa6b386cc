import type { ToolDefinition } from '../../contracts/sample.ts';
import { readValueText } from './exact-values.ts';
import { isFault, type Read } from './fields.ts';
import { withoutForm } from './form-text.ts';
import { readTools } from './tool-definitions.ts';

/** A system text without its tools, and the tools; undefined: it tells of none. */
export interface SystemText {
  readonly text: string;
  readonly tools: readonly ToolDefinition[] | undefined;
}

/**
 * Takes the tools between `<tools>` and `</tools>` out of a system text, as Hermes has them. What follows them is about the
 * form of calls. A text without such tags is left as it is.
 */
export function takeTaggedTools(text: string, field: string): Read<SystemText> {
  const end = text.lastIndexOf('</tools>');
  // The text before names the tags as well, and as a pair.
  const begin = end < 0 ? -1 : text.lastIndexOf('<tools>', end);
  if (begin < 0) return { value: { text, tools: undefined } };
  const tools = readToolList(text.slice(begin + '<tools>'.length, end).trim(), field);
  if (isFault(tools)) return tools;
  return { value: { text: withoutForm(text.slice(0, begin)), tools: tools.value } };
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
