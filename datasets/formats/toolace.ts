import { isRecord, shownValue } from '../ground-truth.ts';
import { readSpokenText, spokenTurn } from './assistant-text.ts';
import { readCallExpressions } from './call-expressions.ts';
import { called, type AssistantTurn, type Conversation, type Turn } from './conversation.ts';
import { isFault, readEach, readOptionalText, readRecords, readText, type Read } from './fields.ts';
import { withoutForm } from './form-text.ts';
import { NotLiteral, readLiteral } from './literal.ts';
import { conversationReader, type Row } from './row-reader.ts';
import { takeTaggedTools, type SystemText } from './tagged-tools.ts';
import { readTools } from './tool-definitions.ts';

/**
 * ToolACE: `system`, which holds the tools as a JSON list in its text, and `conversations` of `user`, `assistant` and
 * `tool`. Calls are `[Func Name(a=1, b="x")]`.
 */
export const readToolaceRow = conversationReader('toolace', readRow);

function readRow(row: Row): Read<Conversation> {
  const system = readOptionalText(row['system'], 'system');
  if (isFault(system)) return system;
  const given = splitSystem(system.value);
  if (isFault(given)) return given;
  const entries = readRecords(row['conversations'], 'conversations');
  if (isFault(entries)) return entries;
  const { text } = given.value;
  // Some have them beside it.
  const tools =
    given.value.tools === undefined
      ? readTools(row['tools'], 'tools')
      : { value: given.value.tools };
  if (isFault(tools)) return tools;
  const turns: Turn[] = text === '' ? [] : [{ role: 'system', content: text }];
  const spoken = readEach(entries.value, 'conversations', readTurn);
  if (isFault(spoken)) return spoken;
  return { value: { tools: tools.value, turns: [...turns, ...spoken.value] } };
}

function readTurn(entry: Row, field: string): Read<Turn> {
  const value = readText(entry['value'], `${field}.value`);
  if (isFault(value)) return value;
  const content = value.value;
  switch (entry['from']) {
    case 'system':
    case 'user':
    case 'tool':
      return { value: { role: entry['from'], content } };
    case 'assistant':
      return readAssistant(content, `${field}.value`);
    default:
      return {
        field: `${field}.from`,
        reason: `is ${shownValue(entry['from'])}: none of user, assistant, tool`,
      };
  }
}

function readAssistant(content: string, field: string): Read<AssistantTurn> {
  const calls = readCallExpressions(content, field);
  if (calls !== undefined) return isFault(calls) ? calls : { value: called(calls.value) };
  const spoken = readSpokenText(content, field);
  if (isFault(spoken)) return spoken;
  // Calls after a thought.
  const { thought, calls: tagged, words } = spoken.value;
  const after = tagged.length > 0 ? undefined : readCallExpressions(words, field);
  if (after === undefined) return { value: spokenTurn(spoken.value) };
  if (isFault(after)) return after;
  return { value: spokenTurn({ thought, calls: after.value, words: '' }) };
}

const looksLikeTool = (item: unknown): boolean =>
  isRecord(item) && ('name' in item || 'function' in item);

/** Places at which the list of tools is looked for: brackets come before it in the text about the form. */
const MAX_TRIES = 64;

/** The system text apart from its list of tools, and the tools. */
function splitSystem(system: string): Read<SystemText> {
  const tagged = takeTaggedTools(system, 'system');
  if (isFault(tagged) || tagged.value.tools !== undefined) return tagged;
  let at = -1;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    at = system.indexOf('[', at + 1);
    if (at < 0) break;
    const cursor = { text: system, at };
    try {
      const list = readLiteral(cursor);
      if (!Array.isArray(list) || list.length === 0 || !list.every(looksLikeTool)) continue;
      const tools = readTools(list, 'system');
      if (isFault(tools)) return tools;
      const text = `${system.slice(0, at)}\n${system.slice(cursor.at)}`;
      return { value: { text: withoutForm(text), tools: tools.value } };
    } catch (error) {
      if (!(error instanceof NotLiteral)) throw error;
    }
  }
  return { value: { text: withoutForm(system), tools: undefined } };
}
