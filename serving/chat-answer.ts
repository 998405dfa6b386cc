import type { FinishReason, PolicyText } from '../contracts/policy.ts';
import { newId, tokenUsage, type AnswerHead } from './answer-head.ts';
import {
  createAnswerReader,
  plainAnswer,
  type AnswerPart,
  type AnswerReader,
  type ToldCall,
} from './answer-reader.ts';
import type { ChatRequest } from './chat-request.ts';
import type { Piece } from './completer.ts';
import { chatLogprobs } from './logprobs.ts';

/** A chat request under way. */
export interface ChatRun {
  readonly head: AnswerHead;
  readonly request: ChatRequest;
  readonly text: PolicyText;
  /** Tokens of the prompt. */
  readonly promptTokens: number;
  /** What the answer is made to begin with; it belongs to the prompt for the policy, and to the answer for whoever reads it. */
  readonly start: string;
  readonly pieces: AsyncIterable<Piece>;
}

/** The answer of `/v1/chat/completions` as a whole. @throws what the completer throws */
export async function chatAnswer(run: ChatRun) {
  const { head, request, text, promptTokens, pieces } = run;
  const choices = Array.from({ length: request.n }, () => newChoice(run));
  let made = 0;
  for await (const piece of pieces) {
    made++;
    const choice = choices[piece.index]!;
    choice.parts.push(...readPiece(choice, piece));
    choice.pieces.push(piece);
  }
  return {
    ...head,
    choices: choices.map(({ parts, pieces: told, calls }, index) => ({
      index,
      message: answerMessage(parts),
      logprobs: request.topLogprobs === null ? null : chatLogprobs(told, text),
      finish_reason: finishReason(told.at(-1)?.finishReason ?? null, calls),
    })),
    usage: tokenUsage(promptTokens, made),
  };
}

/** The answer of `/v1/chat/completions` in chunks, as they are made. @throws what the completer throws */
export async function* chatChunks(run: ChatRun): AsyncGenerator<object> {
  const { head, request, text, promptTokens, pieces } = run;
  const choices = Array.from({ length: request.n }, () => newChoice(run));
  const usage = request.includeUsage ? { usage: null } : {};
  const chunk = (index: number, delta: object, rest: object = {}): object => ({
    ...head,
    choices: [{ index, delta, logprobs: null, finish_reason: null, ...rest }],
    ...usage,
  });
  let made = 0;
  for await (const piece of pieces) {
    made++;
    const { index } = piece;
    const choice = choices[index]!;
    if (!choice.begun) yield chunk(index, { role: 'assistant', content: '' });
    choice.begun = true;
    const before = choice.calls;
    const deltas = answerDeltas(readPiece(choice, piece), before);
    const logprobs = request.topLogprobs === null ? null : chatLogprobs([piece], text);
    if (logprobs !== null && deltas.length === 0) deltas.push({});
    for (const [i, delta] of deltas.entries()) {
      yield chunk(index, delta, i === 0 && logprobs !== null ? { logprobs } : {});
    }
    const finish_reason = finishReason(piece.finishReason, choice.calls);
    if (finish_reason !== null) yield chunk(index, {}, { finish_reason });
  }
  if (request.includeUsage) {
    yield { ...head, choices: [], usage: tokenUsage(promptTokens, made) };
  }
}

/** One of a request's answers in the making. */
interface Choice {
  readonly reader: AnswerReader;
  readonly parts: AnswerPart[];
  readonly pieces: Piece[];
  /** Calls that it has made. */
  calls: number;
  /** Whether anything of it was sent. */
  begun: boolean;
}

function newChoice({ request, start }: ChatRun): Choice {
  const offered = request.prompt.tools !== undefined;
  const reader = offered ? createAnswerReader(request.maxCalls) : plainAnswer();
  const parts = reader.push(start);
  return { reader, parts, pieces: [], calls: 0, begun: false };
}

/** What a piece adds. */
function readPiece(choice: Choice, { text, finishReason: finished }: Piece): AnswerPart[] {
  const parts = choice.reader.push(text);
  if (finished !== null) parts.push(...choice.reader.end());
  choice.calls += parts.filter(({ kind }) => kind === 'call').length;
  return parts;
}

function finishReason(reason: FinishReason | null, calls: number): string | null {
  return reason === 'stop' && calls > 0 ? 'tool_calls' : reason;
}

function answerMessage(parts: readonly AnswerPart[]) {
  const told = (kind: AnswerPart['kind']): string =>
    parts.map((part) => (part.kind === kind && part.kind !== 'call' ? part.text : '')).join('');
  const calls = parts.flatMap((part) => (part.kind === 'call' ? [toolCall(part.call)] : []));
  const thought = told('thought');
  const content = told('content');
  return {
    role: 'assistant',
    content: content === '' && calls.length > 0 ? null : content,
    refusal: null,
    ...(thought === '' ? {} : { reasoning_content: thought }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

const toolCall = (call: ToldCall) => ({
  id: newId('call_'),
  type: 'function',
  function: call,
});

/** @param before calls that were sent already */
function answerDeltas(parts: readonly AnswerPart[], before: number): object[] {
  let index = before;
  return parts.flatMap((part): object[] => {
    if (part.kind !== 'call') {
      return [{ [part.kind === 'content' ? 'content' : 'reasoning_content']: part.text }];
    }
    const { id, type, function: call } = toolCall(part.call);
    const first = { index, id, type, function: { name: call.name, arguments: '' } };
    const rest = { index, function: { arguments: call.arguments } };
    index++;
    return [{ tool_calls: [first] }, { tool_calls: [rest] }];
  });
}
