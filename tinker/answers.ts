import { z } from 'zod';

/** What a training service answers, checked before anything else looks at it; more fields than these are left alone. */

const identifier = () => z.string().min(1).max(512);

export const sessionAnswer = z.object({ session_id: identifier() });

/** Work that is under way; its outcome is fetched with the id. */
export const workAnswer = z.object({ request_id: identifier() });

export const newModelAnswer = workAnswer.extend({ model_id: identifier() });

export const capabilitiesAnswer = z.object({
  supported_models: z.array(z.object({ model_name: identifier() })).max(10_000),
});

/** Whatever was asked for, done. */
export const doneAnswer = z.object({});

export const savedAnswer = z.object({ path: z.string().regex(/^tinker:\/\/\S{1,1000}$/) });

/** A log-probability; a hair above 0 is rounding. */
const logprob = () => z.number().max(1e-3);

export const sampleAnswer = z.object({
  sequences: z
    .array(
      z.object({
        tokens: z.array(z.int().min(0)),
        logprobs: z.array(logprob()),
        stop_reason: z.enum(['stop', 'length']),
      }),
    )
    .max(4096),
});
export type SampleAnswer = z.infer<typeof sampleAnswer>;

export const gradientAnswer = z.object({
  /** Of each sequence, one log-probability per target token, by the policy before the update. */
  loss_fn_outputs: z.array(z.object({ logprobs: z.object({ data: z.array(logprob()) }) })),
});
export type GradientAnswer = z.infer<typeof gradientAnswer>;

export const optimizerAnswer = z.object({
  metrics: z.record(z.string(), z.number()).nullish(),
});

/** Instead of an outcome: still waiting. */
export const waitingAnswer = z.object({ type: z.literal('try_again') });

/** Instead of an outcome: it failed, by whose fault. */
export const failedAnswer = z.object({ error: z.string(), category: z.string().optional() });

/** The body of an answer that is no success. */
export const refusalAnswer = z.union([
  z.object({ detail: z.string() }),
  z.object({ error: z.string() }),
  z.object({ message: z.string() }),
]);
