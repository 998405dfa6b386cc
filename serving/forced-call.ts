import type { ChatRequest } from './chat-request.ts';

/**
 * What an answer is made to begin with where a call is asked for: up to the tool's name, or beyond a given one. It ends in the
 * middle of a word, where any tokenizer cuts as it would have without. How the call goes on is the policy's choice.
 */
export function forcedStart(forced: ChatRequest['forced']): string {
  if (forced === null) return '';
  const begin = '<think></think>\n<tool_call>\n{"name';
  return forced === 'any' ? begin : `${begin}": ${JSON.stringify(forced.name)}, "parameters`;
}
