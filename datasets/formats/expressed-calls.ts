import type { ToolDefinition } from '../../contracts/sample.ts';
import { readCallExpressions } from './call-expressions.ts';
import { isAssistant, type Turn } from './conversation.ts';
import { isFault } from './fields.ts';

/**
 * Turns of which answers in words that are calls as ToolACE writes them, `[name(a=1)]`, of tools that are offered, are read as calls: taken
 * for words, they would reward the policy for calling nothing.
 */
export function withExpressedCalls(
  turns: readonly Turn[],
  tools: readonly ToolDefinition[] | undefined,
): readonly Turn[] {
  const names = new Set(tools?.map(({ name }) => name));
  return turns.map((turn) => {
    if (!isAssistant(turn) || turn.calls.length > 0 || turn.answer === null) return turn;
    const read = readCallExpressions(turn.answer, 'answer');
    if (read === undefined || isFault(read)) return turn;
    const offered = read.value.every(({ name }) => names.has(name));
    return offered ? { ...turn, calls: read.value, answer: null, shown: '' } : turn;
  });
}
