import { answered, called, NO_TOOL_FITS, type Conversation, type Turn } from './conversation.ts';
import { isFault, readEach, readText, type Read } from './fields.ts';
import { readCall, readValue, type WrittenCall } from './exact-values.ts';
import { conversationReader, type Row } from './row-reader.ts';
import { readTools } from './tool-definitions.ts';

/**
 * xLAM function-calling: `query`, `answers` and `tools`, the last two as texts of JSON (or as what they hold). No answer:
 * no tool fits.
 */
export const readXlamRow = conversationReader('xlam', readRow, false);

function readRow(row: Row): Read<Conversation> {
  const query = readText(row['query'], 'query');
  if (isFault(query)) return query;
  const tools = readTools(row['tools'], 'tools');
  if (isFault(tools)) return tools;
  const calls = readAnswers(row['answers']);
  if (isFault(calls)) return calls;
  const wanted = calls.value.length === 0 ? answered(NO_TOOL_FITS) : called(calls.value);
  const turns: Turn[] = [{ role: 'user', content: query.value }, wanted];
  return { value: { tools: tools.value, turns } };
}

function readAnswers(value: unknown): Read<readonly WrittenCall[]> {
  const field = 'answers';
  if (value === undefined || value === null) return { field, reason: 'is missing' };
  const list = readValue(value, field);
  if (isFault(list)) return list;
  if (!Array.isArray(list.value)) return { field, reason: 'is not a list of calls' };
  return readEach(list.value as readonly unknown[], field, readCall);
}
