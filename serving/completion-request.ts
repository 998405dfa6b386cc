import { z } from 'zod';
import type { PolicyText } from '../contracts/policy.ts';
import { badField, readBody } from './request-body.ts';
import {
  readSettings,
  samplingFields,
  type RequestLimits,
  type Settings,
} from './sampling-fields.ts';

/** A request of `/v1/completions`. */
export interface CompletionRequest extends Settings {
  /** Ids of each prompt. */
  readonly prompts: readonly (readonly number[])[];
  /** The likeliest tokens told with each; null: no log-probabilities at all. */
  readonly topLogprobs: number | null;
}

/** What OpenAI's interface completes where no length is asked for. */
const USUAL_LENGTH = 16;
const MOST_PROMPTS = 64;
const MOST_LOGPROBS = 5;

const ids = z.array(z.int().min(0)).min(1);

const completionSchema = z.object({
  ...samplingFields,
  prompt: z.union([
    z.string(),
    ids,
    z.array(z.string()).min(1).max(MOST_PROMPTS),
    z.array(ids).min(1).max(MOST_PROMPTS),
  ]),
  logprobs: z.int().min(0).max(MOST_LOGPROBS).nullish(),
  best_of: z.literal(1, 'is not supported: only 1').nullish(),
  echo: z
    .literal(false, 'is not supported: a prompt is not told again, nor are its log-probabilities')
    .nullish(),
  suffix: z.literal('', 'is not supported').nullish(),
});

/** @throws ApiError 400 */
export function readCompletionRequest(
  body: string,
  text: PolicyText,
  limits: RequestLimits,
): CompletionRequest {
  const fields = readBody(body, completionSchema);
  const prompts = promptIds(fields.prompt, text);
  const foreign = prompts.flat().find((id) => id >= text.vocabularySize);
  if (foreign !== undefined) {
    const known = text.vocabularySize;
    throw badField('prompt', `holds token id ${foreign}; the vocabulary has ${known}`);
  }
  return {
    ...readSettings(fields, fields.max_tokens ?? USUAL_LENGTH, limits),
    prompts,
    topLogprobs: fields.logprobs ?? null,
  };
}

function promptIds(
  prompt: z.output<typeof completionSchema>['prompt'],
  text: PolicyText,
): readonly (readonly number[])[] {
  if (typeof prompt === 'string') return [text.encode(prompt)];
  const [first] = prompt;
  if (typeof first === 'number') return [prompt as number[]];
  return (prompt as (string | number[])[]).map((each) =>
    typeof each === 'string' ? text.encode(each) : each,
  );
}
