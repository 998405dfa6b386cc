import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../contracts/json.ts';
import type { PolicyText } from '../../contracts/policy.ts';
import { isCompanion } from '../../policy/checkpoint/checkpoint-files.ts';
import { readChatTemplate, type ChatRenderer } from '../../policy/text/chat-template.ts';
import { readPolicyText } from '../../policy/text/policy-text.ts';
import { readTokenizerFiles } from '../../policy/text/special-tokens.ts';

/** Hashes and ids that Python's tokenizers and transformers gave: see generate.py, and README.md beside it. */
interface Expected {
  readonly tokens: readonly string[];
  readonly decoded: readonly string[];
  readonly examples: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly sequences: readonly { readonly ids: readonly number[]; readonly text: string }[];
  /** Null where the template refuses. */
  readonly conversations: readonly (string | null)[];
  /** Texts whose ids are known to differ. */
  readonly differences: readonly { readonly text: string; readonly ids: readonly number[] }[];
}

interface Conversation {
  readonly messages: readonly JsonObject[];
  readonly tools: readonly JsonObject[] | null;
}

const FIXTURES = fileURLToPath(new URL('../fixtures/tokenizers', import.meta.url));
const read = (...path: string[]): unknown => JSON.parse(readFileSync(join(...path), 'utf8'));
const texts = read(FIXTURES, 'texts.json') as string[];
const conversations = read(FIXTURES, 'conversations.json') as Conversation[];

/** A folder with real checkpoints' tokenizers, each with the expected.json of generate.py. */
const REAL = process.env['TOOLSAMPLE_TOKENIZERS'];
const folders = ['smollm2', 'llama3', 'qwen2.5', 'qwen3'].map((name) => join(FIXTURES, name));
if (REAL !== undefined) folders.push(...readdirSync(REAL).map((name) => join(REAL, name)));

const digest = (value: string | readonly number[]): string =>
  createHash('sha256')
    .update(typeof value === 'string' ? value : value.join(','))
    .digest('hex')
    .slice(0, 8);

/** What differs, with the place by which generate.py's lists name it. */
function differing<T>(
  items: readonly T[],
  expected: readonly (string | null)[],
  ours: (item: T) => string | null,
): { readonly at: number; readonly item: T }[] {
  expect(expected.length).toBe(items.length);
  return items.flatMap((item, at) => (ours(item) === expected[at] ? [] : [{ at, item }]));
}

async function load(folder: string): Promise<{ text: PolicyText; render: ChatRenderer }> {
  const paths = Object.fromEntries(
    readdirSync(folder)
      .filter(isCompanion)
      .map((name) => [name, join(folder, name)]),
  );
  const files = { paths: { 'config.json': join(FIXTURES, 'config.json'), ...paths } };
  const text = await readPolicyText(files);
  return { text, render: await readChatTemplate(files, await readTokenizerFiles(files)) };
}

it('has enough to compare', () => {
  expect(texts.length).toBeGreaterThanOrEqual(2000);
  expect(conversations.filter(({ tools }) => tools !== null).length).toBeGreaterThan(150);
});

it.skipIf(REAL === undefined)('compares the tokenizers of TOOLSAMPLE_TOKENIZERS too', () => {
  expect(folders.length).toBeGreaterThan(4);
});

describe.each(folders)('text as Python has it: %s', (folder) => {
  const expected = read(folder, 'expected.json') as Expected;
  let text: PolicyText;
  let render: ChatRenderer;
  beforeAll(async () => ({ text, render } = await load(folder)));
  const encode = (words: string): number[] => text.encodeCompletion(words).slice(0, -1);
  const prompt = ({ messages, tools }: Conversation): string | null => {
    try {
      return render(messages, tools);
    } catch {
      return null;
    }
  };

  it('gives the same ids', () => {
    for (const { text: words, ids } of expected.examples) expect(encode(words)).toEqual(ids);
    expect(differing(texts, expected.tokens, (words) => digest(encode(words)))).toEqual([]);
  });

  it('decodes to the same text', () => {
    const wrong = differing(texts, expected.decoded, (words) => digest(text.decode(encode(words))));
    expect(wrong).toEqual([]);
    for (const { ids, text: words } of expected.sequences) expect(text.decode(ids)).toBe(words);
  });

  it('renders conversations with tools to the same ids', () => {
    const rendered = expected.conversations.filter((hash) => hash !== null);
    expect(rendered.length).toBeGreaterThanOrEqual(200);
    const wrong = differing(conversations, expected.conversations, (conversation) => {
      const words = prompt(conversation);
      return words === null ? null : digest(encode(words));
    });
    expect(wrong).toEqual([]);
  });

  it('differs where it is known to: see README.md of the fixtures', () => {
    for (const { text: words, ids } of expected.differences) expect(encode(words)).not.toEqual(ids);
  });
});
