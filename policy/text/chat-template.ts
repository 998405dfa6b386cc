import { Template } from '@huggingface/jinja';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { ChatMessage } from '../../contracts/sample.ts';
import { readText, type CheckpointFiles } from '../checkpoint/checkpoint-files.ts';
import type { TokenizerFiles } from './special-tokens.ts';

/**
 * Used when a checkpoint has no chat template: each message as `<|role|>`, its text and an empty line, after the BOS token
 * if there is one; the prompt ends with `<|assistant|>`.
 */
const FALLBACK_TEMPLATE =
  '{{ bos_token }}{% for message in messages %}' +
  "{{ '<|' + message['role'] + '|>\\n' + message['content'] + '\\n\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";

const MAX_TEMPLATE_CHARACTERS = 200_000;

/** Renders messages to the prompt's text, generation prompt included. @throws ToolsampleError `tokenizer` */
export type ChatRenderer = (messages: readonly ChatMessage[]) => string;

/**
 * The checkpoint's chat template: `chat_template.jinja`, else `chat_template` in `tokenizer_config.json`
 * (a text, or a list from which `default` is taken), else {@link FALLBACK_TEMPLATE}.
 * Templates are interpreted by @huggingface/jinja, never evaluated as code.
 * @throws ToolsampleError `tokenizer` when the template cannot be parsed
 */
export async function readChatTemplate(
  files: CheckpointFiles,
  { config, named }: TokenizerFiles,
): Promise<ChatRenderer> {
  const apart = await readText(files, 'chat_template.jinja');
  const file = apart === undefined ? 'tokenizer_config.json' : 'chat_template.jinja';
  const source = apart ?? templateOf(config['chat_template']) ?? FALLBACK_TEMPLATE;
  if (source.length > MAX_TEMPLATE_CHARACTERS) {
    throw templateError(file, `is longer than ${MAX_TEMPLATE_CHARACTERS} characters`);
  }
  let template: Template;
  try {
    template = new Template(source);
  } catch (cause) {
    throw templateError(file, `cannot be parsed: ${firstLine(cause)}`, cause);
  }
  return (messages) => {
    try {
      return template.render({ bos_token: '', ...named, messages, add_generation_prompt: true });
    } catch (cause) {
      throw templateError(file, `cannot render the messages: ${firstLine(cause)}`, cause);
    }
  };
}

function templateOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const entries = value as { readonly name?: unknown; readonly template?: unknown }[];
  const chosen = entries.find((entry) => entry?.name === 'default');
  return typeof chosen?.template === 'string' ? chosen.template : undefined;
}

function templateError(file: string, problem: string, cause?: unknown): ToolsampleError {
  return new ToolsampleError('tokenizer', problem, {
    at: { file, field: 'chat_template' },
    hint: 'correct the template, or remove it to use the simple built-in one',
    cause,
  });
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0]!;
}
