import { ToolsampleError } from '../contracts/errors.ts';
import { createDecoder } from '../policy/engine/create-decoder.ts';
import { readPolicyText } from '../policy/text/policy-text.ts';
import { ApiError } from './api-error.ts';
import { startChat } from './app.ts';
import { chatAnswer } from './chat-answer.ts';
import { readChatRequest } from './chat-request.ts';
import { createCompleter } from './completer.ts';
import type { NamedPolicy } from './use-policy.ts';

/** One question to a policy. */
export interface Question {
  readonly text: string;
  /** Tools on offer, in any form that data files have them. */
  readonly tools: readonly unknown[];
  /** Where they are from, for messages. */
  readonly toolsFile: string;
  /** 0: the likeliest answer. */
  readonly temperature: number;
  readonly seed: number;
  readonly maxCompletionLength: number;
}

/** What `/v1/chat/completions` would answer. */
export type ChatCompletion = Awaited<ReturnType<typeof chatAnswer>>;

const MAX_SECONDS = 3600;

/**
 * Asks a policy once, without a server.
 * @throws ToolsampleError `checkpoint`, `tokenizer`; `config` for tools that cannot be read and prompts that are too long
 */
export async function askOnce(
  { name, policy }: NamedPolicy,
  question: Question,
): Promise<ChatCompletion> {
  const { text: content, tools, toolsFile, temperature, seed, maxCompletionLength } = question;
  const text = await readPolicyText(policy.files.base);
  const decoder = createDecoder({ ...policy, rows: 1 });
  try {
    const limits = await decoder.ready();
    const places = { rows: 1, queue: 0, seconds: MAX_SECONDS };
    const completer = createCompleter({ decoder, text, limits, ...places });
    const body = { messages: [{ role: 'user', content }], tools, temperature, seed };
    const request = readChatRequest(JSON.stringify(body), { rows: 1, maxCompletionLength });
    const run = startChat({ model: name, text, completer }, request, new AbortController().signal);
    return await chatAnswer(run);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const at = error.param?.startsWith('tools') === true ? { file: toolsFile } : {};
    throw new ToolsampleError('config', error.message, { at });
  } finally {
    await decoder.close();
  }
}
