import { z } from 'zod';
import type { Prompt, ToolDefinition } from '../contracts/sample.ts';
import { turnMessages } from '../datasets/formats/conversation.ts';
import { isFault, type Read } from '../datasets/formats/fields.ts';
import { readTurns } from '../datasets/formats/openai-turns.ts';
import { readTools } from '../datasets/formats/tool-definitions.ts';
import { badField, readBody } from './request-body.ts';
import {
  readSettings,
  samplingFields,
  type RequestLimits,
  type Settings,
} from './sampling-fields.ts';

/** A request of `/v1/chat/completions`. */
export interface ChatRequest extends Settings {
  /** Without tools where none are offered or none may be called. */
  readonly prompt: Prompt;
  /** What has to be called; null: nothing has to. */
  readonly forced: 'any' | { readonly name: string } | null;
  /** Calls that an answer may have. */
  readonly maxCalls: number;
  /** The likeliest tokens told with each; null: no log-probabilities at all. */
  readonly topLogprobs: number | null;
}

const MOST_TOOLS = 512;
const MOST_TOP_LOGPROBS = 20;

const notSupported = z.null('is not supported').optional();

const namedTool = z.object({
  type: z.literal('function'),
  function: z.object({ name: z.string() }),
});

const chatSchema = z.object({
  ...samplingFields,
  // Read by those who read training data: a conversation must look the same to the policy.
  messages: z.unknown(),
  tools: z
    .array(z.object({ type: z.literal('function').nullish() }).loose())
    .max(MOST_TOOLS)
    .nullish(),
  tool_choice: z
    .union([
      z.enum(['none', 'auto', 'required']),
      namedTool,
      z.object({
        type: z.literal('allowed_tools'),
        allowed_tools: z.object({
          mode: z.enum(['auto', 'required']),
          tools: z.array(namedTool).max(MOST_TOOLS),
        }),
      }),
    ])
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(MOST_TOP_LOGPROBS).nullish(),
  response_format: z.object({ type: z.literal('text', 'is not supported: only "text"') }).nullish(),
  modalities: z.array(z.literal('text')).nullish(),
  functions: notSupported,
  function_call: notSupported,
  audio: notSupported,
});

/** @throws ApiError 400 */
export function readChatRequest(text: string, limits: RequestLimits): ChatRequest {
  const body = readBody(text, chatSchema);
  const length = body.max_completion_tokens ?? body.max_tokens ?? undefined;
  if ((body.top_logprobs ?? 0) > 0 && body.logprobs !== true) {
    throw badField('top_logprobs', 'needs logprobs: true');
  }
  const given = body.tools ?? [];
  const all = given.length === 0 ? [] : value(readTools(given, 'tools'));
  const { choice, tools } = readChoice(body.tool_choice ?? 'auto', all);
  const forced = readForced(choice, tools);
  const offered = tools.length > 0 && choice !== 'none';
  const messages = turnMessages(value(readTurns(body.messages, 'messages', 'kept')));
  const single = body.parallel_tool_calls === false || (forced !== null && forced !== 'any');
  return {
    ...readSettings(body, length, limits),
    prompt: offered ? { messages, tools } : { messages },
    forced,
    maxCalls: single ? 1 : Number.POSITIVE_INFINITY,
    topLogprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : null,
  };
}

type ToolChoice = NonNullable<z.output<typeof chatSchema>['tool_choice']>;

/** What is chosen from, and how, once those that are not allowed are left out. */
function readChoice(
  choice: ToolChoice,
  all: readonly ToolDefinition[],
): {
  readonly choice: Exclude<ToolChoice, { type: 'allowed_tools' }>;
  readonly tools: readonly ToolDefinition[];
} {
  if (typeof choice === 'string' || choice.type === 'function') return { choice, tools: all };
  const { mode, tools: named } = choice.allowed_tools;
  const allowed = new Set(named.map((tool) => tool.function.name));
  for (const [i, { function: tool }] of named.entries()) {
    checkKnown(all, tool.name, `tool_choice.allowed_tools.tools[${i}].function.name`);
  }
  return { choice: mode, tools: all.filter(({ name }) => allowed.has(name)) };
}

/** @throws ApiError 400 where no tool has the name */
function checkKnown(tools: readonly ToolDefinition[], name: string, param: string): void {
  if (tools.some((tool) => tool.name === name)) return;
  throw badField(param, `is ${JSON.stringify(name)}, which no tool is called`);
}

function readForced(
  choice: Exclude<ToolChoice, { type: 'allowed_tools' }>,
  tools: readonly ToolDefinition[],
): ChatRequest['forced'] {
  if (choice === 'none' || choice === 'auto') return null;
  if (tools.length === 0) throw badField('tool_choice', 'asks for a call, but there are no tools');
  if (choice === 'required') return 'any';
  const { name } = choice.function;
  checkKnown(tools, name, 'tool_choice.function.name');
  return { name };
}

/** @throws ApiError 400 for what cannot be read */
function value<T>(read: Read<T>): T {
  if (isFault(read)) throw badField(read.field ?? null, read.reason);
  return read.value;
}
