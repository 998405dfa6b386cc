import type { MessagePort } from 'node:worker_threads';
import type { DecodeRequest } from '../../contracts/decoding.ts';
import type { BatchToken } from '../generation/batch-interface.ts';
import type { TransferredError } from './transferred-error.ts';

/** What the policy thread is told while it decodes. */
export type ToDecoding =
  | { readonly kind: 'add'; readonly key: number; readonly request: DecodeRequest }
  | { readonly kind: 'stop'; readonly key: number; readonly index: number }
  /** Nothing will follow; what is under way is given up. */
  | { readonly kind: 'end' };

/** What it tells. */
export type FromDecoding =
  /** The policy is loaded; tokens of a prompt and its completion at most. */
  | { readonly kind: 'ready'; readonly contextLength: number }
  | { readonly kind: 'tokens'; readonly tokens: readonly BatchToken[] }
  /** This request alone; nothing follows of it. */
  | { readonly kind: 'failed'; readonly key: number; readonly error: TransferredError };

/** Sends from the policy thread's side, or to it. */
export function postDecoding(port: MessagePort, message: ToDecoding | FromDecoding): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a rule for browser windows; ports have no origin
  port.postMessage(message);
}
