import type { PolicyText } from '../contracts/policy.ts';
import { tokenUsage, type AnswerHead } from './answer-head.ts';
import type { Piece } from './completer.ts';
import type { CompletionRequest } from './completion-request.ts';
import { textLogprobs } from './logprobs.ts';

/** A request of `/v1/completions` under way. */
export interface TextRun {
  readonly head: AnswerHead;
  readonly request: CompletionRequest;
  readonly text: PolicyText;
  /** Of each prompt. */
  readonly pieces: readonly AsyncIterable<Piece>[];
}

const promptTokens = ({ prompts }: CompletionRequest): number =>
  prompts.reduce((sum, ids) => sum + ids.length, 0);

/** The answer of `/v1/completions` as a whole. @throws what the completer throws */
export async function textAnswer({ head, request, text, pieces }: TextRun) {
  const told = await Promise.all(pieces.map(gather));
  const choices = told.flatMap((all, prompt) =>
    Array.from({ length: request.n }, (_, index) => {
      const own = all.filter((piece) => piece.index === index);
      return {
        index: prompt * request.n + index,
        text: own.map((piece) => piece.text).join(''),
        logprobs: request.topLogprobs === null ? null : textLogprobs(own, text, 0),
        finish_reason: own.at(-1)?.finishReason ?? null,
      };
    }),
  );
  return { ...head, choices, usage: tokenUsage(promptTokens(request), told.flat().length) };
}

/** The answer of `/v1/completions` to one prompt in chunks, as they are made. @throws what the completer throws */
export async function* textChunks({
  head,
  request,
  text,
  pieces,
}: TextRun): AsyncGenerator<object> {
  const usage = request.includeUsage ? { usage: null } : {};
  const offsets = Array.from({ length: request.n }, () => 0);
  let made = 0;
  for await (const piece of pieces[0] ?? []) {
    made++;
    const { index, finishReason: finish_reason } = piece;
    const logprobs =
      request.topLogprobs === null ? null : textLogprobs([piece], text, offsets[index]!);
    // Of its token, not of its text: that may be told later.
    offsets[index]! += logprobs?.tokens[0]?.length ?? 0;
    if (piece.text === '' && logprobs === null && finish_reason === null) continue;
    yield { ...head, choices: [{ index, text: piece.text, logprobs, finish_reason }], ...usage };
  }
  if (request.includeUsage) {
    yield { ...head, choices: [], usage: tokenUsage(promptTokens(request), made) };
  }
}

async function gather(pieces: AsyncIterable<Piece>): Promise<Piece[]> {
  const all: Piece[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}
