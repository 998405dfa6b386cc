import { errorLine } from '../../contracts/error-text.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { ChatMessage } from '../../contracts/sample.ts';
import { readText, type CheckpointFiles } from '../checkpoint/checkpoint-files.ts';
import type { TokenizerFiles } from './special-tokens.ts';
import { parseTemplate, type TemplateProgram } from './template-program.ts';

/**
 * Used when a checkpoint has no chat template: each message as `<|role|>`, its text and an empty line, after the BOS token
 * if there is one; the prompt ends with `<|assistant|>`.
 */
const FALLBACK_TEMPLATE =
  '{{ bos_token }}{% for message in messages %}' +
  "{{ '<|' + message['role'] + '|>\\n' + message['content'] + '\\n\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";

const MAX_TEMPLATE_CHARACTERS = 200_000;
/** In one piece: the library takes quadratic time for it, and a line of a real template is indented by some dozens. */
const MAX_WHITE_SPACE = 2_000;

/**
 * Renders messages to the prompt's text, generation prompt included, as transformers' `apply_chat_template` does. A message's
 * further fields (`tool_calls`, `reasoning_content`, …) are the template's business.
 * @param tools JSON schemas of the tools on offer, as the template shows them to the policy; null: none
 * @throws ToolsampleError `tokenizer`
 */
export type ChatRenderer = (
  messages: readonly (ChatMessage | JsonObject)[],
  tools: readonly JsonObject[] | null,
) => string;

/**
 * The checkpoint's chat template: `chat_template.jinja`, else `chat_template` in `tokenizer_config.json`
 * (a text, or a list of which `tool_use` is taken where there are tools, otherwise `default`), else {@link FALLBACK_TEMPLATE}.
 * @throws ToolsampleError `tokenizer` when the template cannot be parsed
 */
export async function readChatTemplate(
  files: CheckpointFiles,
  { config, named }: Pick<TokenizerFiles, 'config' | 'named'>,
): Promise<ChatRenderer> {
  const apart = await readText(files, 'chat_template.jinja');
  const file = apart === undefined ? 'tokenizer_config.json' : 'chat_template.jinja';
  const given = apart ?? config['chat_template'];
  const plain = parse(templateOf(given, 'default') ?? FALLBACK_TEMPLATE, file);
  const toolUse = templateOf(given, 'tool_use');
  const withTools = toolUse === undefined ? plain : parse(toolUse, file);
  return (messages, tools) => {
    const program = tools === null ? plain : withTools;
    try {
      // transformers defines all of these: a template asks whether they are none, not whether they exist.
      const variables = { messages, tools, documents: null, add_generation_prompt: true };
      return program({ bos_token: '', ...named, ...variables });
    } catch (cause) {
      throw templateError(file, `cannot render the messages: ${errorLine(cause)}`, cause);
    }
  };
}

/** A template that stands alone is the one for every use. */
function templateOf(value: unknown, use: 'default' | 'tool_use'): string | undefined {
  if (typeof value === 'string') return use === 'default' ? value : undefined;
  if (!Array.isArray(value)) return undefined;
  const entries = value as { readonly name?: unknown; readonly template?: unknown }[];
  const chosen = entries.find((entry) => entry?.name === use);
  return typeof chosen?.template === 'string' ? chosen.template : undefined;
}

function parse(source: string, file: string): TemplateProgram {
  if (source.length > MAX_TEMPLATE_CHARACTERS) {
    throw templateError(file, `is longer than ${MAX_TEMPLATE_CHARACTERS} characters`);
  }
  if (longestWhiteSpace(source) > MAX_WHITE_SPACE) {
    throw templateError(
      file,
      `has more than ${MAX_WHITE_SPACE} characters of white space in a row`,
    );
  }
  try {
    return parseTemplate(source);
  } catch (cause) {
    throw templateError(file, `cannot be parsed: ${errorLine(cause)}`, cause);
  }
}

function longestWhiteSpace(text: string): number {
  let longest = 0;
  let run = 0;
  for (let at = 0; at < text.length; at++) {
    run = /\s/.test(text[at]!) ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}

function templateError(file: string, problem: string, cause?: unknown): ToolsampleError {
  return new ToolsampleError('tokenizer', problem, {
    at: { file, field: 'chat_template' },
    hint: 'correct the template, or remove it to use the simple built-in one',
    cause,
  });
}
