import type { FinishReason, SamplingParameters } from './policy.ts';

/** A prompt to complete beside others that are under way; see {@link Decoder}. */
export interface DecodeRequest {
  readonly ids: readonly number[];
  /** One 53-bit seed per completion wanted. */
  readonly seeds: readonly number[];
  readonly sampling: SamplingParameters;
  /** How many of the likeliest tokens are told with each; 0: none. */
  readonly topLogprobs: number;
}

export interface TokenLogprob {
  readonly id: number;
  /** Of the distribution it is drawn from, at the request's temperature (at 0: at 1), before top-p. */
  readonly logprob: number;
}

/** One more token of a completion. */
export interface DecodedToken extends TokenLogprob {
  /** Index into the request's seeds. */
  readonly index: number;
  /** The likeliest tokens in its place, likeliest first. */
  readonly top: readonly TokenLogprob[];
  /** Null: the completion goes on. */
  readonly finishReason: FinishReason | null;
}

/** Hears of a request's completions. */
export interface DecodeListener {
  readonly onTokens: (tokens: readonly DecodedToken[]) => void;
  /** Nothing follows. */
  readonly onFailure: (error: Error) => void;
}

/** A request under way. */
export interface Decoding {
  /** Gives a completion up: its place is free after the token that is being computed. */
  readonly stop: (index: number) => void;
}

/** What a decoder has room for. */
export interface DecoderLimits {
  /** Tokens of a prompt and its completion at most: the policy's context, or what keys and values may take. */
  readonly contextLength: number;
}

/**
 * Completes prompts as they come, many at once: a new one joins the others as soon as there is room, and leaves when it
 * ends. One policy, in a worker thread of its own.
 */
export interface Decoder {
  /** Loads the policy. @throws ToolsampleError `checkpoint`, `config` when the device does not open */
  ready(): Promise<DecoderLimits>;
  /** @param request its ids are of the policy's vocabulary, fewer than {@link DecoderLimits.contextLength} */
  decode(request: DecodeRequest, listener: DecodeListener): Decoding;
  /** Ends the thread; what is under way fails. */
  close(): Promise<void>;
}
