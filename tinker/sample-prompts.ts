import { ToolsampleError } from '../contracts/errors.ts';
import type {
  GeneratedCompletion,
  GenerationPrompt,
  SamplingParameters,
} from '../contracts/policy.ts';
import { sampleAnswer, type SampleAnswer } from './answers.ts';
import type { TinkerClient } from './client.ts';
import type { RequestOptions } from './transport.ts';

/** What to sample from: what was saved of a policy, or the model beneath. */
export type Sampler = { readonly model_path: string } | { readonly base_model: string };

export interface SampleOptions extends RequestOptions {
  /** Told how many completions are there. */
  readonly onCompletions: (done: number) => void;
}

/** Services add a completion's number to the seed, and the sum has to fit 31 bits. */
const SEED_RANGE = 2 ** 30;

/** Completes prompts at a service, all at once: it decides what it computes together. @throws ServiceRefusal, ToolsampleError `service` */
export async function samplePrompts(
  client: TinkerClient,
  sampler: Sampler,
  prompts: readonly GenerationPrompt[],
  sampling: SamplingParameters,
  eosIds: readonly number[],
  { signal, onAnswer, onCompletions }: SampleOptions,
): Promise<GeneratedCompletion[]> {
  const failed = new AbortController();
  const request = {
    signal: AbortSignal.any([signal, failed.signal]),
    ...(onAnswer === undefined ? {} : { onAnswer }),
  };
  let done = 0;
  const complete = async (
    { ids, seeds }: GenerationPrompt,
    prompt: number,
  ): Promise<GeneratedCompletion[]> => {
    const body = {
      ...sampler,
      num_samples: seeds.length,
      prompt: { chunks: [{ type: 'encoded_text', tokens: ids }] },
      sampling_params: {
        temperature: sampling.temperature,
        top_p: sampling.topP,
        max_tokens: sampling.maxNewTokens,
        seed: (seeds[0] ?? 0) % SEED_RANGE,
        stop: eosIds,
      },
    };
    const { sequences } = await client.work('asample', body, sampleAnswer, request);
    if (sequences.length !== seeds.length) {
      throw unfit(`${sequences.length} completions where ${seeds.length} were asked for`);
    }
    done += sequences.length;
    onCompletions(done);
    return sequences.map((sequence, index) => ({
      prompt,
      index,
      ...completion(sequence, sampling.maxNewTokens, eosIds),
    }));
  };
  try {
    return (await Promise.all(prompts.map(complete))).flat();
  } finally {
    failed.abort(new Error('another request failed'));
  }
}

/** A completion as our loss takes it: one log-probability per token, the end token included. */
function completion(
  { tokens, logprobs, stop_reason: finishReason }: SampleAnswer['sequences'][number],
  maxNewTokens: number,
  eosIds: readonly number[],
): Pick<GeneratedCompletion, 'ids' | 'logprobs' | 'finishReason'> {
  if (tokens.length === 0 || tokens.length > maxNewTokens) {
    throw unfit(
      `a completion of ${tokens.length} tokens where 1 to ${maxNewTokens} were asked for`,
    );
  }
  if (logprobs.length !== tokens.length) {
    throw unfit(`${logprobs.length} log-probabilities for ${tokens.length} tokens`);
  }
  if (finishReason === 'stop' && !eosIds.includes(tokens.at(-1) ?? -1)) {
    throw unfit('a completion that stopped without its end token');
  }
  return { ids: tokens, logprobs, finishReason };
}

function unfit(what: string): ToolsampleError {
  return new ToolsampleError('service', `the training service answers asample with ${what}`, {
    hint: 'it is tried again; if it stays so, tell who runs the service',
  });
}
