import type { ToolDefinition } from '../../contracts/sample.ts';
import { isRecord } from '../ground-truth.ts';
import { readAllowedValues } from './allowed-values.ts';
import { isAssistant, type Conversation, type Turn } from './conversation.ts';
import { withExpressedCalls } from './expressed-calls.ts';
import { isFault, type Read } from './fields.ts';
import { readTurns } from './openai-turns.ts';
import { conversationReader, type Row } from './row-reader.ts';
import { readTools } from './tool-definitions.ts';

/**
 * OpenAI's chat format: `messages` and `tools` (formerly `functions`). Turns of the assistant with `weight` 0 are context
 * alone. A row without tools tells of them in its messages, if at all, and is shown as it is.
 */
export const readOpenaiRow = conversationReader('openai', readRow);

function readRow(row: Row): Read<Conversation> {
  let tools: readonly ToolDefinition[] | undefined;
  const field = row['tools'] === undefined || row['tools'] === null ? 'functions' : 'tools';
  if (row[field] !== undefined && row[field] !== null) {
    const read = readTools(row[field], field);
    if (isFault(read)) return read;
    tools = read.value;
  }
  // A converted row has its calls in their place: its words are words, whatever they hold.
  const tags = isRecord(row['toolsample']) ? 'kept' : 'read';
  const read = readTurns(row['messages'], 'messages', tags);
  if (isFault(read)) return read;
  const turns = tags === 'read' ? withExpressedCalls(read.value, tools) : read.value;
  const remembered = readRemembered(row['toolsample'], turns);
  return isFault(remembered)
    ? remembered
    : { value: { tools, turns, remembered: remembered.value } };
}

/** What `toolsample data convert` notes for itself. */
function readRemembered(
  value: unknown,
  turns: readonly Turn[],
): Read<NonNullable<Conversation['remembered']>> {
  const learned = turns.filter((turn) => isAssistant(turn) && turn.learned);
  const [turn] = learned;
  if (!isRecord(value) || turn === undefined || learned.length > 1) return { value: {} };
  const { level, allowed_values: allowed } = value;
  const known = Number.isSafeInteger(level) ? { level: level as number } : {};
  if (allowed === undefined || allowed === null) return { value: known };
  const read = readAllowedValues(allowed, 'toolsample.allowed_values');
  if (isFault(read)) return read;
  if (read.value.length !== turn.calls?.length) {
    return { field: 'toolsample.allowed_values', reason: 'has not one entry for each call' };
  }
  return { value: { ...known, allowedValues: read.value } };
}
