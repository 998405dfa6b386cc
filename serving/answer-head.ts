import { randomBytes } from 'node:crypto';
import { ownVersion } from '../contracts/version.ts';

/** What all parts of an answer begin with. */
export interface AnswerHead {
  readonly id: string;
  readonly object: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
}

const FINGERPRINT = `toolsample-${ownVersion()}`;

/** A new answer's head. @param prefix of its id. @param object what OpenAI's interface calls it. @param model as it is served */
export function answerHead(prefix: string, object: string, model: string): AnswerHead {
  return {
    id: newId(prefix),
    object,
    created: Math.floor(Date.now() / 1000),
    model,
    system_fingerprint: FINGERPRINT,
  };
}

/** An id that nobody else has. */
export function newId(prefix: string): string {
  return `${prefix}${randomBytes(12).toString('hex')}`;
}

/** Tokens that a request took: its prompts once each, and what was made. */
export function tokenUsage(prompt: number, completion: number) {
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  };
}
