import { ToolsampleError } from '../../contracts/errors.ts';
import { jsonProblem } from '../../contracts/json-problem.ts';
import { askOnce, type ChatCompletion } from '../../serving/ask-once.ts';
import { usePolicy } from '../../serving/use-policy.ts';
import type { CommandContext } from '../program.ts';
import { readTextFile } from '../read-text-file.ts';
import { counted, printable } from '../render/text.ts';
import { findRunAtEpoch } from '../run-reference.ts';
import type { CallFlags } from '../serving-commands.ts';

/** `toolsample call QUESTION --tools FILE`: one answer of a policy. */
export async function call(
  { terminal, home, json }: CommandContext,
  question: string,
  { policy: reference, tools: file, ...sampling }: CallFlags,
): Promise<void> {
  const tools = await readToolFile(file);
  const log = (message: string): void => terminal.note(message);
  const { name, answer } = await usePolicy(
    reference,
    { home, log, findRun: findRunAtEpoch },
    async (policy) => ({
      name: policy.name,
      answer: await askOnce(policy, { ...sampling, text: question, tools, toolsFile: file }),
    }),
  );
  if (json) {
    terminal.print(JSON.stringify(answer, null, 2));
    return;
  }
  for (const line of answerLines(answer)) terminal.print(line);
  const { completion_tokens: made } = answer.usage;
  const cut = answer.choices[0]?.finish_reason === 'length' ? ', cut off there' : '';
  log(terminal.paint.dim(`${name}, ${counted(made, 'token')}${cut}`));
}

/** Calls as a program would make them, and words; safe to print whatever the policy answers. Exported for its test. */
export function answerLines({ choices }: Pick<ChatCompletion, 'choices'>): string[] {
  const message = choices[0]?.message;
  const calls = message?.tool_calls ?? [];
  const words = message?.content ?? '';
  return [
    ...calls.map(({ function: { name, arguments: given } }) => `${name} ${given}`),
    ...(words === '' ? [] : [words]),
  ].map(printable);
}

const TOOL_FORM =
  'expected [{"name": …, "description": …, "parameters": {…}}, …], as OpenAI’s interface has them';

/** A list of tools, alone or under `tools`. */
async function readToolFile(file: string): Promise<readonly unknown[]> {
  const at = { file };
  const text = await readTextFile(file, 'give a JSON file of tools as --tools');
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new ToolsampleError('dataset', `is not JSON: ${jsonProblem(cause)}`, {
      at,
      hint: TOOL_FORM,
      cause,
    });
  }
  const tools = Array.isArray(content) ? content : (content as { tools?: unknown } | null)?.tools;
  if (Array.isArray(tools)) return tools as readonly unknown[];
  throw new ToolsampleError('dataset', 'is not a list of tools', {
    at,
    hint: TOOL_FORM,
  });
}
