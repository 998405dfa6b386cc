import { Tokenizer } from '@huggingface/tokenizers';
import type { ArtifactRef, ArtifactStore } from '../../contracts/artifacts.ts';
import { errorLine } from '../../contracts/error-text.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { PolicyText } from '../../contracts/policy.ts';
import { manifestFiles, type CheckpointFiles } from '../checkpoint/checkpoint-files.ts';
import { readChatTemplate } from './chat-template.ts';
import { KNOWN_PATTERNS } from './known-patterns.ts';
import { createPromptRenderer } from './prompt-text.ts';
import { readTokenizerFiles } from './special-tokens.ts';
import { createTimeLimit, TimeLimitError, withinLimit, type TimeLimit } from './time-limit.ts';
import { rustRules } from './tokenizer-rules.ts';

/** For one text: a page takes milliseconds. Shorter than the time after which a heartbeat is missed. */
const MAX_MILLISECONDS = 5_000;

/** Longer texts are timed even where the tokenizer brings no patterns of its own: words without end take quadratic time. */
const LONG_TEXT = 20_000;

/** Qwen's has 200 characters. A compilation cannot be ended. */
const MAX_PATTERN = 4000;

/** The text side of the policy behind a base manifest. @throws ToolsampleError `tokenizer`, or the store's errors */
export async function loadPolicyText(base: ArtifactRef, store: ArtifactStore): Promise<PolicyText> {
  return store.reading(async (files) => readPolicyText(await manifestFiles(base, files)));
}

/**
 * The text side of a checkpoint. Special tokens are never added by the tokenizer's post-processor: the chat template alone
 * decides what stands around a message.
 * @throws ToolsampleError `tokenizer` when the files are broken or do not fit the policy's vocabulary
 */
export async function readPolicyText(files: CheckpointFiles): Promise<PolicyText> {
  const parts = await readTokenizerFiles(files);
  const promptText = createPromptRenderer(await readChatTemplate(files, parts));
  const hasPatterns =
    ownPatterns(parts.tokenizer).some((own) => !KNOWN_PATTERNS.has(own)) ||
    lengthens(parts.tokenizer);
  // What cuts texts has no part in putting them together.
  const decoder = parts.tokenizer['decoder'];
  const decodesByPatterns = ownPatterns(decoder).length > 0 || lengthens(decoder);
  const limit = createTimeLimit();
  const timed = inTime(limit);
  const tokenizer = timed(() => buildTokenizer(parts.tokenizer, parts.config));
  const bounded = <T>(patterns: boolean, length: number, work: () => T): T =>
    patterns || length > LONG_TEXT ? timed(work) : work();
  const tokenIds = (text: string): number[] =>
    tokenizer.encode(text, { add_special_tokens: false }).ids;
  const encode = (text: string): number[] =>
    text === '' ? [] : bounded(hasPatterns, text.length, () => tokenIds(text));
  const hidden = new Set(parts.eosIds);
  return {
    promptText,
    encodePrompt: (prompt) => encode(promptText(prompt)),
    encode,
    promptLengths: (prompts) => {
      const texts = prompts.map(promptText);
      // One limit for all of them costs as much as one for each; who takes too long is found out one by one.
      const together = (): number[] =>
        texts.map((text) => (text === '' ? 0 : tokenIds(text).length));
      return (
        withinLimit(limit, MAX_MILLISECONDS, together) ?? texts.map((text) => encode(text).length)
      );
    },
    encodeCompletion: (text) => [...encode(text), parts.eosIds[0]!],
    decode: (ids) => {
      const visible = ids.filter((id) => !hidden.has(id));
      if (visible.length === 0) return '';
      return bounded(decodesByPatterns, visible.length, () =>
        tokenizer.decode(visible, {
          skip_special_tokens: true,
          clean_up_tokenization_spaces: false,
        }),
      );
    },
    contextLength: parts.contextLength,
    vocabularySize: parts.vocabularySize,
    eosIds: parts.eosIds,
  };
}

/** Ends what a hostile pattern or text would make last for hours. */
function inTime(limit: TimeLimit): <T>(work: () => T) => T {
  return (work) => {
    try {
      return limit(MAX_MILLISECONDS, work);
    } catch (cause) {
      if (!(cause instanceof TimeLimitError)) throw cause;
      throw new ToolsampleError('tokenizer', `${cause.message} for one text`, {
        at: { file: 'tokenizer.json' },
        hint: 'look for words of thousands of letters in the data, and for nested repetitions in the patterns of the tokenizer',
        cause,
      });
    }
  };
}

/** The regular expressions that a tokenizer brings. @throws ToolsampleError `tokenizer` for one that takes minutes to compile */
function ownPatterns(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).flatMap(([name, value]) => {
    if (name === 'model') return [];
    if (name !== 'Regex' || typeof value !== 'string') return ownPatterns(value);
    if (value.length <= MAX_PATTERN) return [value];
    throw new ToolsampleError('tokenizer', `a pattern is longer than ${MAX_PATTERN} characters`, {
      at: { file: 'tokenizer.json', field: 'Regex' },
      hint: 'is it a complete tokenizer.json of the tokenizers library?',
    });
  });
}

/** Whether what a tokenizer puts in the place of a text is longer: a short text may become one without end. */
function lengthens(part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return false;
  const { type, pattern, content, prepend } = part as Record<string, unknown>;
  if (type === 'Prepend') return typeof prepend === 'string' && prepend.length > 1;
  if (type === 'Replace' && typeof content === 'string') {
    const literal = (pattern as { readonly String?: unknown } | null | undefined)?.String;
    return content.length > (typeof literal === 'string' ? literal.length : 1);
  }
  return Object.entries(part).some(([name, value]) => name !== 'model' && lengthens(value));
}

function buildTokenizer(json: Record<string, unknown>, config: Record<string, unknown>): Tokenizer {
  try {
    const tokenizer = new Tokenizer(rustRules(json), config);
    // A tokenizer that loads but cannot encode is found out here, not in the middle of a run.
    tokenizer.decode(tokenizer.encode('{"a": 1}\n', { add_special_tokens: false }).ids);
    return tokenizer;
  } catch (cause) {
    throw new ToolsampleError('tokenizer', `cannot be used: ${errorLine(cause)}`, {
      at: { file: 'tokenizer.json' },
      hint: 'is it a complete tokenizer.json of the tokenizers library?',
      cause,
    });
  }
}
