import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { errorReport } from '../contracts/error-text.ts';
import type { PolicyText } from '../contracts/policy.ts';
import { access, type AccessOptions } from './access.ts';
import { answerHead } from './answer-head.ts';
import { ApiError, asApiError } from './api-error.ts';
import { chatAnswer, chatChunks } from './chat-answer.ts';
import { readChatRequest, type ChatRequest } from './chat-request.ts';
import type { Completer } from './completer.ts';
import { readCompletionRequest } from './completion-request.ts';
import { streamChunks } from './event-stream.ts';
import { forcedStart } from './forced-call.ts';
import type { Gate } from './gate.ts';
import { badField } from './request-body.ts';
import type { RequestLimits, Settings } from './sampling-fields.ts';
import { textAnswer, textChunks } from './text-answer.ts';

export interface AppParts extends AccessOptions {
  /** What the policy is called. */
  readonly model: string;
  /** Whether a request has to name it so; else any name will do. */
  readonly strictModel: boolean;
  readonly text: PolicyText;
  readonly completer: Completer;
  readonly limits: RequestLimits;
  /** Of a request at most. */
  readonly seconds: number;
  readonly gate: Gate;
  /** Receives what nobody foresaw. */
  readonly log: (message: string) => void;
}

const MIB = 1024 * 1024;
/** Larger bodies are refused. */
const LARGEST_BODY = 8 * MIB;

/** OpenAI's interface over a policy. */
export function servingApp(parts: AppParts): Hono {
  const { model, text, completer, limits } = parts;
  const since = Math.floor(Date.now() / 1000);
  const served = { id: model, object: 'model', created: since, owned_by: 'toolsample' };
  const app = new Hono();

  app.get('/health', (c) => c.json({ status: 'ok' }));
  app.use('/v1/*', access(parts));
  app.use(
    '/v1/*',
    bodyLimit({
      maxSize: LARGEST_BODY,
      onError: () => {
        throw new ApiError(413, `the body is larger than ${LARGEST_BODY / MIB} MiB`);
      },
    }),
  );
  app.get('/v1/models', (c) => c.json({ object: 'list', data: [served] }));
  app.get('/v1/models/:name{.+}', (c) => {
    checkModel(parts, c.req.param('name'));
    return c.json(served);
  });

  app.post('/v1/chat/completions', async (c) => {
    const request = readChatRequest(await c.req.text(), limits);
    checkModel(parts, request.model);
    return underway(c, parts, request, (gone) => {
      const run = startChat(parts, request, gone);
      return { whole: async () => chatAnswer(run), chunks: () => chatChunks(run) };
    });
  });

  app.post('/v1/completions', async (c) => {
    const request = readCompletionRequest(await c.req.text(), text, limits);
    checkModel(parts, request.model);
    if (request.stream && request.prompts.length > 1) {
      throw badField('stream', 'is for one prompt at a time');
    }
    return underway(c, parts, request, (gone) => {
      const head = answerHead('cmpl-', 'text_completion', model);
      const pieces = completer.complete({ ...request, param: 'prompt' }, gone);
      const run = { head, request, text, pieces };
      return { whole: async () => textAnswer(run), chunks: () => textChunks(run) };
    });
  });

  app.notFound((c) => answerError(c, nothingThere(c)));
  app.onError((error, c) => {
    if (error instanceof HTTPException) return answerError(c, new ApiError(400, error.message));
    note(parts, error);
    return answerError(c, asApiError(error));
  });
  return app;
}

/** Begins to complete a conversation. @throws ApiError as the completer does, and where the policy's template refuses it */
export function startChat(
  { model, text, completer }: Pick<AppParts, 'model' | 'text' | 'completer'>,
  request: ChatRequest,
  gone: AbortSignal,
) {
  const object = request.stream ? 'chat.completion.chunk' : 'chat.completion';
  const start = forcedStart(request.forced);
  const ids = [...text.encodePrompt(request.prompt), ...text.encode(start)];
  const [pieces] = completer.complete({ ...request, prompts: [ids], param: 'messages' }, gone);
  const head = answerHead('chatcmpl-', object, model);
  return { head, request, text, promptTokens: ids.length, start, pieces: pieces! };
}

/** How a request is answered, as a whole or in chunks. */
interface Answer {
  readonly whole: () => Promise<object>;
  readonly chunks: () => AsyncIterable<object>;
}

/** Answers a request; its places in the batch are free again when it is over, whatever ends it. */
async function underway(
  c: Context,
  parts: AppParts,
  { stream }: Settings,
  begin: (gone: AbortSignal) => Answer,
): Promise<Response> {
  const leave = parts.gate.enter();
  const gone = new AbortController();
  const client = c.req.raw.signal;
  const goneNow = (): void => {
    gone.abort();
  };
  client.addEventListener('abort', goneNow);
  const onEnd = (): void => {
    client.removeEventListener('abort', goneNow);
    gone.abort();
    leave();
  };
  try {
    if (client.aborted) gone.abort();
    const answer = begin(gone.signal);
    if (stream) {
      const onError = (error: unknown): void => {
        note(parts, error);
      };
      return streamChunks(c, answer.chunks(), { gone, seconds: parts.seconds, onEnd, onError });
    }
    const response = c.json(await answer.whole());
    onEnd();
    return response;
  } catch (error) {
    // A client that is gone hears nothing.
    const heard = gone.signal.aborted ? new ApiError(400, 'the client is gone') : error;
    onEnd();
    throw heard;
  }
}

function checkModel({ model, strictModel }: AppParts, name: string | null): void {
  if (!strictModel || name === model) return;
  const problem =
    name === null ? 'is missing' : `is ${JSON.stringify(name)}; this server has ${model} alone`;
  throw new ApiError(404, `model: ${problem}`, { param: 'model', code: 'model_not_found' });
}

/** OpenAI's newer interface, which some clients ask unless they are told otherwise. */
const RESPONSES = /^\/v1\/responses(\/|$)/;

function nothingThere(c: Context): ApiError {
  const { method, path } = c.req;
  const advice = RESPONSES.test(path)
    ? ': this server has /v1/chat/completions; use openai.chat(…) in the AI SDK, OpenAIChatCompletionsModel in the Agents SDK'
    : '';
  return new ApiError(404, `there is no ${method} ${path}${advice}`);
}

function answerError(c: Context, error: ApiError): Response {
  for (const [name, value] of Object.entries(error.headers)) c.header(name, value);
  return c.json(error.body, error.status);
}

/** What is nobody's mistake but ours goes to the log. */
function note({ log }: AppParts, error: unknown): void {
  if (asApiError(error).status !== 500) return;
  log(errorReport(error).stack);
}
