import { beforeAll, describe, expect, it } from 'vitest';
import type { DecodeListener, DecodeRequest } from '../../contracts/decoding.ts';
import type { PolicyText } from '../../contracts/policy.ts';
import { BUILTIN_POLICY } from '../../policy/checkpoint/builtin-policy.ts';
import { folderFiles } from '../../policy/checkpoint/checkpoint-files.ts';
import { readPolicyText } from '../../policy/text/policy-text.ts';
import type { ApiError } from '../../serving/api-error.ts';
import { createCompleter, type Job } from '../../serving/completer.ts';
import { textAnswer, textChunks, type TextRun } from '../../serving/text-answer.ts';

let text: PolicyText;
beforeAll(async () => {
  text = await readPolicyText(await folderFiles(BUILTIN_POLICY));
});

/** A decoder that is told what to say. */
function scripted() {
  const asked: { readonly request: DecodeRequest; readonly listener: DecodeListener }[] = [];
  return {
    asked,
    ready: async () => ({ contextLength: 256 }),
    decode: (request: DecodeRequest, listener: DecodeListener) => {
      asked.push({ request, listener });
      return { stop: () => undefined };
    },
    close: async () => undefined,
  };
}

function completer(rows: number, queue: number, contextLength = 256) {
  const decoder = scripted();
  const { complete } = createCompleter({
    decoder,
    text,
    limits: { contextLength },
    rows,
    queue,
    seconds: 60,
  });
  return { complete, asked: decoder.asked };
}

const job = (prompts: number[][], rest: Partial<Job> = {}): Job => ({
  prompts,
  n: 1,
  sampling: { temperature: 0, topP: 1, maxNewTokens: 8 },
  seed: 1,
  stop: [],
  stream: false,
  topLogprobs: null,
  param: 'prompt',
  ...rest,
});

function refused(begin: () => unknown): ApiError {
  try {
    begin();
  } catch (error) {
    return error as ApiError;
  }
  return expect.unreachable();
}

describe('places', () => {
  const never = new AbortController().signal;
  it('are taken for all of a request or for none of it', () => {
    const { complete, asked } = completer(2, 2);
    const gone = new AbortController();
    complete(job([[1], [2]]), gone.signal);
    expect(refused(() => complete(job([[1], [2], [3]]), never))).toMatchObject({ status: 429 });
    expect(asked).toHaveLength(2);
    complete(job([[1], [2]]), gone.signal);
    gone.abort();
    complete(job([[1], [2], [3], [4]]), never);
    expect(asked).toHaveLength(8);
  });

  it('that there will never be are not worth another try', () => {
    const { complete, asked } = completer(2, 2);
    const error = refused(() => complete(job([[1], [2], [3]], { n: 2 }), never));
    expect(error).toMatchObject({ status: 400, param: 'prompt', headers: {} });
    expect(error.message).toMatch(/asks for 6 completions; this server has places for 4/);
    expect(asked).toHaveLength(0);
  });

  it('are for prompts that leave room in what the server keeps', () => {
    const { complete } = completer(2, 2, 3);
    const error = refused(() => complete(job([[1], [1, 2, 3]]), never));
    expect(error).toMatchObject({ status: 400, code: 'context_length_exceeded' });
    expect(error.message).toMatch(/has 3 tokens.*keeps of a prompt and its completion, 3 tokens/);
    complete(job([[1], [1, 2]]), never);
  });
});

it('a token has the same place in the text whether it is told at once or at the end', async () => {
  const written = text.encode('alarm at ten');
  const place = async (stream: boolean): Promise<number[]> => {
    const { complete, asked } = completer(1, 0);
    const settings = { n: 1, sampling: job([]).sampling, seed: 1, stop: ['alarm at one'], stream };
    const request = { ...settings, prompts: [[1]], topLogprobs: 0, model: null };
    const run: TextRun = {
      head: { id: '', object: '', created: 0, model: '', system_fingerprint: '' },
      request: { ...request, includeUsage: false },
      text,
      pieces: complete({ ...request, param: 'prompt' }, new AbortController().signal),
    };
    asked[0]!.listener.onTokens(
      written.map((id, i) => ({
        index: 0,
        id,
        logprob: -1,
        top: [],
        finishReason: i === written.length - 1 ? 'stop' : null,
      })),
    );
    if (!stream) return (await textAnswer(run)).choices[0]!.logprobs!.text_offset;
    const offsets: number[] = [];
    for await (const chunk of textChunks(run)) {
      const { choices } = chunk as Awaited<ReturnType<typeof textAnswer>>;
      offsets.push(...choices[0]!.logprobs!.text_offset);
    }
    return offsets;
  };
  const whole = await place(false);
  expect(whole).toHaveLength(written.length);
  expect(whole).toEqual([...new Set(whole)]);
  expect(await place(true)).toEqual(whole);
});
