import type { ToolDefinition } from '../../contracts/sample.ts';
import { isRecord, shownValue } from '../ground-truth.ts';
import type { AssistantTurn, Conversation, Turn } from './conversation.ts';
import { isFault, readEach, readRecords, readText, type Read } from './fields.ts';
import { readCall, readValueText, type WrittenCall } from './exact-values.ts';
import { withoutForm } from './form-text.ts';
import { takeTagged } from './tagged-text.ts';
import { conversationReader, type Row } from './row-reader.ts';
import { readTools } from './tool-definitions.ts';

/**
 * Hermes function calling: `conversations` of `system`, `human`, `gpt` and `tool`; tools between `<tools>` and `</tools>` of
 * the system text, calls between `<tool_call>` and `</tool_call>`, thoughts in a `<scratch_pad>`.
 */
export const readHermesRow = conversationReader('hermes', readRow);

function readRow(row: Row): Read<Conversation> {
  const entries = readRecords(row['conversations'], 'conversations');
  if (isFault(entries)) return entries;
  let tools: readonly ToolDefinition[] | undefined;
  const turns: Turn[] = [];
  for (const [i, entry] of entries.value.entries()) {
    const field = `conversations[${i}]`;
    const value = readText(entry['value'], `${field}.value`);
    if (isFault(value)) return value;
    if (entry['from'] === 'system') {
      const system = splitSystem(value.value, `${field}.value`);
      if (isFault(system)) return system;
      tools = system.value.tools ?? tools;
      if (system.value.text !== '') turns.push({ role: 'system', content: system.value.text });
      continue;
    }
    const read = readTurns(entry['from'], value.value, field);
    if (isFault(read)) return read;
    for (const turn of read.value) turns.push(turn);
  }
  if (tools === undefined && row['tools'] !== undefined && row['tools'] !== null) {
    const read = readTools(row['tools'], 'tools');
    if (isFault(read)) return read;
    tools = read.value;
  }
  return { value: { tools, turns } };
}

/** A system text without `<tools>` tells of none: it is left as it is. What follows the tools is about the form of calls. */
function splitSystem(
  text: string,
  field: string,
): Read<{ readonly text: string; readonly tools: readonly ToolDefinition[] | undefined }> {
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
  if (text === '') return { value: [] };
  if (text.startsWith('[')) return readTools(text, field);
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

function readTurns(from: unknown, content: string, field: string): Read<readonly Turn[]> {
  switch (from) {
    case 'human':
    case 'user':
      return { value: [{ role: 'user', content }] };
    case 'tool': {
      const results = takeTagged(content, 'tool_response')?.inside ?? [];
      const texts = results.length === 0 ? [content] : results;
      return { value: texts.map((text) => ({ role: 'tool', content: text })) };
    }
    case 'gpt':
    case 'assistant': {
      const turn = readAssistant(content, `${field}.value`);
      return isFault(turn) ? turn : { value: [turn.value] };
    }
    default:
      return {
        field: `${field}.from`,
        reason: `is ${shownValue(from)}: none of system, human, gpt, tool`,
      };
  }
}

function readAssistant(content: string, field: string): Read<AssistantTurn> {
  const pad = takeTagged(content, 'scratch_pad');
  const rest = pad?.outside ?? content;
  const tagged = takeTagged(rest, 'tool_call');
  if (pad === null || tagged === null) {
    return { field, reason: `has a ${pad === null ? '<scratch_pad>' : '<tool_call>'} without end` };
  }
  const calls: WrittenCall[] = [];
  for (const text of tagged.inside) {
    const read = readCalls(text, field);
    if (isFault(read)) return read;
    for (const call of read.value) calls.push(call);
  }
  const words = calls.length === 0 ? rest : tagged.outside;
  const pads = pad.inside.join('\n');
  return {
    value: {
      role: 'assistant',
      // What is said before a call is why it is made.
      thought: calls.length === 0 ? pads : [pads, words].filter((text) => text !== '').join('\n'),
      calls,
      answer: calls.length === 0 ? words : null,
      shown: words,
      learned: true,
    },
  };
}

/** One object, or a list of them. */
function readCalls(text: string, field: string): Read<readonly WrittenCall[]> {
  const read = readValueText(text, field);
  if (isFault(read)) return { field, reason: `has a call that ${read.reason}` };
  const items: readonly unknown[] = isRecord(read.value)
    ? [read.value]
    : Array.isArray(read.value)
      ? (read.value as readonly unknown[])
      : [];
  if (items.length === 0) return { field, reason: 'has a call that is not an object' };
  return readEach(items, field, readCall);
}
