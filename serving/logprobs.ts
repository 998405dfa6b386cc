import type { TokenLogprob } from '../contracts/decoding.ts';
import type { PolicyText } from '../contracts/policy.ts';
import type { Piece } from './completer.ts';

/** What JSON has instead of minus infinity. */
const LOWEST = -9999;

const finite = (logprob: number): number => Math.max(LOWEST, logprob);

function chatToken(token: TokenLogprob, text: PolicyText) {
  const shown = text.decode([token.id]);
  // Of a token that is a part of a character, the bytes are not known.
  const bytes = shown.includes('\uFFFD') ? null : [...new TextEncoder().encode(shown)];
  return { token: shown, logprob: finite(token.logprob), bytes };
}

/** Log-probabilities as `/v1/chat/completions` tells them. */
export function chatLogprobs(pieces: readonly Piece[], text: PolicyText) {
  return {
    content: pieces.map(({ token }) => ({
      ...chatToken(token, text),
      top_logprobs: token.top.map((other) => chatToken(other, text)),
    })),
    refusal: null,
  };
}

/** Log-probabilities as `/v1/completions` tells them. @param offset characters of the text before these pieces */
export function textLogprobs(pieces: readonly Piece[], text: PolicyText, offset: number) {
  const tokens = pieces.map(({ token }) => text.decode([token.id]));
  const offsets: number[] = [];
  let at = offset;
  for (const token of tokens) {
    offsets.push(at);
    at += token.length;
  }
  return {
    tokens,
    token_logprobs: pieces.map(({ token }) => finite(token.logprob)),
    top_logprobs: pieces.map(({ token }) =>
      Object.fromEntries(token.top.map(({ id, logprob }) => [text.decode([id]), finite(logprob)])),
    ),
    text_offset: offsets,
  };
}
