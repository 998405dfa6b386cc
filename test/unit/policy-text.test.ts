import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { PolicyText } from '../../contracts/policy.ts';
import { folderFiles } from '../../policy/checkpoint/checkpoint-files.ts';
import { readPolicyText } from '../../policy/text/policy-text.ts';
import { BOS, EOS, tinyTokenizer, writeTinyPolicy } from './support/tiny-policy.ts';

const SMOLLM2 = process.env['TOOLSAMPLE_SMOLLM2'];

let root: string;
let folder: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-text-'));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  folder = join(root, 'policy');
  await writeTinyPolicy(folder);
});

async function edit(file: string, change: (json: Record<string, unknown>) => void): Promise<void> {
  const json = JSON.parse(await readFile(join(folder, file), 'utf8')) as Record<string, unknown>;
  change(json);
  await writeFile(join(folder, file), JSON.stringify(json));
}
const load = async (): Promise<PolicyText> => readPolicyText(await folderFiles(folder));

describe('policy text', () => {
  it('renders the chat template, with the generation prompt', async () => {
    const text = await load();
    const ids = text.encodePrompt({ messages: [{ role: 'user', content: 'hi' }] });
    expect(ids).toEqual([BOS, 258, 104, 105, 62]);
    expect(text.eosIds).toEqual([EOS]);
    expect(text.contextLength).toBe(96);
  });

  it('decodes what it encoded; EOS is appended and left out again', async () => {
    const text = await load();
    for (const words of ['{"a": "ü 漢"}\n', ' two  spaces ', '']) {
      const ids = text.encodeCompletion(words);
      expect(ids.at(-1)).toBe(EOS);
      expect(text.decode(ids)).toBe(words);
    }
    // Ids that the vocabulary has room for but the tokenizer does not know.
    expect(text.decode([263, 104])).toBe('h');
  });

  it('falls back to a plain template when there is none', async () => {
    await edit('tokenizer_config.json', (json) => delete json['chat_template']);
    const text = await load();
    const ids = text.encodePrompt({
      messages: [
        { role: 'system', content: 'S' },
        { role: 'tool', content: 'U' },
      ],
    });
    expect(ids[0]).toBe(BOS);
    expect(text.decode(ids)).toBe('<|system|>\nS\n\n<|tool|>\nU\n\n<|assistant|>\n');
  });

  it('prefers chat_template.jinja, and takes "default" from a list', async () => {
    await edit('tokenizer_config.json', (json) => {
      json['chat_template'] = [
        { name: 'rag', template: 'no' },
        { name: 'default', template: 'yes' },
      ];
    });
    const messages = [{ role: 'user', content: 'x' }] as const;
    expect((await load()).encodePrompt({ messages })).toEqual([121, 101, 115]);
    await writeFile(join(folder, 'chat_template.jinja'), 'J');
    expect((await load()).encodePrompt({ messages })).toEqual([74]);
  });

  it("collects EOS ids from all files, the tokenizer's first", async () => {
    await writeFile(join(folder, 'generation_config.json'), '{"eos_token_id": [258, 257]}');
    expect((await load()).eosIds).toEqual([257, 258]);
  });

  const broken: [string, () => Promise<void>, RegExp][] = [
    [
      'an id outside the vocabulary',
      async () => edit('config.json', (json) => (json['vocab_size'] = 258)),
      /token "<\|user\|>" has id 258, but the policy's vocabulary has 258 ids/,
    ],
    [
      'an added token with a hostile id',
      async () =>
        edit('tokenizer.json', (json) => (json['added_tokens'] = [{ id: -1, content: 'x' }])),
      /token "x" has id -1/,
    ],
    [
      'no vocabulary',
      async () =>
        edit('tokenizer.json', (json) => {
          delete json['model'];
          delete json['added_tokens'];
        }),
      /no vocabulary/,
    ],
    [
      'a model type that does not exist',
      async () =>
        edit(
          'tokenizer.json',
          (json) => (json['model'] = { ...(tinyTokenizer()['model'] as object), type: 'X' }),
        ),
      /cannot be used/,
    ],
    [
      'no EOS at all',
      async () => {
        await edit('tokenizer_config.json', (json) => delete json['eos_token']);
        await edit('config.json', (json) => delete json['eos_token_id']);
      },
      /names no end-of-sequence token/,
    ],
    [
      'a template that cannot be parsed',
      async () => edit('tokenizer_config.json', (json) => (json['chat_template'] = '{% for %}')),
      /cannot be parsed/,
    ],
    [
      'a template of white space',
      async () =>
        edit('tokenizer_config.json', (json) => (json['chat_template'] = ' '.repeat(90_000))),
      /white space in a row/,
    ],
    [
      'JSON cut off',
      async () => writeFile(join(folder, 'tokenizer.json'), '{"a'),
      /not valid JSON/,
    ],
  ];
  it.each(broken)('refuses %s in one line', async (_what, spoil, message) => {
    await spoil();
    const error: unknown = await load().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ToolsampleError);
    expect((error as ToolsampleError).code).toBe('tokenizer');
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain('\n');
  });

  it.skipIf(SMOLLM2 === undefined)('tokenises SmolLM2 as transformers does', async () => {
    const text = await readPolicyText(await folderFiles(SMOLLM2!));
    const ids = text.encodePrompt({
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
    });
    // Markup as special ids, words as merged tokens.
    expect(ids.slice(0, 8)).toEqual([1, 9690, 198, 2683, 359, 253, 5356, 5646]);
    expect(ids.slice(-14)).toEqual([
      198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198,
    ]);
    const call = '<tool_call>\n{"name": "f", "parameters": {"a": 12}}\n</tool_call>';
    expect(text.decode(text.encodeCompletion(call))).toBe(call);
    expect(text.eosIds).toEqual([2]);
  });
});
