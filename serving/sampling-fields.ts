import { z } from 'zod';
import type { SamplingParameters } from '../contracts/policy.ts';
import { badField } from './request-body.ts';

/** What a server allows. */
export interface RequestLimits {
  /** Completions under way at once; a request may want no more. */
  readonly rows: number;
  /** Tokens of a completion at most, whatever is asked for. */
  readonly maxCompletionLength: number;
}

/** How a request's completions are made and told. */
export interface Settings {
  /** As the request calls the policy. */
  readonly model: string | null;
  readonly n: number;
  readonly sampling: SamplingParameters;
  /** Null: another one each time. */
  readonly seed: number | null;
  readonly stop: readonly string[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** Below it, tokens are as good as certain; and 1 / temperature stays within what fp32 holds. */
const GREEDY_BELOW = 1e-5;
const SMALLEST_TOP_P = 1e-6;
const MOST_STOPS = 16;
const LONGEST_STOP = 1000;

const stopText = z.string().min(1, 'is empty').max(LONGEST_STOP);
const ONLY_ZERO = 'is not supported: only 0, which changes nothing';
const penalty = z.literal(0, ONLY_ZERO).nullish();

/** Fields that both ways to complete have. What is not listed is ignored (`user`, `store`, `metadata`, …). */
export const samplingFields = {
  model: z.string().nullish(),
  n: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  // Any whole number that JSON can give: OpenAI's has 64 bits.
  seed: z.number().refine(Number.isInteger, 'is not a whole number').nullish(),
  stop: z.union([stopText, z.array(stopText).max(MOST_STOPS)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: z.int().min(1).nullish(),
  frequency_penalty: penalty,
  presence_penalty: penalty,
  logit_bias: z
    .record(z.string(), z.number())
    .refine((biases) => Object.values(biases).every((bias) => bias === 0), ONLY_ZERO)
    .nullish(),
};

const samplingSchema = z.object(samplingFields);

/**
 * What a request asks for, within the limits.
 * @param length tokens asked for; undefined: as many as the server allows
 * @throws ApiError 400
 */
export function readSettings(
  fields: z.output<typeof samplingSchema>,
  length: number | undefined,
  { rows, maxCompletionLength }: RequestLimits,
): Settings {
  const n = fields.n ?? 1;
  if (n > rows) throw badField('n', `is ${n}; this server completes ${rows} at once at most`);
  const temperature = fields.temperature ?? 1;
  const stop = fields.stop ?? [];
  return {
    model: fields.model ?? null,
    n,
    sampling: {
      temperature: temperature < GREEDY_BELOW ? 0 : temperature,
      topP: Math.max(SMALLEST_TOP_P, fields.top_p ?? 1),
      maxNewTokens: Math.min(length ?? maxCompletionLength, maxCompletionLength),
    },
    seed: fields.seed ?? null,
    stop: typeof stop === 'string' ? [stop] : stop,
    stream: fields.stream ?? false,
    includeUsage: fields.stream_options?.include_usage ?? false,
  };
}
